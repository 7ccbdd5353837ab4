// Tensors made of JavaScript values.
import { binding, type DType, type Storage } from '../binding/index.js';
import { checkShape } from '../options.js';
import { checkCountOfValues, checkFits, type Source, type TensorLike, toSource } from './convert.js';
import { checkDtype, checkRank, type Shape } from './shape.js';
import { storageOf, Tensor } from './tensor.js';

/** A new storage with a copy of the values, converted to `dtype`. */
export function copyOf(what: string, source: Source, dtype: DType): Storage {
  if (source.tensor && source.dtype === dtype) return binding.storagesCopy([storageOf(source.tensor)])[0];
  const values = source.tensor ? source.tensor.dataSync() : source.values;
  checkFits(what, values, dtype);
  return binding.storageFrom(values, dtype);
}

/**
 * A Tensor of the given values, which are copied.
 *
 * @param values a number, nested arrays, a typed array (subarrays too) or another Tensor
 * @param shape by default that of the values: the nesting of arrays, [length] of a typed array
 * @param dtype 'float32' or 'int32'; by default 'int32' for signed integer arrays and Uint16Array, else 'float32'
 * @throws SHAPE_MISMATCH for ragged nesting or a count that does not fill the shape, DTYPE_MISMATCH, INVALID_ARGUMENT
 * @example
 * tensor([[1, 2], [3, 4]]);
 * tensor(new Float32Array(6), [2, 3]);
 * tensor([0, 2, 1], [3], 'int32');
 */
export function tensor(values: TensorLike, shape?: Shape, dtype?: DType): Tensor {
  const made = build('tensor', values, shape, dtype);
  return new Tensor(made.storage, made.shape, made.dtype);
}

/** What tensor() and variable() share. */
export function build(
  where: string,
  values: unknown,
  shape: Shape | undefined,
  dtype: DType | undefined,
): { storage: Storage; shape: Shape; dtype: DType } {
  const type = dtype === undefined ? undefined : checkDtype(`${where}: dtype`, dtype);
  const wanted = shape === undefined ? undefined : checkShape(`${where}: shape`, shape);
  if (wanted) checkRank(`${where}: shape`, wanted.length);
  const source = toSource(`${where}: values`, values);
  const count = source.values ? source.values.length : source.tensor.size;
  const finalShape = wanted ?? source.shape;
  checkCountOfValues(`${where}: values`, count, finalShape);
  const finalType = type ?? source.dtype;
  return { storage: copyOf(`${where}: values`, source, finalType), shape: finalShape, dtype: finalType };
}

/** As a Tensor: itself when it is one, else a copy of the values, of `dtype` where given. */
export function asTensor(what: string, value: unknown, dtype?: DType): Tensor {
  if (value instanceof Tensor) return value;
  const source = toSource(what, value);
  const type = dtype ?? source.dtype;
  return new Tensor(copyOf(what, source, type), source.shape, type);
}
