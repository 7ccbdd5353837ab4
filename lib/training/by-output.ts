// Losses, their weights and metrics, as compile() is given them: one, or a list or object with those of each output.
import { isPlain } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import type { LossMeasure, Measure } from '../losses/measure.js';
import { resolveLoss } from '../losses/resolve.js';
import { isStreaming } from '../metrics/metric.js';
import { resolveMetric } from '../metrics/resolve.js';
import type { Ports } from '../model/ports.js';
import { checkNumber } from '../options.js';

/** What an item of a list or object is called in messages. */
function place(what: string, given: unknown, ports: Ports, output: number): string {
  if (isPlain(given)) return `${what}.${ports.all[output].name}`;
  return Array.isArray(given) ? `${what}[${output}]` : what;
}

/** A list or object by output, where that is what was given; null for one thing. */
function byOutput(what: string, ports: Ports, given: unknown): readonly unknown[] | null {
  if (isPlain(given)) return ports.spread(what, given, () => false);
  if (!Array.isArray(given)) return null;
  if (ports.all.length > 1 || given.length === 1)
    return ports.all.length > 1 ? ports.spread(what, given, () => false) : given;
  throw new DownhillError('INVALID_ARGUMENT', `${what}: the model has one output; received ${show(given)}.`);
}

/** By output; null: it has no loss. Throws INVALID_ARGUMENT where no output has one. */
export function lossesOf(what: string, ports: Ports, given: unknown): (LossMeasure | null)[] {
  const list = byOutput(what, ports, given) ?? ports.all.map(() => given);
  const losses = list.map((loss, i) =>
    loss === null || loss === undefined ? null : resolveLoss(place(what, given, ports, i), loss),
  );
  if (losses.every((loss) => loss === null))
    throw new DownhillError('INVALID_ARGUMENT', `${what}: at least one output must have a loss; received none.`);
  return losses;
}

/** By output, 1 by default. */
export function lossWeightsOf(what: string, ports: Ports, given: unknown): number[] {
  if (given === undefined || given === null) return ports.all.map(() => 1);
  const list = byOutput(what, ports, given);
  if (!list && ports.all.length > 1)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be a list or an object with a number for each of the outputs ${ports.names.join(', ')}; received ${show(given)}.`,
    );
  return (list ?? [given]).map((weight, i) =>
    weight === null || weight === undefined ? 1 : checkNumber(place(what, given, ports, i), weight),
  );
}

/** The metrics of each output. */
export function metricsOf(what: string, ports: Ports, given: unknown): Measure[][] {
  if (given === undefined || given === null) return ports.all.map(() => []);
  const one = !Array.isArray(given) && (!isPlain(given) || isStreaming(given));
  const several = ports.all.length > 1;
  const lists = one
    ? ports.all.map(() => given)
    : several || isPlain(given)
      ? ports.spread(what, given, () => false)
      : [given];
  return lists.map((list, i) => {
    const where = one || (!several && Array.isArray(given)) ? what : place(what, given, ports, i);
    if (list === null || list === undefined) return [];
    if (!Array.isArray(list)) return [resolveMetric(where, list)];
    return list.flat().map((metric: unknown, j) => resolveMetric(`${where}[${j}]`, metric));
  });
}
