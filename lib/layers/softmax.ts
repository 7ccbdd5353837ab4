// Softmax as a layer.
import type { Config } from '../config/values.js';
import * as ops from '../graph/ops.js';
import { type Shape, sameShape } from '../tensor/shape.js';
import { axesOf, checkAxes } from './axes.js';
import { masksOf } from './mask.js';
import { type CallContext, type Computed, Layer, type LayerOptions, layerOptions } from './layer.js';

export interface SoftmaxOptions extends LayerOptions {
  /** The axis or axes, of a batch [n, …], over which the result sums to 1; −1 by default. */
  axis?: number | readonly number[];
}

export class Softmax extends Layer {
  override readonly type = 'Softmax';
  override readonly supportsMasking = true;
  readonly #axes: readonly number[];

  constructor(options?: SoftmaxOptions) {
    const read = layerOptions<SoftmaxOptions>('softmax', options, ['axis']);
    super('softmax', read);
    this.#axes = checkAxes(read.what('axis'), read.raw.axis, -1);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), axis: this.#axes.length === 1 ? this.#axes[0] : [...this.#axes] };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (!axesOf(this.#axes, inputShape.length + 1))
      throw this.mismatch(`an input with axis ${this.#axes.join(' and ')}, other than the batch's`, inputShape);
    return inputShape;
  }

  /** A mask with the shape of x leaves out what does not count; one of steps passes. */
  override call(x: Computed, { mask }: CallContext): Computed {
    const [counts] = masksOf(mask);
    if (!counts || !sameShape(counts.shape, x.shape)) return this.#softmax(x);
    return ops.where(counts, this.#softmax(ops.where(counts, x, -1e9)), 0);
  }

  #softmax(x: Computed): Computed {
    const axes = axesOf(this.#axes, x.shape.length)!;
    if (axes.length === 1) return ops.softmax(x, axes[0]);
    const powers = ops.exp(ops.sub(x, ops.stopGradient(ops.max(x, axes, { keepDims: true }))));
    return ops.div(powers, ops.sum(powers, axes, { keepDims: true }));
  }
}

/**
 * Softmax: eˣ/Σ eˣ over `axis`.
 *
 * @param options axis (−1; or a list), activityRegularizer, inputShape, name
 * @throws UNKNOWN_OPTION, INVALID_ARGUMENT, SHAPE_MISMATCH
 * @example
 * layers.softmax({ axis: 1 });
 * @see https://keras.io/api/layers/activation_layers/softmax/
 */
export function softmax(options?: SoftmaxOptions): Softmax {
  return new Softmax(options);
}
