// Softmax as a layer.
import * as ops from '../../graph/ops.js';
import { sameShape } from '../../tensor/shape.js';
import { AxisLayer } from '../axis-layer.js';
import { masksOf } from '../mask.js';
import { type CallContext, type Computed, type LayerOptions, layerOptions } from '../layer.js';

export interface SoftmaxOptions extends LayerOptions {
  /** The axis or axes, of a batch [n, …], over which the result sums to 1; −1 by default. */
  axis?: number | readonly number[];
}

export class Softmax extends AxisLayer {
  override readonly type = 'Softmax';
  override readonly supportsMasking = true;

  constructor(options?: SoftmaxOptions) {
    const read = layerOptions<SoftmaxOptions>('softmax', options, ['axis']);
    super('softmax', read);
  }

  /** A mask with the shape of x leaves out what does not count; one of steps passes. */
  override call(x: Computed, { mask }: CallContext): Computed {
    const [counts] = masksOf(mask);
    if (!counts || !sameShape(counts.shape, x.shape)) return this.#softmax(x);
    return ops.where(counts, this.#softmax(ops.where(counts, x, -1e9)), 0);
  }

  #softmax(x: Computed): Computed {
    const axes = this.axesIn(x);
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
