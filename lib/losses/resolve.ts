// The losses by name.
import { DownhillError, show, unknownName } from '../errors.js';
import { lookUp } from '../names.js';
import { binaryCrossentropy } from './binary-crossentropy.js';
import { binaryFocalCrossentropy } from './binary-focal-crossentropy.js';
import { categoricalCrossentropy } from './categorical-crossentropy.js';
import { categoricalFocalCrossentropy } from './categorical-focal-crossentropy.js';
import { cosineSimilarity } from './cosine-similarity.js';
import { categoricalHinge, hinge, squaredHinge } from './hinge.js';
import { huber } from './huber.js';
import { klDivergence } from './kl-divergence.js';
import { logCosh } from './log-cosh.js';
import type { Loss, LossFunction, LossOptions, LossParts } from './loss.js';
import { meanAbsoluteError } from './mean-absolute-error.js';
import { meanAbsolutePercentageError } from './mean-absolute-percentage-error.js';
import { meanSquaredError } from './mean-squared-error.js';
import { meanSquaredLogarithmicError } from './mean-squared-logarithmic-error.js';
import { type LossMeasure, lossMeasure } from './measure.js';
import { poisson } from './poisson.js';
import { sparseCategoricalCrossentropy } from './sparse-categorical-crossentropy.js';

/** Of a loss or metric. */
export type LossFactory = (options?: LossOptions) => Loss;

const table = {
  binaryCrossentropy,
  binaryFocalCrossentropy,
  categoricalCrossentropy,
  categoricalFocalCrossentropy,
  categoricalHinge,
  cosineSimilarity,
  hinge,
  huber,
  klDivergence,
  logCosh,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  meanSquaredLogarithmicError,
  poisson,
  sparseCategoricalCrossentropy,
  squaredHinge,
};

export type LossName = keyof typeof table;

/** The factories under their own names. */
export const factories: Readonly<Record<string, LossFactory>> = table;

/** Keras's short names. */
const aliases: Readonly<Record<string, LossFactory>> = {
  bce: binaryCrossentropy,
  BCE: binaryCrossentropy,
  kld: klDivergence,
  KLD: klDivergence,
  logcosh: logCosh,
  mae: meanAbsoluteError,
  MAE: meanAbsoluteError,
  mape: meanAbsolutePercentageError,
  MAPE: meanAbsolutePercentageError,
  mse: meanSquaredError,
  MSE: meanSquaredError,
  msle: meanSquaredLogarithmicError,
  MSLE: meanSquaredLogarithmicError,
};

/** By name (camelCase, snake_case or Keras's class), as an object made by `losses.…`, or as a function of ops. */
export type LossLike = LossName | (string & {}) | LossParts | LossFunction;

/** Keras's names of classes, by the factories' names. */
export function byClass<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  const found = Object.keys(table).find((key) => key.toLowerCase() === name.toLowerCase());
  return /^[A-Z]/.test(name) && found !== undefined ? table[found] : undefined;
}

/** The loss of that name, if there is one. */
export function lossNamed(name: string, options?: LossOptions): Loss | undefined {
  const factory = lookUp(factories, name) ?? lookUp(aliases, name) ?? byClass(factories, name);
  return factory?.(options);
}

export function resolveLoss(what: string, value: unknown): LossMeasure {
  if (typeof value === 'string') {
    const found = lossNamed(value);
    if (!found) throw unknownName('loss', value, Object.keys(factories));
    return lossMeasure(found.label, found);
  }
  if (typeof value !== 'function')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be a name, a loss or a function; received ${show(value)}.`,
    );
  // losses.meanSquaredError without its parentheses.
  if (Object.values(factories).includes(value as () => Loss)) return resolveLoss(what, (value as () => Loss)());
  const loss = value as Loss | LossFunction;
  return lossMeasure((loss as Partial<Loss>).label ?? (loss.name || 'loss'), loss);
}
