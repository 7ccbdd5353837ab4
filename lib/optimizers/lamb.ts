// LAMB.
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';

export interface LambOptions extends OptimizerOptions {
  /** Decay of the mean of gradients, in [0, 1). */
  beta1?: number;
  /** Decay of the mean of their squares, in [0, 1). */
  beta2?: number;
  /** Added to the root of the mean square, at least 0. */
  epsilon?: number;
}

export class Lamb extends Optimizer {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;

  constructor(options?: LambOptions) {
    const read = new Options<LambOptions>('optimizers.lamb', options, [...commonKeys, 'beta1', 'beta2', 'epsilon']);
    const torch = read.raw.preset === 'torch';
    const hyper = {
      beta1: read.number('beta1', 0.9, { min: 0, below: 1 }),
      beta2: read.number('beta2', 0.999, { min: 0, below: 1 }),
      epsilon: read.number('epsilon', torch ? 1e-6 : 1e-7, { min: 0 }),
    };
    const rule = torch ? 'decayedLamb' : 'lamb';
    super('lamb', read, {
      rule,
      slots: ['momentum', 'velocity'],
      learningRate: 0.001,
      hyper,
      presets: ['keras', 'torch'],
    });
    ({ beta1: this.beta1, beta2: this.beta2, epsilon: this.epsilon } = hyper);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), beta1: this.beta1, beta2: this.beta2, epsilon: this.epsilon };
  }
}

/**
 * LAMB, for large batches: Adam's step u = m̂/(√v̂ + ε), both corrected for bias, as long as each variable is: w ← w − rate · ‖w‖/‖u‖ · u; the
 * ratio is 1 where a norm is 0. Keras's form, in which weightDecay is decoupled: w ← w − rate · decay · w before. Preset 'torch', as the paper and
 * NVIDIA's FusedLAMB (PyTorch itself has none): the decay is part of the step, u = m̂/(√v̂ + ε) + decay · w. Norms are those of whole variables;
 * to leave biases out of decay: groups: [{ match: /bias/, weightDecay: 0 }].
 *
 * @param options learningRate (0.001), beta1 (0.9), beta2 (0.999), epsilon (1e-7; torch 1e-6), and the common options
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.lamb({ learningRate: 0.002, weightDecay: 0.01, preset: 'torch' });
 * @see You et al. 2020, arXiv:1904.00962, algorithm 2; https://keras.io/api/optimizers/lamb/
 */
export function lamb(options?: LambOptions): Lamb {
  return new Lamb(options);
}
