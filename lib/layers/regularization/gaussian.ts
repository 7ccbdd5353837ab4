// Normal noise on what passes, while training.
import type { Config } from '../../config/values.js';
import { gaussianDropout as dropoutOp, gaussianNoise as noiseOp } from '../../graph/ops/noise.js';
import { type Computed, layerOptions } from '../layer.js';
import { NoiseLayer, type RandomOptions } from '../random-layer.js';

/** The largest float32 below 1. */
const kMost = 1 - 2 ** -24;

export interface GaussianNoiseOptions extends RandomOptions {
  /** Standard deviation of the noise, at least 0. */
  stddev: number;
}

export interface GaussianDropoutOptions extends RandomOptions {
  /** Fraction whose dropout would have the same variance, in [0, 1). */
  rate: number;
}

export class GaussianNoise extends NoiseLayer {
  override readonly type = 'GaussianNoise';
  readonly stddev: number;

  constructor(options: GaussianNoiseOptions) {
    const read = layerOptions<GaussianNoiseOptions>('gaussianNoise', options, ['stddev', 'seed']);
    super('gaussian_noise', read);
    this.stddev = read.number('stddev', undefined, { min: 0 });
  }

  override getConfig(): Config {
    return { ...super.getConfig(), stddev: this.stddev };
  }

  protected override drawn(x: Computed): Computed {
    if (this.stddev === 0) return x;
    return noiseOp(x, { stddev: this.stddev, key: this.draws.keyFor(x) });
  }
}

/**
 * Gaussian noise: while training, y = x + stddev · z, z standard normal and independent for each element; otherwise the input passes unchanged. Draws depend
 * on the seed and the step alone.
 *
 * @param options stddev at least 0; seed, activityRegularizer, inputShape, name
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE
 * @example
 * layers.gaussianNoise({ stddev: 0.1 });
 * @see Bishop 1995, Training with Noise is Equivalent to Tikhonov Regularization
 */
export function gaussianNoise(options: GaussianNoiseOptions): GaussianNoise {
  return new GaussianNoise(options);
}

export class GaussianDropout extends NoiseLayer {
  override readonly type = 'GaussianDropout';
  readonly rate: number;

  constructor(options: GaussianDropoutOptions) {
    const read = layerOptions<GaussianDropoutOptions>('gaussianDropout', options, ['rate', 'seed']);
    super('gaussian_dropout', read);
    this.rate = read.number('rate', undefined, { min: 0, below: 1 });
  }

  override getConfig(): Config {
    return { ...super.getConfig(), rate: this.rate };
  }

  protected override drawn(x: Computed): Computed {
    if (this.rate === 0) return x;
    return dropoutOp(x, { rate: Math.min(this.rate, kMost), key: this.draws.keyFor(x) });
  }
}

/**
 * Gaussian dropout: while training, y = x · (1 + √(rate / (1 − rate)) · z), z standard normal and independent for each element, so that mean and variance are
 * those of dropout; otherwise the input passes unchanged. Draws depend on the seed and the step alone.
 *
 * @param options rate in [0, 1); seed, activityRegularizer, inputShape, name
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE
 * @example
 * layers.gaussianDropout({ rate: 0.3 });
 * @see Srivastava et al. 2014, Dropout: A Simple Way to Prevent Neural Networks from Overfitting, section 10
 */
export function gaussianDropout(options: GaussianDropoutOptions): GaussianDropout {
  return new GaussianDropout(options);
}
