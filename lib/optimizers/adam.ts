// Adam.
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';

export interface AdamOptions extends OptimizerOptions {
  /** Decay of the mean of gradients, in [0, 1). */
  beta1?: number;
  /** Decay of the mean of their squares, in [0, 1). */
  beta2?: number;
  /** Added to the root of the mean square, at least 0. */
  epsilon?: number;
}

export class Adam extends Optimizer {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;

  constructor(options?: AdamOptions) {
    const read = new Options<AdamOptions>('optimizers.adam', options, [...commonKeys, 'beta1', 'beta2', 'epsilon']);
    const torch = read.raw.preset === 'torch';
    const hyper = {
      beta1: read.number('beta1', 0.9, { min: 0, below: 1 }),
      beta2: read.number('beta2', 0.999, { min: 0, below: 1 }),
      epsilon: read.number('epsilon', torch ? 1e-8 : 1e-7, { min: 0 }),
    };
    const rule = torch ? 'torchAdam' : 'adam';
    super('adam', read, { rule, slots: ['momentum', 'velocity'], learningRate: 0.001, hyper });
    ({ beta1: this.beta1, beta2: this.beta2, epsilon: this.epsilon } = hyper);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), beta1: this.beta1, beta2: this.beta2, epsilon: this.epsilon };
  }
}

/**
 * Adam: m and v are running means of g and g²; w ← w − rate · √(1 − β₂ᵗ)/(1 − β₁ᵗ) · m/(√v + ε), Keras's form, with ε not corrected
 * for bias. Preset 'torch': w ← w − rate/(1 − β₁ᵗ) · m/(√(v/(1 − β₂ᵗ)) + ε), the paper's algorithm.
 *
 * @param options learningRate (0.001), beta1 (0.9), beta2 (0.999), epsilon (1e-7; torch 1e-8), and the common options
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.adam({ learningRate: 3e-4 });
 * @see Kingma and Ba 2014, arXiv:1412.6980; https://keras.io/api/optimizers/adam/
 */
export function adam(options?: AdamOptions): Adam {
  return new Adam(options);
}
