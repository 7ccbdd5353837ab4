// Nadam.
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';
import { checkPresetOption, presetOf } from './presets.js';

export interface NadamOptions extends OptimizerOptions {
  /** Decay of the mean of gradients, in [0, 1). */
  beta1?: number;
  /** Decay of the mean of their squares, in [0, 1). */
  beta2?: number;
  /** Added to the root of the mean square, at least 0. */
  epsilon?: number;
  /** How fast the momentum nears beta1, at least 0; only under preset 'torch'. */
  momentumDecay?: number;
}

const defaults = {
  keras: { learningRate: 0.001, epsilon: 1e-7 },
  torch: { learningRate: 0.002, epsilon: 1e-8 },
  book: { learningRate: 0.002, epsilon: 1e-7 },
};

export class Nadam extends Optimizer {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly #momentumDecay: number;

  constructor(options?: NadamOptions) {
    const keys = [...commonKeys, 'beta1', 'beta2', 'epsilon', 'momentumDecay'] as const;
    const read = new Options<NadamOptions>('optimizers.nadam', options, keys);
    checkPresetOption(read, 'momentumDecay', 'torch');
    const preset = presetOf(read);
    const hyper = {
      beta1: read.number('beta1', 0.9, { min: 0, below: 1 }),
      beta2: read.number('beta2', 0.999, { min: 0, below: 1 }),
      epsilon: read.number('epsilon', defaults[preset].epsilon, { min: 0 }),
      momentumDecay: read.number('momentumDecay', preset === 'torch' ? 4e-3 : 1, { min: 0 }),
    };
    const { learningRate } = defaults[preset];
    super('nadam', read, { rule: 'nadam', slots: ['momentum', 'velocity'], learningRate, hyper });
    ({ beta1: this.beta1, beta2: this.beta2, epsilon: this.epsilon } = hyper);
    this.#momentumDecay = hyper.momentumDecay;
  }

  override getConfig(): Config {
    const { beta1, beta2, epsilon } = this;
    const config = { ...super.getConfig(), beta1, beta2, epsilon };
    return this.preset === 'torch' ? { ...config, momentumDecay: this.#momentumDecay } : config;
  }
}

/**
 * Nadam, Adam with Nesterov momentum: with μᵢ = β₁(1 − ½ · 0.96ⁱ) and Πₜ = μ₁ · … · μₜ,
 * w ← w − rate · (μₜ₊₁m/(1 − Πₜ₊₁) + (1 − μₜ)g/(1 − Πₜ))/(√(v/(1 − β₂ᵗ)) + ε), m and v as in Adam. Preset 'torch': 0.96^(i · momentumDecay) in place
 * of 0.96ⁱ. Preset 'book' is Keras's with the lecture's rate. Π is a function of t, computed anew for each update: a run that is resumed has the same.
 *
 * @param options learningRate (0.001; torch and book 0.002), beta1 (0.9), beta2 (0.999), epsilon (1e-7; torch 1e-8), momentumDecay (torch;
 *   0.004), and the common options
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION, INVALID_ARGUMENT
 * @example optimizers.nadam({ learningRate: 0.002 });
 * @see Dozat 2016, "Incorporating Nesterov momentum into Adam"; https://keras.io/api/optimizers/nadam/
 */
export function nadam(options?: NadamOptions): Nadam {
  return new Nadam(options);
}
