// Normalization by the root of the mean square, and to unit length.
import type { Config } from '../../config/values.js';
import * as ops from '../../graph/ops.js';
import { resolveInitializer } from '../../initializers/index.js';
import { type Shape, sameShape } from '../../tensor/shape.js';
import { onAxes } from '../axes.js';
import { AxisLayer } from '../axis-layer.js';
import { areLast, onRows } from './last-axes.js';
import { type Computed, type LayerOptions, layerOptions } from '../layer.js';
import type { Weight } from '../weight.js';

export interface RmsNormalizationOptions extends LayerOptions {
  /** The axis or axes, of a batch [n, …], that the mean is taken over; −1 by default. */
  axis?: number | readonly number[];
  /** Added to the mean square; 1e-6 by default. */
  epsilon?: number;
}

export class RmsNormalization extends AxisLayer {
  override readonly type = 'RMSNormalization';
  readonly epsilon: number;
  #scale!: Weight; // (…axes)

  constructor(options?: RmsNormalizationOptions) {
    const read = layerOptions<RmsNormalizationOptions>('rmsNormalization', options, ['axis', 'epsilon']);
    super('rms_normalization', read);
    this.epsilon = read.number('epsilon', 1e-6, { min: 0 });
  }

  override getConfig(): Config {
    return { ...super.getConfig(), epsilon: this.epsilon };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const shape = this.featureShape(inputShape);
    if (this.built && !sameShape(shape, this.#scale.shape))
      throw this.mismatch(`[${this.#scale.shape.join(', ')}] along the axis, as when it was built`, inputShape);
    return inputShape;
  }

  protected override declareWeights(inputShape: Shape): void {
    this.#scale = this.addWeight('scale', this.featureShape(inputShape), resolveInitializer('scale', 'ones'));
  }

  override call(x: Computed): Computed {
    const axes = this.axesIn(x);
    const { epsilon } = this;
    if (areLast(axes, x.shape.length))
      return onRows(x, axes.length, [this.#scale], (rows, [scale]) => ops.rmsNormalization(rows, { scale, epsilon }));
    const square = ops.mean(ops.square(x), axes, { keepDims: true });
    const normalized = ops.mul(x, ops.rsqrt(ops.add(square, epsilon)));
    return ops.mul(normalized, ops.reshape(this.#scale.variable, onAxes(x.shape, axes)));
  }
}

/**
 * RMS normalization: scale · x/√(mean x² + epsilon), the mean of each example over `axis`.
 *
 * @param options axis (−1; or a list), epsilon (1e-6), activityRegularizer, inputShape, name, trainable
 * @returns a layer that keeps the shape, with the weight scale of the shape of `axis`, 1 at the start
 * @throws UNKNOWN_OPTION, INVALID_ARGUMENT for axes that repeat or name the batch, SHAPE_MISMATCH
 * @example
 * layers.rmsNormalization({ epsilon: 1e-5 });
 * @see Zhang and Sennrich 2019, Root Mean Square Layer Normalization
 */
export function rmsNormalization(options?: RmsNormalizationOptions): RmsNormalization {
  return new RmsNormalization(options);
}
