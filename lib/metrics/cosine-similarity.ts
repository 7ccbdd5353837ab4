import { type CosineSimilarityOptions, cosineSimilarity as loss } from '../losses/cosine-similarity.js';
import { meanMeasure } from '../losses/measure.js';
import { readAxis } from '../losses/axis.js';
import { Options } from '../options.js';
import { type Metric, makeMetric } from './metric.js';

/**
 * Σ (t/‖t‖)(p/‖p‖) along an axis, 1 for equal directions: the opposite of the loss of that name, as in Keras: (t [n, …], p [n, …]).
 *
 * @throws OUT_OF_RANGE where the predictions have no such axis
 * @example
 * metrics.cosineSimilarity()([[0, 1]], [[1, 1]]); // 0.7071
 * @see https://keras.io/api/metrics/regression_metrics/
 */
export function cosineSimilarity(options?: CosineSimilarityOptions): Metric {
  const read = new Options<CosineSimilarityOptions>('metrics.cosineSimilarity', options, ['axis', 'name']);
  const axis = readAxis(read);
  const { sizes, contribute, result } = meanMeasure('cosineSimilarity', loss({ axis }));
  const opposite = (sums: Float64Array) => -(result(sums) as number);
  return makeMetric('cosineSimilarity', read, { sizes, contribute, result: opposite }, { axis });
}
