// The metrics. The public `metrics` are these factories.
import { registerLosses } from '../losses/loss.js';
import { factories } from './resolve.js';

registerLosses('metric', factories);

export { meanAbsoluteError } from '../losses/mean-absolute-error.js';
export { meanSquaredError } from '../losses/mean-squared-error.js';
export { binaryCrossentropy } from '../losses/binary-crossentropy.js';
export { categoricalCrossentropy } from '../losses/categorical-crossentropy.js';
export { sparseCategoricalCrossentropy } from '../losses/sparse-categorical-crossentropy.js';
export {
  accuracy,
  type BinaryAccuracyOptions,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
} from './accuracy.js';
export type { MetricLike, MetricName } from './resolve.js';
export { zeroOneLoss } from './zero-one-loss.js';
