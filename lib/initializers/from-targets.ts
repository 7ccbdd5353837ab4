// Biases that make a model begin with the marginal statistics of its targets.
import { DownhillError } from '../errors.js';
import { Options } from '../options.js';
import { type TensorLike, toSource } from '../tensor/convert.js';
import { shapeText, sizeOf } from '../tensor/shape.js';
import { constant } from './constant.js';
import type { Initializer } from './initializer.js';

export interface FromTargetsOptions {
  /**
   * Of the layer that has the bias; its inverse is applied to the statistics. By default told by the targets: rows of probabilities are 'softmax', so
   * are integers of which one is above 1; zeros and ones alone are 'sigmoid'; anything else is 'linear'.
   */
  activation?: 'softmax' | 'sigmoid' | 'linear';
  /** Of integer labels; by default the largest label + 1. */
  numClasses?: number;
  /**
   * Added to the count of every class, at least 0: by default 1 where a class is absent, whose logarithm would be infinite, and 0 elsewhere.
   */
  smoothing?: number;
}

const where = 'initializers.fromTargets';
const activations = ['softmax', 'sigmoid', 'linear'] as const;

/** Targets as rows: (rows, width), each with its sum over the rows. */
interface Rows {
  values: ArrayLike<number>;
  rows: number;
  width: number;
}

function rowsOf(y: TensorLike): Rows {
  const source = toSource(`${where}: targets`, y);
  const values = source.tensor ? source.tensor.dataSync() : source.values;
  const width = source.shape.length > 1 ? source.shape.at(-1)! : 1;
  const rows = sizeOf(source.shape) / Math.max(1, width);
  if (rows === 0 || width === 0)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${where}: there must be at least one target; received shape ${shapeText(source.shape)}.`,
    );
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i]))
      throw new DownhillError('NON_FINITE', `${where}: targets must be finite; element ${i} is ${values[i]}.`);
  return { values, rows, width };
}

/** Sums over the rows, by column. */
function columnSums({ values, width }: Rows): Float64Array {
  const sums = new Float64Array(width);
  for (let i = 0; i < values.length; i++) sums[i % width]! += values[i]!;
  return sums;
}

const every = ({ values }: Rows, test: (value: number) => boolean): boolean => {
  for (let i = 0; i < values.length; i++) if (!test(values[i]!)) return false;
  return true;
};

const inUnitInterval = (value: number) => value >= 0 && value <= 1;
const isLabel = (value: number) => Number.isInteger(value) && value >= 0;

/** Do the rows sum to 1, but for rounding? */
function areDistributions({ values, rows, width }: Rows): boolean {
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += values[row * width + j]!;
    if (Math.abs(sum - 1) > 1e-4) return false;
  }
  return true;
}

function guess(targets: Rows): (typeof activations)[number] {
  if (targets.width > 1 && every(targets, inUnitInterval) && areDistributions(targets)) return 'softmax';
  if (every(targets, (value) => value === 0 || value === 1)) return 'sigmoid';
  return targets.width === 1 && every(targets, isLabel) ? 'softmax' : 'linear';
}

/** Examples of each class. */
function classCounts(targets: Rows, numClasses: number | undefined): Float64Array {
  const { values, rows, width } = targets;
  if (width > 1) {
    if (!every(targets, inUnitInterval) || !areDistributions(targets))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${where}: for a softmax, targets are integer labels, or rows of probabilities that sum to 1.`,
      );
    if (numClasses !== undefined && numClasses !== width)
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `${where}: numClasses must be the length of the rows, ${width}; received ${numClasses}.`,
      );
    return columnSums(targets);
  }
  let classes = numClasses ?? 0;
  for (let i = 0; i < rows; i++) {
    if (!isLabel(values[i]!))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${where}: labels must be integers at least 0; element ${i} is ${values[i]}.`,
      );
    if (numClasses === undefined) classes = Math.max(classes, values[i]! + 1);
    else if (values[i]! >= numClasses)
      throw new DownhillError(
        'LABEL_OUT_OF_RANGE',
        `${where}: labels must be integers from 0 to ${numClasses - 1}; element ${i} is ${values[i]}.`,
      );
  }
  const counts = new Float64Array(classes);
  for (let i = 0; i < rows; i++) counts[values[i]!]! += 1;
  return counts;
}

function absent(what: string): DownhillError {
  return new DownhillError(
    'OUT_OF_RANGE',
    `${where}: ${what}, so its bias would be infinite. Give a smoothing above 0, or none for the default.`,
  );
}

/** log p of each class. */
function logProbabilities(counts: Float64Array, given: number | undefined): number[] {
  const smoothing = given ?? (counts.includes(0) ? 1 : 0);
  const missing = counts.indexOf(0);
  if (smoothing === 0 && missing >= 0) throw absent(`no target is of class ${missing}`);
  let total = 0;
  for (const count of counts) total += count + smoothing;
  return Array.from(counts, (count) => Math.log((count + smoothing) / total));
}

/** log(p / (1 − p)) of each output. */
function logits(targets: Rows, given: number | undefined): number[] {
  if (!every(targets, inUnitInterval))
    throw new DownhillError('INVALID_ARGUMENT', `${where}: for a sigmoid, targets lie in [0, 1].`);
  return Array.from(columnSums(targets), (ones, j) => {
    const zeros = targets.rows - ones;
    const smoothing = given ?? (ones === 0 || zeros === 0 ? 1 : 0);
    if (smoothing === 0 && (ones === 0 || zeros === 0))
      throw absent(`all targets of output ${j} are ${ones === 0 ? 0 : 1}`);
    return Math.log((ones + smoothing) / (zeros + smoothing));
  });
}

/**
 * The bias with which an output layer, its weights aside, gives the marginal statistics of the targets: the inverse activation of their mean.
 * softmax: log p_c, p_c = (n_c + s) / (n + s · classes); sigmoid: log(p / (1 − p)), p = (n_1 + s) / (n + 2s); linear: the mean of each output.
 * A model begins with it where others spend their first steps.
 *
 * @param y targets as `fit` takes them: integer labels [n], one-hot rows or probabilities [n, classes], zeros and ones [n] or [n, outputs], or
 *   values; a last axis of length 1 is dropped
 * @param options activation (told by the targets), numClasses, smoothing s (0, but 1 where a class is absent)
 * @returns initializers.constant with one value per output
 * @throws INVALID_ARGUMENT, LABEL_OUT_OF_RANGE, SHAPE_MISMATCH, NON_FINITE; OUT_OF_RANGE where smoothing is 0 and a class absent
 * @example
 * layers.dense({ units: 10, activation: 'softmax', biasInitializer: initializers.fromTargets(train.y, { numClasses: 10 }) });
 * @see Goodfellow et al. 2016, section 8.4
 */
export function fromTargets(y: TensorLike, options?: FromTargetsOptions): Initializer {
  const read = new Options<FromTargetsOptions>(where, options, ['activation', 'numClasses', 'smoothing']);
  const numClasses = read.optionalCount('numClasses');
  const smoothing = read.optionalNumber('smoothing', { min: 0 });
  const targets = rowsOf(y);
  const activation =
    read.has('activation') || numClasses === undefined
      ? read.oneOf('activation', activations, guess(targets))
      : 'softmax';
  if (activation === 'softmax')
    return constant({ value: logProbabilities(classCounts(targets, numClasses), smoothing) });
  if (activation === 'sigmoid') return constant({ value: logits(targets, smoothing) });
  return constant({ value: Array.from(columnSums(targets), (sum) => sum / targets.rows) });
}
