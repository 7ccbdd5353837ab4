// Small helpers for shapes and dtypes.
import type { DType } from '../binding/native.js';
import { DownhillError, show } from '../errors.js';

export type Shape = readonly number[];

export const dtypes: readonly DType[] = ['float32', 'int32'];

/** Dimensions that a tensor can have, as in native/core/shape.h. */
export const maxRank = 8;

/** Throws INVALID_ARGUMENT for more dimensions than a tensor can have. */
export function checkRank(what: string, rank: number): void {
  if (rank > maxRank)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what}: tensors have at most ${maxRank} dimensions; received ${rank}.`,
    );
}

/** Bytes of an element, of every dtype; as size_of in native/core/dtype.h. */
export const elementBytes = 4;

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

/** "[2, 3]", as shapes stand in messages. */
export function shapeText(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Throws DTYPE_MISMATCH for anything but a dtype that exists, saying which do. */
export function checkDtype(what: string, value: unknown): DType {
  if (dtypes.includes(value as DType)) return value as DType;
  throw new DownhillError(
    'DTYPE_MISMATCH',
    `${what} must be one of ${dtypes.map((name) => `"${name}"`).join(', ')}; received ${show(value)}.`,
  );
}
