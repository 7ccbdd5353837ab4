// Dot products of two inputs, example by example.
import type { Config } from '../../config/values.js';
import { DownhillError, show } from '../../errors.js';
import { direction } from '../../graph/direction.js';
import * as ops from '../../graph/ops.js';
import type { Shape } from '../../tensor/shape.js';
import { checkAxis } from '../axes.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';

export interface DotOptions extends LayerOptions {
  /** Axis of both inputs over which products are summed, or one of each; counted with that of the batch, which is 0, as in Keras. */
  axes: number | readonly [number, number];
  /** Whether both are divided by their norms along these axes first: cosines; false by default. */
  normalize?: boolean;
}

function checkAxes(what: string, given: unknown): number | [number, number] {
  if (typeof given === 'number') return checkAxis(what, given);
  if (!Array.isArray(given) || given.length !== 2)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be an axis, or a list with one of each input; received ${show(given)}.`,
    );
  return [checkAxis(`${what}[0]`, given[0]), checkAxis(`${what}[1]`, given[1])];
}

/** x [n, …] with an axis of the examples last, and the others as one: [n, others, length]. */
function lined(x: Computed, axis: number): Computed {
  const { shape } = x;
  const others = shape.map((_, i) => i).filter((i) => i !== 0 && i !== axis);
  const turned = axis === shape.length - 1 ? x : ops.transpose(x, [0, ...others, axis]);
  return ops.reshape(turned, [shape[0], others.reduce((size, i) => size * shape[i], 1), shape[axis]]);
}

export class Dot extends Layer {
  override readonly type = 'Dot';
  override readonly severalInputs = true;
  readonly axes: number | readonly [number, number];
  readonly normalize: boolean;

  constructor(options: DotOptions) {
    const read = layerOptions<DotOptions>('dot', options, ['axes', 'normalize']);
    super('dot', read);
    this.axes = checkAxes(read.what('axes'), read.required('axes'));
    this.normalize = read.flag('normalize', false);
  }

  override getConfig(): Config {
    const { axes, normalize } = this;
    return { ...super.getConfig(), axes: typeof axes === 'number' ? axes : [...axes], normalize };
  }

  override computeOutputShape(inputShape: readonly Shape[]): Shape {
    if (inputShape.length !== 2)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `Layer "${this.name}" (Dot) takes exactly 2 inputs; received ${inputShape.length}.`,
      );
    const axes = this.#axesOf(inputShape.map((shape) => shape.length + 1));
    const lengths = axes.map((axis, i) => inputShape[i][axis - 1]);
    if (lengths.includes(undefined as never) || lengths[0] !== lengths[1])
      throw this.mismatch(`inputs of one length along the axes ${show(this.axes)}`, inputShape);
    const rest = inputShape.flatMap((shape, i) => shape.filter((_, at) => at !== axes[i] - 1));
    return rest.length === 0 ? [1] : rest;
  }

  override call([a, b]: readonly Computed[]): Computed {
    const axes = this.#axesOf([a.shape.length, b.shape.length]);
    const [x, y] = [a, b].map((input, i) => (this.normalize ? direction(input, axes[i]) : input));
    if (a.shape.length === 2 && b.shape.length === 2) return ops.sum(ops.mul(x, y), 1, { keepDims: true });
    const product = ops.matmul(lined(x, axes[0]), lined(y, axes[1]), { transposeB: true });
    return ops.reshape(product, [a.shape[0], ...this.computeOutputShape([a.shape.slice(1), b.shape.slice(1)])]);
  }

  /** Counted from 0, that of the batch; −1 where there is no such axis. */
  #axesOf(ranks: readonly number[]): number[] {
    const given = typeof this.axes === 'number' ? [this.axes, this.axes] : this.axes;
    return given.map((axis, i) => {
      const at = axis < 0 ? axis + ranks[i] : axis;
      return at >= 1 && at < ranks[i] ? at : -1;
    });
  }
}

/**
 * Dot products over an axis of two inputs, example by example: [n, k] and [n, k] → [n, 1]; [n, a, k] and [n, b, k] → [n, a, b].
 *
 * @param options axes: one, or one of each input, counted with that of the batch; normalize: cosines, false by default
 * @example
 * const similarity = layers.dot({ axes: 1, normalize: true }).apply([query, item]);
 * @see https://keras.io/api/layers/merging_layers/dot/
 */
export function dot(options: DotOptions): Dot {
  return new Dot(options);
}
