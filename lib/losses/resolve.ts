// The losses by name.
import { DownhillError, show, unknownName } from '../errors.js';
import { lookUp } from '../names.js';
import { binaryCrossentropy } from './binary-crossentropy.js';
import { categoricalCrossentropy } from './categorical-crossentropy.js';
import { type Loss, type LossFunction, type LossOptions, type LossParts, type Measure, toMeasure } from './loss.js';
import { meanAbsoluteError } from './mean-absolute-error.js';
import { meanSquaredError } from './mean-squared-error.js';
import { sparseCategoricalCrossentropy } from './sparse-categorical-crossentropy.js';

/** Of a loss or metric. */
export type LossFactory = (options?: LossOptions) => Loss;

/** The factories under their own names. */
export const factories: Readonly<Record<string, LossFactory>> = {
  binaryCrossentropy,
  categoricalCrossentropy,
  meanAbsoluteError,
  meanSquaredError,
  sparseCategoricalCrossentropy,
};

/** Keras's short names. */
const aliases: Readonly<Record<string, LossFactory>> = {
  bce: binaryCrossentropy,
  BCE: binaryCrossentropy,
  mae: meanAbsoluteError,
  MAE: meanAbsoluteError,
  mse: meanSquaredError,
  MSE: meanSquaredError,
};

export type LossName =
  | 'binaryCrossentropy'
  | 'categoricalCrossentropy'
  | 'meanAbsoluteError'
  | 'meanSquaredError'
  | 'sparseCategoricalCrossentropy';

/** By name (camelCase or snake_case), as an object made by `losses.…`, or as a function of ops. */
export type LossLike = LossName | (string & {}) | LossParts | LossFunction;

/** The loss of that name, if there is one. */
export function lossNamed(name: string, options?: LossOptions): Loss | undefined {
  const factory = lookUp(factories, name) ?? lookUp(aliases, name);
  return factory?.(options);
}

export function resolveLoss(what: string, value: unknown): Measure {
  if (typeof value === 'string') {
    const found = lossNamed(value);
    if (!found) throw unknownName('loss', value, Object.keys(factories));
    return toMeasure(found.label, found);
  }
  if (typeof value !== 'function')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be a name, a loss or a function; received ${show(value)}.`,
    );
  // losses.meanSquaredError without its parentheses.
  if (Object.values(factories).includes(value as () => Loss)) return resolveLoss(what, (value as () => Loss)());
  const loss = value as Loss | LossFunction;
  return toMeasure((loss as Partial<Loss>).label ?? (loss.name || 'loss'), loss);
}
