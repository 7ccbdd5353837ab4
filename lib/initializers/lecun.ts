// LeCun's initial values: their variance is 1 / inputs.
import { Options } from '../options.js';
import type { SeedOptions } from './initializer.js';
import { Scaled } from './variance-scaling.js';

export class LecunUniform extends Scaled {
  override readonly name = 'initializers.lecunUniform';
  override readonly scale = 1;
  override readonly mode = 'fanIn';
  override readonly distribution = 'uniform';

  constructor(options?: SeedOptions) {
    super(new Options<SeedOptions>('initializers.lecunUniform', options, ['seed']));
  }
}

export class LecunNormal extends Scaled {
  override readonly name = 'initializers.lecunNormal';
  override readonly scale = 1;
  override readonly mode = 'fanIn';
  override readonly distribution = 'truncatedNormal';

  constructor(options?: SeedOptions) {
    super(new Options<SeedOptions>('initializers.lecunNormal', options, ['seed']));
  }
}

/**
 * Uniform in ±√(3 / inputs): Keras `LecunUniform`. The lecture's ±1/√inputs is uniformFanIn.
 *
 * @example layers.dense({ units: 64, kernelInitializer: initializers.lecunUniform({ seed: 1 }) });
 * @see LeCun et al. 1998, Efficient BackProp, section 4.6
 */
export function lecunUniform(options?: SeedOptions): LecunUniform {
  return new LecunUniform(options);
}

/**
 * Truncated normal with variance 1 / inputs: Keras `LecunNormal`, for selu.
 *
 * @example layers.dense({ units: 64, kernelInitializer: initializers.lecunNormal({ seed: 1 }) });
 * @see LeCun et al. 1998, Efficient BackProp, section 4.6; Klambauer et al. 2017, arXiv:1706.02515
 */
export function lecunNormal(options?: SeedOptions): LecunNormal {
  return new LecunNormal(options);
}
