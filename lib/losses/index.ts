// The losses. The public `losses` are these factories.
import { registerLosses } from './loss.js';
import { factories } from './resolve.js';

registerLosses('loss', factories);

export { type BinaryCrossentropyOptions, binaryCrossentropy } from './binary-crossentropy.js';
export { type BinaryFocalCrossentropyOptions, binaryFocalCrossentropy } from './binary-focal-crossentropy.js';
export { type CategoricalCrossentropyOptions, categoricalCrossentropy } from './categorical-crossentropy.js';
export {
  type CategoricalFocalCrossentropyOptions,
  categoricalFocalCrossentropy,
} from './categorical-focal-crossentropy.js';
export { type CosineSimilarityOptions, cosineSimilarity } from './cosine-similarity.js';
export { categoricalHinge, hinge, squaredHinge } from './hinge.js';
export { type HuberOptions, huber } from './huber.js';
export { klDivergence } from './kl-divergence.js';
export { logCosh } from './log-cosh.js';
export type { Loss, LossFunction, LossOptions } from './loss.js';
export { meanAbsoluteError } from './mean-absolute-error.js';
export { meanAbsolutePercentageError } from './mean-absolute-percentage-error.js';
export { meanSquaredError } from './mean-squared-error.js';
export { meanSquaredLogarithmicError } from './mean-squared-logarithmic-error.js';
export { poisson } from './poisson.js';
export type { LossLike, LossName } from './resolve.js';
export {
  type SparseCategoricalCrossentropyOptions,
  sparseCategoricalCrossentropy,
} from './sparse-categorical-crossentropy.js';
