// The losses. The public `losses` are these factories.
import { factories } from './resolve.js';
import { registerLosses } from './loss.js';

registerLosses('loss', factories);

export { type BinaryCrossentropyOptions, binaryCrossentropy } from './binary-crossentropy.js';
export { type CategoricalCrossentropyOptions, categoricalCrossentropy } from './categorical-crossentropy.js';
export type { Loss, LossFunction, LossOptions } from './loss.js';
export { meanAbsoluteError } from './mean-absolute-error.js';
export { meanSquaredError } from './mean-squared-error.js';
export type { LossLike, LossName } from './resolve.js';
export {
  type SparseCategoricalCrossentropyOptions,
  sparseCategoricalCrossentropy,
} from './sparse-categorical-crossentropy.js';
