// The sums of a run as the numbers that logs show.
import type { Logs } from '../callbacks/callback.js';
import { DownhillError } from '../errors.js';
import { meanOf } from '../losses/measure.js';
import type { Ports } from '../model/ports.js';
import type { Compiled } from './compiled.js';

/** Sums of the loss (sum, weight), then of means beside it, such as the losses of several outputs, then those of each metric, by label. */
export function logsOf({ labels, means, metrics }: Compiled, sums: Float64Array, ports: Ports): Logs {
  const logs: Logs = { [labels[0]]: meanOf(sums[0], sums[1]) };
  let begin = 2;
  let next = 1;
  for (let i = 0; i < means; i++) put(logs, labels[next++], meanOf(sums[begin++], sums[1]));
  for (const { measure, output } of metrics) {
    const size = measure.sizes(ports.all[output].shape).reduce((total, count) => total + count, 0);
    const result = measure.result(sums.subarray(begin, begin + size));
    begin += size;
    const label = labels[next++];
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
