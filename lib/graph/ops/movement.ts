// Ops that move values, and those that make indices or change the dtype.
import type { DType } from '../../binding/native.js';
import { DownhillError } from '../../errors.js';
import { checkCount } from '../../options.js';
import { asTensor } from '../../tensor/make.js';
import { checkDtype, type Shape } from '../../tensor/shape.js';
import { call } from '../call.js';
import type { Binary, Unary, Variadic } from '../signatures.js';
import { SymbolicTensor } from '../symbolic.js';
import type { Value } from '../trace.js';
import { unary } from './elementwise.js';
import { checkAxis } from './reductions.js';

/** Indices and labels: numbers and nested arrays become int32, Tensors stay what they are. */
export function integers(what: string, value: Value): Value {
  return value instanceof SymbolicTensor ? value : asTensor(what, value, 'int32');
}

function list(what: string, values: Shape, min: number): number[] {
  if (!Array.isArray(values))
    throw new DownhillError('INVALID_ARGUMENT', `${what} must be a list of integers; received ${String(values)}.`);
  return values.map((value: unknown) => checkCount(`${what}: each item`, value, { min }));
}

/** x itself, as a value of its own: a gradient with respect to it is not one with respect to x. */
export const identity = unary('identity');
/** x, through which no gradient passes. */
export const stopGradient = unary('stopGradient');

/**
 * The same values in row-major order under another shape; one dimension may be −1.
 *
 * @throws SHAPE_MISMATCH unless the sizes agree
 */
export const reshape = ((x: Value, shape: Shape) =>
  call('reshape', [x], { shape: list('ops.reshape: shape', shape, -1) })) as Unary<[shape: Shape]>;

/** Axes in another order: result axis i is x's axis permutation[i]; reversed by default. */
export const transpose = ((x: Value, permutation?: Shape) =>
  call(
    'transpose',
    [x],
    permutation === undefined
      ? {}
      : { permutation: permutation.map((axis) => checkAxis('ops.transpose: permutation', axis)) },
  )) as Unary<[permutation?: Shape]>;

/** x repeated to `shape`, as NumPy broadcasts. */
export const broadcastTo = ((x: Value, shape: Shape) =>
  call('broadcastTo', [x], { shape: list('ops.broadcastTo: shape', shape, 0) })) as Unary<[shape: Shape]>;

/** The list joined along an axis, by default the first. */
export const concat = ((values: readonly Value[], axis = 0) => {
  if (!Array.isArray(values) || values.length === 0)
    throw new DownhillError('INVALID_ARGUMENT', 'ops.concat needs a list of at least one value.');
  return call('concat', values, { axis: checkAxis('ops.concat', axis) });
}) as Variadic<[axis?: number]>;

/**
 * The block that starts at `begin` (negative: from the end) and has `size`; a size of −1 reaches to the end.
 *
 * @throws OUT_OF_RANGE where the block leaves x
 */
export const slice = ((x: Value, begin: Shape, size: Shape) =>
  call('slice', [x], {
    begin: list('ops.slice: begin', begin, Number.MIN_SAFE_INTEGER),
    size: list('ops.slice: size', size, -1),
  })) as Unary<[begin: Shape, size: Shape]>;

/** x with `before[i]` zeros before and `after[i]` after axis i. */
export const pad = ((x: Value, before: Shape, after: Shape) =>
  call('pad', [x], { before: list('ops.pad: before', before, 0), after: list('ops.pad: after', after, 0) })) as Unary<
  [before: Shape, after: Shape]
>;

/** Slices of x by int32 indices along an axis, by default the first: x[…, indices, …]. Throws OUT_OF_RANGE when run. */
export const gather = ((x: Value, indices: Value, axis = 0) =>
  call('gather', [x, integers('ops.gather: indices', indices)], { axis: checkAxis('ops.gather', axis) })) as Binary<
  [axis?: number]
>;

/** Zeros with `size` entries along an axis, to which updates are added at int32 indices: gather's transpose. */
export const scatterAdd = ((indices: Value, updates: Value, size: number, axis = 0) =>
  call('scatterAdd', [integers('ops.scatterAdd: indices', indices), updates], {
    axis: checkAxis('ops.scatterAdd', axis),
    size: checkCount('ops.scatterAdd: size', size, { min: 0 }),
  })) as Binary<[size: number, axis?: number]>;

/** 1 at the label, 0 elsewhere: labels int32 [...] → float32 [..., depth]. Throws LABEL_OUT_OF_RANGE when run. */
export const oneHot = ((labels: Value, depth: number) =>
  call('oneHot', [integers('ops.oneHot: labels', labels)], { depth: checkCount('ops.oneHot: depth', depth) })) as Unary<
  [depth: number]
>;

/** x in another dtype; float32 to int32 drops the fraction. */
export const cast = ((x: Value, dtype: DType) =>
  call('cast', [x], { dtype: checkDtype('ops.cast: dtype', dtype) })) as Unary<[dtype: DType]>;
