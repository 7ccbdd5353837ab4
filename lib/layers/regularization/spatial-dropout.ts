// Dropout of whole channels, and the one that keeps mean and variance of selu's outputs.
import type { Config } from '../../config/values.js';
import * as ops from '../../graph/ops.js';
import { dropout } from '../../graph/ops/noise.js';
import type { Options } from '../../options.js';
import type { Shape } from '../../tensor/shape.js';
import { type Computed, layerOptions } from '../layer.js';
import { NoiseLayer, type RandomOptions } from '../random-layer.js';

export interface SpatialDropout1dOptions extends RandomOptions {
  /** Fraction that is dropped, in [0, 1]. */
  rate: number;
}

export interface SpatialDropout2dOptions extends SpatialDropout1dOptions {
  /** Whether channels are the last axis, the default, or the first of an example. */
  dataFormat?: 'channelsLast' | 'channelsFirst';
}

export type AlphaDropoutOptions = SpatialDropout1dOptions;

/** Base of layers that draw masks of a shape of their own. */
abstract class Masked extends NoiseLayer {
  readonly rate: number;

  constructor(kind: string, read: Options<SpatialDropout1dOptions>) {
    super(kind, read as Options<RandomOptions>);
    this.rate = read.number('rate', undefined, { min: 0, max: 1 });
  }

  override getConfig(): Config {
    return { ...super.getConfig(), rate: this.rate };
  }

  /** 1/(1 − rate) where values are kept, 0 elsewhere; rate below 1. */
  protected mask(x: Computed, shape: Shape): Computed {
    return dropout(ops.broadcastTo(1, shape) as Computed, { rate: this.rate, key: this.draws.keyFor(x) });
  }
}

abstract class SpatialDropout extends Masked {
  /** Axes of an example that share a decision. */
  protected abstract shared(): readonly number[];

  override computeOutputShape(inputShape: Shape): Shape {
    const rank = this.shared().length + 1;
    if (inputShape.length !== rank) throw this.mismatch(`examples with ${rank} axes`, inputShape);
    return inputShape;
  }

  protected override drawn(x: Computed): Computed {
    if (this.rate === 0) return x;
    if (this.rate === 1) return ops.mul(x, 0);
    const shared = this.shared();
    const shape = x.shape.map((dim, axis) => (shared.includes(axis) ? 1 : dim));
    return ops.mul(x, this.mask(x, shape));
  }
}

export class SpatialDropout1d extends SpatialDropout {
  override readonly type = 'SpatialDropout1D';

  constructor(options: SpatialDropout1dOptions) {
    super('spatial_dropout1d', layerOptions<SpatialDropout1dOptions>('spatialDropout1d', options, ['rate', 'seed']));
  }

  protected override shared(): readonly number[] {
    return [1];
  }
}

/**
 * Dropout of whole channels of sequences [n, steps, channels]: while training, each channel of an example becomes 0 with probability `rate`, and the
 * others are divided by 1 − rate.
 *
 * @param options rate in [0, 1]; seed, activityRegularizer, inputShape, name
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE, SHAPE_MISMATCH
 * @example
 * layers.spatialDropout1d({ rate: 0.2 });
 * @see Tompson et al. 2015, Efficient Object Localization Using Convolutional Networks
 */
export function spatialDropout1d(options: SpatialDropout1dOptions): SpatialDropout1d {
  return new SpatialDropout1d(options);
}

export class SpatialDropout2d extends SpatialDropout {
  override readonly type = 'SpatialDropout2D';
  readonly dataFormat: 'channelsLast' | 'channelsFirst';

  constructor(options: SpatialDropout2dOptions) {
    const keys = ['rate', 'seed', 'dataFormat'] as const;
    const read = layerOptions<SpatialDropout2dOptions>('spatialDropout2d', options, keys);
    super('spatial_dropout2d', read);
    this.dataFormat = read.oneOf('dataFormat', ['channelsLast', 'channelsFirst'] as const, 'channelsLast');
  }

  override getConfig(): Config {
    return { ...super.getConfig(), dataFormat: this.dataFormat };
  }

  protected override shared(): readonly number[] {
    return this.dataFormat === 'channelsLast' ? [1, 2] : [2, 3];
  }
}

/**
 * Dropout of whole channels of images [n, height, width, channels]: while training, each channel of an example becomes 0 with probability `rate`, and the
 * others are divided by 1 − rate.
 *
 * @param options rate in [0, 1]; dataFormat ('channelsLast'), seed, activityRegularizer, inputShape, name
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE, SHAPE_MISMATCH
 * @example
 * layers.spatialDropout2d({ rate: 0.2 });
 * @see Tompson et al. 2015, Efficient Object Localization Using Convolutional Networks
 */
export function spatialDropout2d(options: SpatialDropout2dOptions): SpatialDropout2d {
  return new SpatialDropout2d(options);
}

/** Where selu goes for x → −∞: −scale · alpha (Klambauer et al. 2017). */
const kFloor = -1.7580993408473766;

export class AlphaDropout extends Masked {
  override readonly type = 'AlphaDropout';

  constructor(options: AlphaDropoutOptions) {
    super('alpha_dropout', layerOptions<AlphaDropoutOptions>('alphaDropout', options, ['rate', 'seed']));
  }

  protected override drawn(x: Computed): Computed {
    const { rate } = this;
    if (rate === 0) return x;
    if (rate === 1) return ops.mul(x, 0);
    const kept = ops.greater(this.mask(x, x.shape), 0);
    const scale = 1 / Math.sqrt((1 - rate) * (1 + rate * kFloor ** 2));
    return ops.add(ops.mul(ops.where(kept, x, kFloor), scale), -scale * kFloor * rate);
  }
}

/**
 * Alpha dropout: while training, each element becomes −1.7581, the limit of selu, with probability `rate`; then all become a · x + b, so that values of mean 0
 * and variance 1 keep them. For networks of selu with lecunNormal kernels.
 *
 * @param options rate in [0, 1]; seed, activityRegularizer, inputShape, name
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE
 * @example
 * layers.alphaDropout({ rate: 0.1 });
 * @see Klambauer et al. 2017, Self-Normalizing Neural Networks
 */
export function alphaDropout(options: AlphaDropoutOptions): AlphaDropout {
  return new AlphaDropout(options);
}
