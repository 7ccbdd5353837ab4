// The metrics. The public `metrics` are these factories.
import { registerLosses } from '../losses/loss.js';
import { acceptsMetric, factories } from './resolve.js';

registerLosses('metric', factories, acceptsMetric);

export { binaryCrossentropy } from '../losses/binary-crossentropy.js';
export { binaryFocalCrossentropy } from '../losses/binary-focal-crossentropy.js';
export { categoricalCrossentropy } from '../losses/categorical-crossentropy.js';
export { categoricalFocalCrossentropy } from '../losses/categorical-focal-crossentropy.js';
export { categoricalHinge, hinge, squaredHinge } from '../losses/hinge.js';
export { huber } from '../losses/huber.js';
export { klDivergence } from '../losses/kl-divergence.js';
export { logCosh } from '../losses/log-cosh.js';
export { meanAbsoluteError } from '../losses/mean-absolute-error.js';
export { meanAbsolutePercentageError } from '../losses/mean-absolute-percentage-error.js';
export { meanSquaredError } from '../losses/mean-squared-error.js';
export { meanSquaredLogarithmicError } from '../losses/mean-squared-logarithmic-error.js';
export { poisson } from '../losses/poisson.js';
export { sparseCategoricalCrossentropy } from '../losses/sparse-categorical-crossentropy.js';
export {
  accuracy,
  type BinaryAccuracyOptions,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
} from './accuracy.js';
export { type AucOptions, auc } from './auc.js';
export { cosineSimilarity } from './cosine-similarity.js';
export type { AucCurve, SummationMethod } from './curves.js';
export { type F1ScoreOptions, type FBetaScoreOptions, f1Score, fBetaScore } from './f-score.js';
export type { Metric, StreamingMetric } from './metric.js';
export { type PrecisionOptions, precision, recall } from './precision-recall.js';
export type { MetricLike, MetricName } from './resolve.js';
export { rootMeanSquaredError } from './root-mean-squared-error.js';
export { sparseTopKCategoricalAccuracy, type TopKOptions, topKCategoricalAccuracy } from './top-k.js';
export { zeroOneLoss } from './zero-one-loss.js';
