// Layer normalization: each example by its own statistics.
import * as ops from '../../graph/ops.js';
import { AffineLayer, type AffineOptions, affineOptions } from './affine.js';
import { onAxes } from '../axes.js';
import { areLast, onRows } from './last-axes.js';
import type { Computed } from '../layer.js';
import { momentsOf } from './moments.js';

export interface LayerNormalizationOptions extends AffineOptions {
  /** The axis or axes, of a batch [n, …], that statistics are taken over; −1 by default. */
  axis?: number | readonly number[];
}

export class LayerNormalization extends AffineLayer {
  override readonly type = 'LayerNormalization';
  override readonly supportsMasking = true;

  constructor(options?: LayerNormalizationOptions) {
    super(
      'layer_normalization',
      affineOptions<LayerNormalizationOptions>('layerNormalization', options, ['axis']),
      true,
    );
  }

  override call(x: Computed): Computed {
    const axes = this.axesIn(x);
    const { epsilon } = this;
    if (areLast(axes, x.shape.length))
      return onRows(x, axes.length, [this.gamma, this.beta], (rows, [gamma, beta]) =>
        ops.layerNormalization(rows, { gamma, beta, epsilon }),
      );
    const { variance, centered } = momentsOf(x, axes);
    return this.affine(centered, ops.rsqrt(ops.add(variance, epsilon)), onAxes(x.shape, axes), false);
  }
}

/**
 * Layer normalization: gamma · (x − μ)/√(σ² + epsilon) + beta, with mean μ and variance σ² (divided by n) of each example over `axis`; in training and
 * otherwise the same.
 *
 * @param options axis (−1; or a list), epsilon (1e-3), center and scale (true: beta and gamma), betaInitializer ('zeros'), gammaInitializer ('ones'),
 *   betaRegularizer, gammaRegularizer, betaConstraint, gammaConstraint, activityRegularizer, inputShape, name, trainable
 * @returns a layer that keeps the shape, with weights gamma and beta of the shape of `axis`
 * @throws UNKNOWN_OPTION, INVALID_ARGUMENT for axes that repeat or name the batch, SHAPE_MISMATCH
 * @example
 * layers.layerNormalization({ axis: -1, epsilon: 1e-5 });
 * @see Ba, Kiros and Hinton 2016, Layer Normalization
 */
export function layerNormalization(options?: LayerNormalizationOptions): LayerNormalization {
  return new LayerNormalization(options);
}
