// Adadelta.
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';
import { presetOf } from './presets.js';

export interface AdadeltaOptions extends OptimizerOptions {
  /** Decay of both means of squares, in [0, 1]. */
  rho?: number;
  /** Added to both means of squares, at least 0; with 0 nothing ever moves. */
  epsilon?: number;
}

const defaults = {
  keras: { learningRate: 0.001, rho: 0.95, epsilon: 1e-7 },
  torch: { learningRate: 1, rho: 0.9, epsilon: 1e-6 },
  book: { learningRate: 1, rho: 0.95, epsilon: 1e-7 },
};

export class Adadelta extends Optimizer {
  readonly rho: number;
  readonly epsilon: number;

  constructor(options?: AdadeltaOptions) {
    const keys = [...commonKeys, 'rho', 'epsilon'] as const;
    const read = new Options<AdadeltaOptions>('optimizers.adadelta', options, keys);
    const { learningRate, ...own } = defaults[presetOf(read)];
    const rho = read.number('rho', own.rho, { min: 0, max: 1 });
    const epsilon = read.number('epsilon', own.epsilon, { min: 0 });
    const slots = ['accumulatedGrad', 'accumulatedDeltaVar'];
    super('adadelta', read, { rule: 'adadelta', slots, learningRate, hyper: { rho, epsilon } });
    this.rho = rho;
    this.epsilon = epsilon;
  }

  override getConfig(): Config {
    return { ...super.getConfig(), rho: this.rho, epsilon: this.epsilon };
  }
}

/**
 * Adadelta: v ← ρv + (1 − ρ)g², s = g · √(u + ε)/√(v + ε), u ← ρu + (1 − ρ)s², w ← w − rate · s. The presets differ in their defaults only;
 * the paper has no rate, which is a rate of 1.
 *
 * @param options learningRate (0.001; torch and book 1), rho (0.95; torch 0.9), epsilon (1e-7; torch 1e-6), and the common options
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.adadelta({ learningRate: 1 });
 * @see Zeiler 2012, arXiv:1212.5701; https://keras.io/api/optimizers/adadelta/
 */
export function adadelta(options?: AdadeltaOptions): Adadelta {
  return new Adadelta(options);
}
