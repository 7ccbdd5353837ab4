// Adam.
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { commonKeys, type OptimizerOptions, type UpdateRule } from './common.js';
import { Optimizer } from './optimizer.js';
import { presetOf } from './presets.js';

export interface AdamOptions extends OptimizerOptions {
  /** Decay of the mean of gradients, in [0, 1). */
  beta1?: number;
  /** Decay of the mean of their squares, in [0, 1). */
  beta2?: number;
  /** Added to the root of the mean square, at least 0. */
  epsilon?: number;
  /** Divide by the largest mean square so far. */
  amsgrad?: boolean;
}

export class Adam extends Optimizer {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly amsgrad: boolean;

  /** kind, more: what AdamW differs in. */
  constructor(options?: AdamOptions, kind = 'adam', more: Partial<UpdateRule> = {}) {
    const keys = [...commonKeys, 'beta1', 'beta2', 'epsilon', 'amsgrad'] as const;
    const read = new Options<AdamOptions>(`optimizers.${kind}`, options, keys);
    const keras = presetOf(read, more.presets) === 'keras';
    const hyper = {
      beta1: read.number('beta1', 0.9, { min: 0, below: 1 }),
      beta2: read.number('beta2', 0.999, { min: 0, below: 1 }),
      epsilon: read.number('epsilon', keras ? 1e-7 : 1e-8, { min: 0 }),
    };
    const amsgrad = read.flag('amsgrad', false);
    const slots = ['momentum', 'velocity', ...(amsgrad ? ['velocityHat'] : [])];
    const rule = amsgrad ? (keras ? 'amsgrad' : 'torchAmsgrad') : keras ? 'adam' : 'torchAdam';
    super(kind, read, { rule, slots, learningRate: 0.001, hyper, ...more });
    ({ beta1: this.beta1, beta2: this.beta2, epsilon: this.epsilon } = hyper);
    this.amsgrad = amsgrad;
  }

  override getConfig(): Config {
    const { beta1, beta2, epsilon, amsgrad } = this;
    return { ...super.getConfig(), beta1, beta2, epsilon, amsgrad };
  }
}

/**
 * Adam: m and v are running means of g and g²; w ← w − rate · √(1 − β₂ᵗ)/(1 − β₁ᵗ) · m/(√v + ε), Keras's form, with ε not corrected
 * for bias. Presets 'torch' and 'book': w ← w − rate/(1 − β₁ᵗ) · m/(√(v/(1 − β₂ᵗ)) + ε), the paper's algorithm. With amsgrad the largest v so
 * far takes v's place.
 *
 * @param options learningRate (0.001), beta1 (0.9), beta2 (0.999), epsilon (1e-7; torch and book 1e-8), amsgrad (false), and the common options
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.adam({ learningRate: 3e-4 });
 * @see Kingma and Ba 2014, arXiv:1412.6980; Reddi et al. 2018, arXiv:1904.09237 (amsgrad); https://keras.io/api/optimizers/adam/
 */
export function adam(options?: AdamOptions): Adam {
  return new Adam(options);
}
