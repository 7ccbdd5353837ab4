// He's initial values, for units that are 0 half the time: their variance is 2 / inputs.
import { Options } from '../options.js';
import { type FanOptions, fanKeys, Scaled } from './variance-scaling.js';

export class HeUniform extends Scaled {
  override readonly name = 'initializers.heUniform';
  override readonly scale = 2;
  override readonly mode = 'fanIn';
  override readonly distribution = 'uniform';

  constructor(options?: FanOptions) {
    super(new Options<FanOptions>('initializers.heUniform', options, fanKeys));
  }
}

export class HeNormal extends Scaled {
  override readonly name = 'initializers.heNormal';
  override readonly scale = 2;
  override readonly mode = 'fanIn';
  override readonly distribution = 'truncatedNormal';

  constructor(options?: FanOptions) {
    super(new Options<FanOptions>('initializers.heNormal', options, fanKeys));
  }
}

/**
 * Uniform in ±√(6 / inputs): Keras `HeUniform`, PyTorch's `kaiming_uniform_` for ReLU.
 *
 * @param options seed, inputAxes, outputAxes
 * @example layers.dense({ units: 64, kernelInitializer: initializers.heUniform({ seed: 1 }) });
 * @see He et al. 2015, arXiv:1502.01852
 */
export function heUniform(options?: FanOptions): HeUniform {
  return new HeUniform(options);
}

/**
 * Truncated normal with variance 2 / inputs: Keras `HeNormal`. PyTorch's `kaiming_normal_` does not truncate: varianceScaling({ scale: 2, distribution: 'untruncatedNormal' }).
 *
 * @param options seed, inputAxes, outputAxes
 * @example layers.dense({ units: 64, kernelInitializer: initializers.heNormal({ seed: 1 }) });
 * @see He et al. 2015, arXiv:1502.01852
 */
export function heNormal(options?: FanOptions): HeNormal {
  return new HeNormal(options);
}
