// Convolutions and pooling of images [n, height, width, channels].
import { DownhillError, show } from '../../errors.js';
import { checkCount, Options } from '../../options.js';
import type { TensorLike } from '../../tensor/convert.js';
import type { Tensor } from '../../tensor/tensor.js';
import { call } from '../call.js';
import type { Binary, Result, Unary } from '../signatures.js';
import type { SymbolicTensor } from '../symbolic.js';
import type { Value } from '../trace.js';
import { shaped } from './reductions.js';

/** One number for height and width, or [height, width]. */
export type Pair = number | readonly [height: number, width: number];

/**
 * 'valid': windows lie inside the image; 'same': as many outputs as inputs divided by the strides (rounded up), with zeros around as in
 * TensorFlow and Keras, where an odd one comes last; or how many there are, [[top, bottom], [left, right]].
 */
export type Padding = 'valid' | 'same' | readonly [readonly [number, number], readonly [number, number]];

export interface ConvOptions {
  /** Steps of the window; 1 by default. */
  strides?: Pair;
  /** 'valid' by default. */
  padding?: Padding;
  /** Steps between the taps of the kernel; 1 by default. */
  dilation?: Pair;
  /** Channels and filters are cut into so many groups, each convolved by itself; 1 by default. */
  groups?: number;
}

export interface ConvTransposeOptions extends ConvOptions {
  /** Height and width of the result; by default input · strides, and with 'valid' what the kernel has beyond the strides more. */
  size?: Pair;
}

export interface PoolOptions {
  /** Size of the windows; 2 by default. */
  poolSize?: Pair;
  /** Their steps; poolSize by default. */
  strides?: Pair;
  /** 'valid' by default. Padding is never the largest, and is not counted in an average. */
  padding?: Padding;
}

/** [height, width] of a pair of integers of at least `min`. */
export function checkPair(what: string, value: unknown, min = 1): [number, number] {
  if (typeof value === 'number') return [checkCount(what, value, { min }), value];
  if (!Array.isArray(value) || value.length !== 2)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be an integer, or two for height and width; received ${show(value)}.`,
    );
  return [checkCount(`${what}[0]`, value[0], { min }), checkCount(`${what}[1]`, value[1], { min })];
}

/** As the ops' attribute: top, bottom, left, right, or -1. */
function checkPadding(what: string, value: unknown): number[] {
  if (value === 'same') return [-1];
  if (value === 'valid') return [0, 0, 0, 0];
  const pairs = Array.isArray(value) && value.length === 2 && value.every(Array.isArray) ? value : undefined;
  if (!pairs)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be "valid", "same" or [[top, bottom], [left, right]]; received ${show(value)}.`,
    );
  return pairs.flatMap((pair, i) => checkPair(`${what}[${i}]`, pair, 0));
}

const convKeys = ['strides', 'padding', 'dilation', 'groups'] as const;

function convAttributes(where: string, read: Options<ConvTransposeOptions>) {
  const { strides = 1, padding = 'valid', dilation = 1 } = read.raw;
  return {
    strides: checkPair(`${where}: strides`, strides),
    padding: checkPadding(`${where}: padding`, padding),
    dilation: checkPair(`${where}: dilation`, dilation),
    groups: read.count('groups', 1),
  };
}

/**
 * Convolution (more exactly: cross-correlation) of images x [n, height, width, channels] with a kernel w [height, width, channels / groups,
 * filters]: y[n, i, j, f] = Σ x[n, i·s + k·d − top, j·s + l·d − left, c] · w[k, l, c, f].
 *
 * @param options strides (1), padding ('valid'), dilation (1), groups (1)
 * @returns [n, height', width', filters]; height' is ⌈height / s⌉ with 'same', else ⌊(height + top + bottom − (k − 1)·d − 1) / s⌋ + 1
 * @throws SHAPE_MISMATCH where channels do not fit, or the kernel not into the image
 * @example ops.conv2d(x, w, { strides: 2, padding: 'same' });
 */
export const conv2d = ((x: Value, w: Value, options?: ConvOptions) => {
  const where = 'ops.conv2d';
  return call('conv2d', [x, w], convAttributes(where, new Options<ConvOptions>(where, options, [...convKeys])));
}) as Binary<[options?: ConvOptions]>;

/** Keras's size of a transposed convolution. */
function transposedSize(input: number, kernel: number, stride: number, dilation: number, padding: number[]): number {
  if (padding[0] === -1) return input * stride;
  return input * stride + Math.max((kernel - 1) * dilation + 1 - stride, 0);
}

/**
 * The transpose of conv2d, which is its gradient: from x [n, height', width', filters] and a kernel w [height, width, channels / groups,
 * filters] to the images [n, height, width, channels] that conv2d with these options takes to the shape of x.
 *
 * @param options those of conv2d, and size
 * @throws SHAPE_MISMATCH unless conv2d gives x's height and width for images of that size
 * @example ops.conv2dTranspose(x, w, { strides: 2, padding: 'same' }); // twice as high and wide
 */
export const conv2dTranspose = ((x: Value, w: Value, options?: ConvTransposeOptions) => {
  const where = 'ops.conv2dTranspose';
  const read = new Options<ConvTransposeOptions>(where, options, [...convKeys, 'size']);
  const attributes = convAttributes(where, read);
  const { strides, dilation, padding } = attributes;
  const [image, kernel] = [shaped(where, x), shaped(where, w)];
  const defaults = [0, 1].map((i) => {
    const added = padding[0] === -1 ? 0 : padding[2 * i]! + padding[2 * i + 1]!;
    return transposedSize(image.shape[i + 1] ?? 1, kernel.shape[i] ?? 1, strides[i]!, dilation[i]!, padding) - added;
  }) as [number, number];
  const size = checkPair(`${where}: size`, read.raw.size ?? defaults);
  return call('conv2dTranspose', [image, kernel], { ...attributes, size });
}) as Binary<[options?: ConvTransposeOptions]>;

interface Pool {
  (x: TensorLike, options?: PoolOptions): Tensor;
  (x: SymbolicTensor, options?: PoolOptions): SymbolicTensor;
  (x: Value, options?: PoolOptions): Result;
}

function pool(op: string): Pool & Unary<[options?: PoolOptions]> {
  const where = `ops.${op}`;
  return ((x: Value, options?: PoolOptions) => {
    const read = new Options<PoolOptions>(where, options, ['poolSize', 'strides', 'padding']);
    const poolSize = checkPair(`${where}: poolSize`, read.raw.poolSize ?? 2);
    return call(op, [x], {
      poolSize,
      strides: checkPair(`${where}: strides`, read.raw.strides ?? poolSize),
      padding: checkPadding(`${where}: padding`, read.raw.padding ?? 'valid'),
    });
  }) as Pool & Unary<[options?: PoolOptions]>;
}

/**
 * The largest element of each window of images [n, height, width, channels], NaN above all; the gradient goes to the first of equal ones, as in
 * TensorFlow and PyTorch.
 *
 * @param options poolSize (2), strides (poolSize), padding ('valid')
 */
export const maxPool2d = pool('maxPool2d');
/**
 * The mean of each window of images [n, height, width, channels], over what lies inside the image.
 *
 * @param options poolSize (2), strides (poolSize), padding ('valid')
 */
export const averagePool2d = pool('averagePool2d');
