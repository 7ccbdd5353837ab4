// Adamax.
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';
import { presetOf } from './presets.js';

export interface AdamaxOptions extends OptimizerOptions {
  /** Decay of the mean of gradients, in [0, 1). */
  beta1?: number;
  /** Decay of the largest gradient, in [0, 1). */
  beta2?: number;
  /** Keeps the divisor from 0, at least 0. */
  epsilon?: number;
}

const defaults = {
  keras: { learningRate: 0.001, epsilon: 1e-7 },
  torch: { learningRate: 0.002, epsilon: 1e-8 },
  book: { learningRate: 0.002, epsilon: 1e-7 },
};

export class Adamax extends Optimizer {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;

  constructor(options?: AdamaxOptions) {
    const keys = [...commonKeys, 'beta1', 'beta2', 'epsilon'] as const;
    const read = new Options<AdamaxOptions>('optimizers.adamax', options, keys);
    const preset = presetOf(read);
    const torch = preset === 'torch';
    const beta1 = read.number('beta1', 0.9, { min: 0, below: 1 });
    const beta2 = read.number('beta2', 0.999, { min: 0, below: 1 });
    const epsilon = read.number('epsilon', defaults[preset].epsilon, { min: 0 });
    super('adamax', read, {
      rule: 'adamax',
      slots: ['momentum', 'norm'],
      learningRate: defaults[preset].learningRate,
      hyper: { beta1, beta2, epsilon: torch ? 0 : epsilon, innerEpsilon: torch ? epsilon : 0 },
    });
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
  }

  override getConfig(): Config {
    const { beta1, beta2, epsilon } = this;
    return { ...super.getConfig(), beta1, beta2, epsilon };
  }
}

/**
 * Adamax, Adam with the largest gradient in place of the mean square: m ← β₁m + (1 − β₁)g, u ← max(β₂u, |g|),
 * w ← w − rate/(1 − β₁ᵗ) · m/(u + ε). Preset 'torch': u ← max(β₂u, |g| + ε), w ← w − rate/(1 − β₁ᵗ) · m/u. Preset 'book' is Keras's with the
 * lecture's rate.
 *
 * @param options learningRate (0.001; torch and book 0.002), beta1 (0.9), beta2 (0.999), epsilon (1e-7; torch 1e-8), and the common options
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.adamax({ learningRate: 0.002 });
 * @see Kingma and Ba 2014, arXiv:1412.6980, section 7.1; https://keras.io/api/optimizers/adamax/
 */
export function adamax(options?: AdamaxOptions): Adamax {
  return new Adamax(options);
}
