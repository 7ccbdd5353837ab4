// Masks: which time steps of a value count. They travel with values, from the layer that makes them to those that use them.
import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { type Shape, sameShape } from '../tensor/shape.js';
import type { OneOrMore } from './output.js';

/** 0 for steps that do not count, [n, steps]; null: all do. */
export type Mask = Result | null;

const masks = new WeakMap<object, Result>();

/** The mask of a value that a layer gave. */
export function maskOf(value: unknown): Mask {
  return (typeof value === 'object' && value !== null && masks.get(value)) || null;
}

/** A value keeps the mask that it has. */
export function setMask(value: Result, mask: Mask | undefined): void {
  if (mask && !masks.has(value)) masks.set(value, mask);
}

/** The same values with this mask. */
export function withMask(value: Result, mask: Mask): Result {
  return mask ? copyWith(value, mask) : value;
}

/** The same values as a value of its own, with this mask or none. */
export function copyWith(value: Result, mask: Mask): Result {
  const copy = ops.identity(value);
  if (mask) masks.set(copy, mask);
  return copy;
}

/** As a list, by input. */
export function masksOf(given: OneOrMore<Mask> | undefined): readonly Mask[] {
  return Array.isArray(given) ? (given as readonly Mask[]) : [(given as Mask | undefined) ?? null];
}

/** Whether any of a step counts: [n, steps, …] → [n, steps]. */
export function ofSteps(mask: Mask): Mask {
  if (!mask || mask.shape.length <= 2) return mask;
  return ops.max(
    mask,
    mask.shape.slice(2).map((_, i) => i + 2),
  );
}

/** The mask with axes of length 1 behind, up to that rank: float32. */
export function spread(mask: Result, rank: number): Result {
  const floats = mask.dtype === 'float32' ? mask : ops.cast(mask, 'float32');
  const missing = rank - mask.shape.length;
  return missing > 0 ? ops.reshape(floats, [...mask.shape, ...Array<number>(missing).fill(1)]) : floats;
}

/** Whether a mask speaks of the first axes of values of this shape. */
export function fits(mask: Result, shape: Shape): boolean {
  return sameShape(mask.shape, shape.slice(0, mask.shape.length));
}

/** Throws UNSUPPORTED for a mask among symbolic values of layers. */
export function noMaskInGraphs(layer: string, mask: OneOrMore<Mask> | undefined): void {
  if (mask === undefined || mask === null) return;
  throw new DownhillError(
    'UNSUPPORTED',
    `"${layer}": values of a graph of layers bring their masks: make them by layers.masking or layers.embedding({ maskZero: true }), not by apply(x, { mask }).`,
  );
}
