// Lion.
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';

export interface LionOptions extends OptimizerOptions {
  /** Share of the mean in the direction, in (0, 1]. */
  beta1?: number;
  /** Decay of the mean of gradients, in [0, 1). */
  beta2?: number;
}

export class Lion extends Optimizer {
  readonly beta1: number;
  readonly beta2: number;

  constructor(options?: LionOptions) {
    const read = new Options<LionOptions>('optimizers.lion', options, [...commonKeys, 'beta1', 'beta2']);
    const hyper = {
      beta1: read.number('beta1', 0.9, { above: 0, max: 1 }),
      beta2: read.number('beta2', 0.99, { min: 0, below: 1 }),
    };
    super('lion', read, { rule: 'lion', slots: ['momentum'], learningRate: 0.001, hyper, presets: ['keras'] });
    ({ beta1: this.beta1, beta2: this.beta2 } = hyper);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), beta1: this.beta1, beta2: this.beta2 };
  }
}

/**
 * Lion: w ← w − rate · sign(β₁m + (1 − β₁)g), m ← β₂m + (1 − β₂)g. Every weight moves by the rate, which is usually a third to a tenth of Adam's,
 * with a weightDecay as much larger.
 *
 * @param options learningRate (0.001), beta1 (0.9), beta2 (0.99), and the common options; preset 'keras'
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.lion({ learningRate: 1e-4, weightDecay: 0.1 });
 * @see Chen et al. 2023, arXiv:2302.06675; https://keras.io/api/optimizers/lion/
 */
export function lion(options?: LionOptions): Lion {
  return new Lion(options);
}
