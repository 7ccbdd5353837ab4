// Integer labels as one-hot rows.
import { DownhillError } from '../errors.js';
import { checkCount } from '../options.js';
import { checkFits, type TensorLike, toSource } from '../tensor/convert.js';
import { sizeOf } from '../tensor/shape.js';
import { type Tensor, tensor } from '../tensor/index.js';

function largest(labels: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < labels.length; i++) most = Math.max(most, labels[i]);
  return most;
}

/**
 * One-hot rows of integer labels, float32.
 *
 * @param labels [n] (or any shape; a last axis of length 1 is dropped, as in Keras), each in [0, numClasses)
 * @param numClasses by default the largest label + 1
 * @returns [n, numClasses]
 * @throws LABEL_OUT_OF_RANGE, OUT_OF_RANGE for a count below 1, INVALID_ARGUMENT for labels that are not integers
 * @example
 * data.toCategorical([0, 2], 3); // [[1, 0, 0], [0, 0, 1]]
 */
export function toCategorical(labels: TensorLike, numClasses?: number): Tensor {
  const what = 'toCategorical: labels';
  const source = toSource(what, labels);
  const values = source.tensor ? source.tensor.dataSync() : source.values;
  checkFits(what, values, 'int32');
  const classes = numClasses === undefined ? largest(values) + 1 : checkCount('toCategorical: numClasses', numClasses);
  const shape = source.shape.length > 1 && source.shape.at(-1) === 1 ? source.shape.slice(0, -1) : source.shape;
  const rows = new Float32Array(sizeOf(shape) * classes);
  for (let i = 0; i < values.length; i++) {
    const label = values[i];
    if (label < 0 || label >= classes)
      throw new DownhillError(
        'LABEL_OUT_OF_RANGE',
        `${what} must be integers from 0 to ${classes - 1}; element ${i} is ${label}. Give a larger numClasses or correct the label.`,
      );
    rows[i * classes + label] = 1;
  }
  return tensor(rows, [...shape, classes]);
}
