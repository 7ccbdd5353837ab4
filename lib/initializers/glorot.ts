// Glorot's initial values: their variance is 1 / (mean of inputs and outputs).
import { Options } from '../options.js';
import { type FanOptions, fanKeys, Scaled } from './variance-scaling.js';

export class GlorotUniform extends Scaled {
  override readonly name = 'initializers.glorotUniform';
  override readonly scale = 1;
  override readonly mode = 'fanAvg';
  override readonly distribution = 'uniform';

  constructor(options?: FanOptions) {
    super(new Options<FanOptions>('initializers.glorotUniform', options, fanKeys));
  }
}

export class GlorotNormal extends Scaled {
  override readonly name = 'initializers.glorotNormal';
  override readonly scale = 1;
  override readonly mode = 'fanAvg';
  override readonly distribution = 'truncatedNormal';

  constructor(options?: FanOptions) {
    super(new Options<FanOptions>('initializers.glorotNormal', options, fanKeys));
  }
}

/**
 * Uniform in ±√(6 / (inputs + outputs)): the lecture's normalised heuristic, Keras's `GlorotUniform` and its default for kernels.
 *
 * @param options seed, inputAxes, outputAxes
 * @example layers.dense({ units: 64, kernelInitializer: initializers.glorotUniform({ seed: 1 }) });
 * @see Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks
 */
export function glorotUniform(options?: FanOptions): GlorotUniform {
  return new GlorotUniform(options);
}

/**
 * Truncated normal with variance 2 / (inputs + outputs): Keras `GlorotNormal`.
 *
 * @param options seed, inputAxes, outputAxes
 * @example layers.dense({ units: 64, kernelInitializer: initializers.glorotNormal({ seed: 1 }) });
 * @see Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks
 */
export function glorotNormal(options?: FanOptions): GlorotNormal {
  return new GlorotNormal(options);
}
