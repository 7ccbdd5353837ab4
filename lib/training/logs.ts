// The sums of a run as the numbers that logs show.
import type { Logs } from '../callbacks/callback.js';
import { type Measure, meanOf } from '../losses/measure.js';
import { DownhillError } from '../errors.js';
import type { Shape } from '../tensor/shape.js';

/** By label: sums holds those of the loss (sum, weight), then those of each metric. Several results of one metric get _0, _1, … */
export function logsOf(
  labels: readonly string[],
  metrics: readonly Measure[],
  sums: Float64Array,
  outputShape: Shape,
): Logs {
  const logs: Logs = { [labels[0]]: meanOf(sums[0], sums[1]) };
  let begin = 2;
  for (const [i, metric] of metrics.entries()) {
    const size = metric.sizes(outputShape).reduce((total, count) => total + count, 0);
    const result = metric.result(sums.subarray(begin, begin + size));
    begin += size;
    const label = labels[i + 1];
    if (typeof result === 'number') put(logs, label, result);
    else for (const [j, value] of result.entries()) put(logs, `${label}_${j}`, value);
  }
  return logs;
}

function put(logs: Logs, label: string, value: number): void {
  if (Object.hasOwn(logs, label))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `compile: two metrics give the logs a number "${label}". Give one of them another name, with its option "name".`,
    );
  logs[label] = value;
}
