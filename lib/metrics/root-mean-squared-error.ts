import type { LossOptions } from '../losses/loss.js';
import { meanSquaredError } from '../losses/mean-squared-error.js';
import { meanMeasure } from '../losses/measure.js';
import { Options } from '../options.js';
import { type Metric, makeMetric } from './metric.js';

/**
 * The root of the mean of (t − p)² over all elements, over all batches: (t [n, …], p [n, …]).
 *
 * @example
 * metrics.rootMeanSquaredError()([0, 0], [3, 4]); // √12.5
 * @see https://keras.io/api/metrics/regression_metrics/
 */
export function rootMeanSquaredError(options?: LossOptions): Metric {
  const read = new Options<LossOptions>('metrics.rootMeanSquaredError', options, ['name']);
  const { sizes, contribute, result } = meanMeasure('rootMeanSquaredError', meanSquaredError());
  const root = (sums: Float64Array) => Math.sqrt(result(sums) as number);
  return makeMetric('rootMeanSquaredError', read, { sizes, contribute, result: root });
}
