// The metrics by name: their own, and the losses.
import { DownhillError, show, unknownName } from '../errors.js';
import { type Loss, type LossFunction, type LossParts, type Measure, toMeasure } from '../losses/loss.js';
import { factories as losses, type LossFactory, lossNamed } from '../losses/resolve.js';
import { lookUp } from '../names.js';
import { accuracy, binaryAccuracy, categoricalAccuracy, sparseCategoricalAccuracy } from './accuracy.js';
import { zeroOneLoss } from './zero-one-loss.js';

const own: Readonly<Record<string, LossFactory>> = {
  accuracy,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  zeroOneLoss,
};

/** The factories under their own names. */
export const factories = { ...own, ...losses };

export type MetricName =
  | 'accuracy'
  | 'binaryAccuracy'
  | 'categoricalAccuracy'
  | 'sparseCategoricalAccuracy'
  | 'zeroOneLoss';

/** By name (camelCase or snake_case), as an object made by `metrics.…` or `losses.…`, or as a function of ops. */
export type MetricLike = MetricName | (string & {}) | LossParts | LossFunction;

/** A metric; its label in logs is the name it was given. */
export function resolveMetric(what: string, value: unknown): Measure {
  if (typeof value === 'string') {
    const label = { name: value };
    const found = value === 'acc' ? accuracy(label) : (lookUp(own, value)?.(label) ?? lossNamed(value, label));
    if (!found) throw unknownName('metric', value, Object.keys(factories));
    return toMeasure(value, found);
  }
  if (typeof value !== 'function')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be a name, a metric or a function; received ${show(value)}.`,
    );
  // metrics.accuracy without its parentheses.
  if (Object.values(factories).includes(value as () => Loss)) return resolveMetric(what, (value as () => Loss)());
  const metric = value as Loss | LossFunction;
  return toMeasure((metric as Partial<Loss>).label ?? (metric.name || 'metric'), metric);
}
