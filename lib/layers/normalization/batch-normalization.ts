// Batch normalization, with the moving statistics that inference uses.
import { serialize } from '../../config/registry.js';
import type { Config } from '../../config/values.js';
import * as ops from '../../graph/ops.js';
import { type Initializer, type InitializerLike, resolveInitializer } from '../../initializers/index.js';
import type { Shape } from '../../tensor/shape.js';
import { AffineLayer, type AffineOptions, affineOptions } from './affine.js';
import { onAxes, otherAxes } from '../axes.js';
import type { CallContext, Computed } from '../layer.js';
import { masksOf, spread } from '../mask.js';
import { momentsOf } from './moments.js';
import type { Weight } from '../weight.js';

export interface BatchNormalizationOptions extends AffineOptions {
  /** The axis that keeps its statistics apart, of a batch [n, …]: that of the features or channels; −1 by default. */
  axis?: number;
  /** How much of the moving statistics a step keeps; 0.99 by default. */
  momentum?: number;
  movingMeanInitializer?: InitializerLike;
  movingVarianceInitializer?: InitializerLike;
}

export class BatchNormalization extends AffineLayer {
  override readonly type = 'BatchNormalization';
  override readonly supportsMasking = true;
  readonly momentum: number;
  readonly #initializers: { mean: Initializer; variance: Initializer };
  #movingMean!: Weight; // (features)
  #movingVariance!: Weight; // (features)

  constructor(options?: BatchNormalizationOptions) {
    const read = affineOptions<BatchNormalizationOptions>('batchNormalization', options, [
      'axis',
      'momentum',
      'movingMeanInitializer',
      'movingVarianceInitializer',
    ]);
    super('batch_normalization', read, false);
    this.momentum = read.number('momentum', 0.99, { min: 0, max: 1 });
    const { movingMeanInitializer: mean = 'zeros', movingVarianceInitializer: variance = 'ones' } = read.raw;
    this.#initializers = {
      mean: resolveInitializer(read.what('movingMeanInitializer'), mean),
      variance: resolveInitializer(read.what('movingVarianceInitializer'), variance),
    };
  }

  override getConfig(): Config {
    const { mean, variance } = this.#initializers;
    return {
      ...super.getConfig(),
      momentum: this.momentum,
      movingMeanInitializer: serialize(mean),
      movingVarianceInitializer: serialize(variance),
    };
  }

  protected override declareWeights(inputShape: Shape): void {
    super.declareWeights(inputShape);
    const shape = this.featureShape(inputShape);
    this.#movingMean = this.addState('moving_mean', shape, this.#initializers.mean);
    this.#movingVariance = this.addState('moving_variance', shape, this.#initializers.variance);
  }

  override call(x: Computed, { training, mask }: CallContext): Computed {
    const { shape } = x;
    const axes = this.axesIn(x);
    const wide = onAxes(shape, axes);
    // A layer that is frozen infers, as in Keras.
    if (!training || !this.trainable) {
      const [mean, variance] = [this.#movingMean, this.#movingVariance].map(({ variable }) =>
        ops.reshape(variable, wide),
      );
      return this.#normalized(ops.sub(x, mean), variance, wide);
    }
    const [counts] = masksOf(mask);
    const others = otherAxes(axes, shape.length);
    const { mean, variance, centered } = momentsOf(x, others, counts && spread(counts, shape.length));
    this.#move(this.#movingMean, mean);
    this.#move(this.#movingVariance, variance);
    return this.#normalized(centered, variance, wide);
  }

  #normalized(centered: Computed, variance: Computed, wide: Shape): Computed {
    return this.affine(centered, ops.rsqrt(ops.add(variance, this.epsilon)), wide, true);
  }

  /** moving ← momentum · moving + (1 − momentum) · value */
  #move({ variable, shape }: Weight, value: Computed): void {
    const kept = ops.mul(variable, this.momentum);
    variable.assign(ops.add(kept, ops.mul(ops.reshape(value, shape), 1 - this.momentum)));
  }
}

/**
 * Batch normalization: gamma · (x − μ)/√(σ² + epsilon) + beta for each feature. In training μ and σ² are mean and variance (divided by n) over the batch
 * and all other axes, and the moving statistics become momentum · moving + (1 − momentum) · those of the batch; otherwise, and while `trainable` is false,
 * μ and σ² are the moving statistics.
 *
 * @param options axis (−1), momentum (0.99), epsilon (1e-3), center and scale (true: beta and gamma), betaInitializer ('zeros'), gammaInitializer
 *   ('ones'), movingMeanInitializer ('zeros'), movingVarianceInitializer ('ones'), betaRegularizer, gammaRegularizer, betaConstraint, gammaConstraint,
 *   activityRegularizer, inputShape, name, trainable
 * @returns a layer that keeps the shape, with weights gamma, beta, moving_mean and moving_variance (features); the last two get no gradient
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE, SHAPE_MISMATCH for inputs without that axis
 * @example
 * layers.batchNormalization({ momentum: 0.9 });
 * @see Ioffe and Szegedy 2015, Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift
 */
export function batchNormalization(options?: BatchNormalizationOptions): BatchNormalization {
  return new BatchNormalization(options);
}
