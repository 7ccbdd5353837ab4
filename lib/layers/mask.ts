// Masks: which time steps of a value count. They travel with values, from the layer that makes them to those that use them.
import { DownhillError, show } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import { type Shape, sameShape, shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { floats } from './floats.js';
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

/** The same values with this mask or none; undefined: with the one that they have. */
export function withMask(value: Result, mask: Mask | undefined): Result {
  return mask === undefined || mask === maskOf(value) ? value : copyWith(value, mask);
}

/** The same values as a value of its own, with this mask or none. */
export function copyWith(value: Result, mask: Mask): Result {
  const copy = ops.identity(value);
  if (mask) masks.set(copy, mask);
  return copy;
}

const handed = Symbol('masks of the layer that a context was made for');

/** What a layer's call is told. Passed on as it is to layers within, its masks hold where they fit, and its null says nothing. */
export function contextOf(training: boolean, mask: OneOrMore<Mask>) {
  return { training, mask, [handed]: mask };
}

/** As a list, by input. */
export function masksOf(given: OneOrMore<Mask> | undefined): readonly Mask[] {
  return Array.isArray(given) ? (given as readonly Mask[]) : [(given as Mask | undefined) ?? null];
}

const isMask = (value: unknown) => value === null || value instanceof SymbolicTensor || value instanceof Tensor;

/**
 * The masks that a call was given, by input; undefined where it leaves that to the input. null alone is for all of them.
 *
 * @throws INVALID_ARGUMENT for what is no mask, SHAPE_MISMATCH for one that does not speak of its input
 */
export function givenMasks(
  what: string,
  context: { readonly mask?: OneOrMore<Mask>; readonly [handed]?: OneOrMore<Mask> },
  inputs: readonly { readonly shape: Shape }[],
): readonly (Mask | undefined)[] {
  const given = context.mask;
  if (given !== undefined && given === context[handed]) {
    const list = masksOf(given);
    return inputs.map(({ shape }, i) => (list[i] && fits(list[i], shape) ? list[i] : undefined));
  }
  if (given === undefined || given === null) return inputs.map(() => given);
  const list = (Array.isArray(given) ? given : [given]) as readonly (Mask | undefined)[];
  if (list.length > inputs.length || list.some((mask) => mask !== undefined && !isMask(mask)))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what}: mask: expected a Tensor [n, steps], null, or a list of one for each of the inputs; received ${show(given)} for ${inputs.length}. Make a Tensor of ` +
        'values: tensor([[1, 1, 0]]).',
    );
  const wrong = list.findIndex((mask, i) => mask && !fits(mask, inputs[i]!.shape));
  if (wrong < 0) return list;
  throw new DownhillError(
    'SHAPE_MISMATCH',
    `${what}: mask: expected the first axes of its input ${shapeText(inputs[wrong]!.shape)}, mostly [n, steps]; received ${shapeText(list[wrong]!.shape)}.`,
  );
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
  const missing = rank - mask.shape.length;
  return missing > 0 ? ops.reshape(floats(mask), [...mask.shape, ...Array<number>(missing).fill(1)]) : floats(mask);
}

/** Whether a mask speaks of the first axes of values of this shape: of the steps, where there are some. */
export function fits(mask: Result, shape: Shape): boolean {
  const rank = mask.shape.length;
  return rank >= Math.min(shape.length - 1, 2) && rank > 0 && sameShape(mask.shape, shape.slice(0, rank));
}

/** Throws UNSUPPORTED for a mask among symbolic values of layers. */
export function noMaskInGraphs(layer: string, { mask }: { readonly mask?: OneOrMore<Mask> }): void {
  if (mask === undefined) return;
  throw new DownhillError(
    'UNSUPPORTED',
    `"${layer}": values of a graph of layers bring their masks: make them by layers.masking or layers.embedding({ maskZero: true }), and end them by layers.lambda((x) => x), not by apply(x, { mask }).`,
  );
}
