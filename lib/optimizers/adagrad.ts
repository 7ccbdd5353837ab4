// AdaGrad.
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';
import { checkPresetOption, presetOf } from './presets.js';

export interface AdagradOptions extends OptimizerOptions {
  /** Where the sum of squares begins, at least 0. */
  initialAccumulatorValue?: number;
  /** Added to the sum of squares; under presets 'torch' and 'book' to its root. At least 0. */
  epsilon?: number;
  /** PyTorch's decay of the rate, at least 0: rate/(1 + lrDecay · (t − 1)) in update t; only under preset 'torch'. */
  lrDecay?: number;
}

const defaults = {
  keras: { learningRate: 0.001, initialAccumulatorValue: 0.1, epsilon: 1e-7 },
  torch: { learningRate: 0.01, initialAccumulatorValue: 0, epsilon: 1e-10 },
  book: { learningRate: 0.001, initialAccumulatorValue: 0, epsilon: 1e-7 },
};

export class Adagrad extends Optimizer {
  readonly initialAccumulatorValue: number;
  readonly epsilon: number;
  readonly #lrDecay: number;

  constructor(options?: AdagradOptions) {
    const keys = [...commonKeys, 'initialAccumulatorValue', 'epsilon', 'lrDecay'] as const;
    const read = new Options<AdagradOptions>('optimizers.adagrad', options, keys);
    checkPresetOption(read, 'lrDecay', 'torch');
    const preset = presetOf(read);
    const start = read.number('initialAccumulatorValue', defaults[preset].initialAccumulatorValue, { min: 0 });
    const epsilon = read.number('epsilon', defaults[preset].epsilon, { min: 0 });
    const lrDecay = read.number('lrDecay', 0, { min: 0 });
    super('adagrad', read, {
      rule: 'adagrad',
      slots: ['accumulator'],
      starts: { accumulator: start },
      learningRate: defaults[preset].learningRate,
      hyper: {
        epsilon: preset === 'keras' ? 0 : epsilon,
        innerEpsilon: preset === 'keras' ? epsilon : 0,
        learningRateDecay: lrDecay,
      },
    });
    this.initialAccumulatorValue = start;
    this.epsilon = epsilon;
    this.#lrDecay = lrDecay;
  }

  override getConfig(): Config {
    const { initialAccumulatorValue, epsilon } = this;
    const config = { ...super.getConfig(), initialAccumulatorValue, epsilon };
    return this.preset === 'torch' ? { ...config, lrDecay: this.#lrDecay } : config;
  }
}

/**
 * AdaGrad: r ← r + g², w ← w − rate · g/√(r + ε), Keras's form. Presets 'torch' and 'book': w ← w − rate · g/(√r + ε).
 *
 * @param options learningRate (0.001; torch 0.01), initialAccumulatorValue (0.1; torch and book 0), epsilon (1e-7; torch 1e-10), lrDecay (torch;
 *   0), and the common options
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION, INVALID_ARGUMENT
 * @example optimizers.adagrad({ learningRate: 0.01 });
 * @see Duchi, Hazan and Singer 2011, JMLR 12; https://keras.io/api/optimizers/adagrad/
 */
export function adagrad(options?: AdagradOptions): Adagrad {
  return new Adagrad(options);
}
