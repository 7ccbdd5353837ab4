// Reading and writing all weights of a model at one moment.
import { binding, type NumericArray, type Storage } from '../binding/index.js';
import { DownhillError, show } from '../errors.js';
import type { Weight } from '../layers/weight.js';
import { type TensorLike, toSource } from '../tensor/convert.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import { storageOf, Tensor } from '../tensor/tensor.js';

/** Copies as of one moment. */
export function copyWeights(weights: readonly Weight[]): Tensor[] {
  const copies = binding.storagesCopy(weights.map((weight) => storageOf(weight.variable)));
  return copies.map((storage, i) => new Tensor(storage, weights[i].shape, 'float32'));
}

function valuesFor(weight: Weight, index: number, value: TensorLike): NumericArray | Storage {
  const what = `setWeights: item ${index} (${weight.path})`;
  const source = toSource(what, value);
  const agrees = ArrayBuffer.isView(value) ? source.shape[0] === weight.size : sameShape(source.shape, weight.shape);
  if (!agrees)
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `${what} must have shape ${shapeText(weight.shape)}; received ${shapeText(source.shape)}.`,
    );
  if (!source.tensor) return source.values;
  return source.dtype === 'float32' ? storageOf(source.tensor) : source.tensor.dataSync();
}

/** Overwrites all weights at one moment; nothing changes when an item does not fit. */
export function writeWeights(weights: readonly Weight[], values: readonly TensorLike[]): void {
  if (!Array.isArray(values))
    throw new DownhillError('INVALID_ARGUMENT', `setWeights takes a list of arrays; received ${show(values)}.`);
  if (values.length !== weights.length)
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `setWeights: the model has ${weights.length} weights (${weights.map(({ path }) => path).join(', ')}); ` +
        `received ${values.length} arrays.`,
    );
  const data = weights.map((weight, i) => valuesFor(weight, i, values[i]));
  const storages = weights.map((weight) => storageOf(weight.variable));
  binding.storagesWrite(
    storages,
    storages.map(() => 'float32' as const),
    data,
  );
}
