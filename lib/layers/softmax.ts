// Softmax as a layer.
import * as ops from '../graph/ops.js';
import { AxisLayer } from './axis-layer.js';
import { type Computed, type LayerOptions, layerOptions } from './layer.js';

export interface SoftmaxOptions extends LayerOptions {
  /** The axis or axes, of a batch [n, …], over which the result sums to 1; −1 by default. */
  axis?: number | readonly number[];
}

export class Softmax extends AxisLayer {
  override readonly type = 'Softmax';

  constructor(options?: SoftmaxOptions) {
    const read = layerOptions<SoftmaxOptions>('softmax', options, ['axis']);
    super('softmax', read);
  }

  override call(x: Computed): Computed {
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
