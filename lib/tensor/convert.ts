// What a user gives as data - numbers, nested arrays, typed arrays, Tensors - as row-major values with a shape.
import type { DType, NumericArray } from '../binding/native.js';
import { DownhillError, show } from '../errors.js';
import { checkRank, type Shape, shapeText, sizeOf } from './shape.js';
import { Tensor } from './tensor.js';

/** Typed arrays that are taken as data. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

/** Numbers in arrays of arrays, all of one length on each level; the innermost may be typed arrays. */
export type NestedArray = readonly (number | TypedArray | NestedArray)[];

/** What an object without values says of that in messages. */
export const kNoValues = Symbol('why it has no values');

/** Whatever can be made a Tensor. */
export type TensorLike = Tensor | TypedArray | NestedArray | number;

/** Data taken from a user: a Tensor, or values that are still in JavaScript. */
export type Source =
  | { readonly tensor: Tensor; readonly values: null; readonly shape: Shape; readonly dtype: DType }
  | { readonly tensor: null; readonly values: NumericArray; readonly shape: Shape; readonly dtype: DType };

function isTypedArray(value: unknown): value is TypedArray | BigInt64Array | BigUint64Array {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/** The element types that the addon reads; the others are widened. A Float64Array or Uint8Array stays what it is. */
function readable(what: string, values: TypedArray | BigInt64Array | BigUint64Array): NumericArray {
  if (
    values instanceof Float32Array ||
    values instanceof Int32Array ||
    values instanceof Uint8Array ||
    values instanceof Float64Array
  )
    return values;
  if (values instanceof Int8Array || values instanceof Int16Array || values instanceof Uint16Array)
    return Int32Array.from(values);
  if (values instanceof Uint8ClampedArray) return new Uint8Array(values.buffer, values.byteOffset, values.length);
  if (values instanceof Uint32Array) return Float64Array.from(values);
  throw new DownhillError(
    'DTYPE_MISMATCH',
    `${what} must hold numbers; received ${show(values)}. Convert it first, e.g. with Int32Array.from(values, Number).`,
  );
}

/** dtype of a tensor made of such values: that of the array where it exists, else float32. */
function naturalDtype(values: TypedArray | BigInt64Array | BigUint64Array): DType {
  return values instanceof Int32Array ||
    values instanceof Int8Array ||
    values instanceof Int16Array ||
    values instanceof Uint16Array
    ? 'int32'
    : 'float32';
}

function isList(value: unknown): value is readonly unknown[] | TypedArray {
  return Array.isArray(value) || isTypedArray(value);
}

function place(path: readonly number[]): string {
  return path.length ? ` at [${path.join('][')}]` : '';
}

/** Fills `out` from nested lists; every list at depth d must have shape[d] items. */
function flatten(what: string, list: readonly unknown[] | TypedArray, shape: Shape): Float64Array {
  const out = new Float64Array(sizeOf(shape));
  let next = 0;
  const path: number[] = [];
  const visit = (items: readonly unknown[] | TypedArray, depth: number): void => {
    if (items.length !== shape[depth])
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `${what} is ragged: expected ${shape[depth]} items${place(path)} as in the first row, received ${items.length}.`,
      );
    const last = depth === shape.length - 1;
    if (last && isTypedArray(items)) {
      out.set(readable(what, items), next);
      next += items.length;
      return;
    }
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      if (last && typeof item === 'number') {
        out[next++] = item;
        continue;
      }
      path.push(i);
      if (!last && isList(item)) visit(item, depth + 1);
      else
        throw new DownhillError(
          isList(item) || typeof item === 'number' ? 'SHAPE_MISMATCH' : 'INVALID_ARGUMENT',
          isList(item) || typeof item === 'number'
            ? `${what} is ragged: expected ${last ? 'a number' : `a list of ${shape[depth + 1]}`}${place(path)}, received ${show(item)}.`
            : `${what} must hold numbers; received ${show(item)}${place(path)}.`,
        );
      path.pop();
    }
  };
  visit(list, 0);
  return out;
}

function shapeOfNested(what: string, list: readonly unknown[]): number[] {
  const shape: number[] = [];
  for (let item: unknown = list; isList(item); item = item[0]) {
    shape.push(item.length);
    checkRank(what, shape.length);
    if (item.length === 0) break;
  }
  return shape;
}

/**
 * Takes data in any accepted form. Typed arrays (subarrays too) have shape [length] and are not copied; nested arrays get
 * the shape of their nesting. `what` names the data in messages.
 */
export function toSource(what: string, value: unknown): Source {
  if (value instanceof Tensor) return { tensor: value, values: null, shape: value.shape, dtype: value.dtype };
  if (typeof value === 'number') return { tensor: null, values: Float64Array.of(value), shape: [], dtype: 'float32' };
  if (isTypedArray(value))
    return { tensor: null, values: readable(what, value), shape: [value.length], dtype: naturalDtype(value) };
  if (Array.isArray(value)) {
    const shape = shapeOfNested(what, value);
    return { tensor: null, values: flatten(what, value, shape), shape, dtype: 'float32' };
  }
  const reason =
    typeof value === 'object' && value !== null && kNoValues in value ? ` ${String(value[kNoValues])}` : '';
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${what} must be a Tensor, a typed array, a nested array of numbers or a number; received ${show(value)}.${reason}`,
  );
}

/** Throws where values cannot be int32 without loss; other dtypes take anything. */
export function checkFits(what: string, values: NumericArray, dtype: DType): void {
  if (dtype !== 'int32' || values instanceof Int32Array || values instanceof Uint8Array) return;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value !== Math.trunc(value) || value < -2147483648 || value > 2147483647)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${what} must hold integers between -2147483648 and 2147483647 for dtype int32; received ${value} at element ${i}.`,
      );
  }
}

/** Throws SHAPE_MISMATCH unless `count` values fill `shape`. */
export function checkCountOfValues(what: string, count: number, shape: Shape): void {
  if (count !== sizeOf(shape))
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `${what}: shape ${shapeText(shape)} needs ${sizeOf(shape)} values; received ${count}.`,
    );
}

/** Row-major values as arrays of arrays; a scalar as a number. */
export type ArrayOf = number | ArrayOf[];
