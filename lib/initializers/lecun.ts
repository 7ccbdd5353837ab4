// LeCun's initial values: their variance is 1 / inputs.
import { Options } from '../options.js';
import { type FanOptions, fanKeys, Scaled } from './variance-scaling.js';

export class LecunUniform extends Scaled {
  override readonly name = 'initializers.lecunUniform';
  override readonly scale = 1;
  override readonly mode = 'fanIn';
  override readonly distribution = 'uniform';

  constructor(options?: FanOptions) {
    super(new Options<FanOptions>('initializers.lecunUniform', options, fanKeys));
  }
}

export class LecunNormal extends Scaled {
  override readonly name = 'initializers.lecunNormal';
  override readonly scale = 1;
  override readonly mode = 'fanIn';
  override readonly distribution = 'truncatedNormal';

  constructor(options?: FanOptions) {
    super(new Options<FanOptions>('initializers.lecunNormal', options, fanKeys));
  }
}

/**
 * Uniform in ±√(3 / inputs): Keras `LecunUniform`. The lecture's ±1/√inputs is uniformFanIn.
 *
 * @param options seed, inputAxes, outputAxes
 * @example layers.dense({ units: 64, kernelInitializer: initializers.lecunUniform({ seed: 1 }) });
 * @see LeCun et al. 1998, Efficient BackProp, section 4.6
 */
export function lecunUniform(options?: FanOptions): LecunUniform {
  return new LecunUniform(options);
}

/**
 * Truncated normal with variance 1 / inputs: Keras `LecunNormal`, for selu.
 *
 * @param options seed, inputAxes, outputAxes
 * @example layers.dense({ units: 64, kernelInitializer: initializers.lecunNormal({ seed: 1 }) });
 * @see LeCun et al. 1998, Efficient BackProp, section 4.6; Klambauer et al. 2017, arXiv:1706.02515
 */
export function lecunNormal(options?: FanOptions): LecunNormal {
  return new LecunNormal(options);
}
