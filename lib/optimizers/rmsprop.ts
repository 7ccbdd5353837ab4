// RMSprop.
import type { Config } from '../config/values.js';
import { DownhillError } from '../errors.js';
import { Options } from '../options.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';
import { checkPresetOption, presetOf } from './presets.js';

export interface RmsPropOptions extends OptimizerOptions {
  /** Decay of the mean of squared gradients, in [0, 1]; PyTorch's alpha. */
  rho?: number;
  /** Of the velocity, in [0, 1]; 0: none. */
  momentum?: number;
  /** Added to the mean square; under preset 'torch' to its root. At least 0. */
  epsilon?: number;
  /** Divide by the variance of the gradients in place of their mean square. */
  centered?: boolean;
  /** The lecture's RMSProp with Nesterov momentum; only under preset 'book'. */
  nesterov?: boolean;
}

const defaults = {
  keras: { learningRate: 0.001, rho: 0.9, epsilon: 1e-7 },
  torch: { learningRate: 0.01, rho: 0.99, epsilon: 1e-8 },
  book: { learningRate: 0.001, rho: 0.9, epsilon: 1e-6 },
};

export class RmsProp extends Optimizer {
  readonly rho: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly centered: boolean;
  readonly nesterov: boolean;

  constructor(options?: RmsPropOptions) {
    const keys = [...commonKeys, 'rho', 'momentum', 'epsilon', 'centered', 'nesterov'] as const;
    const read = new Options<RmsPropOptions>('optimizers.rmsprop', options, keys);
    checkPresetOption(read, 'nesterov', 'book');
    const preset = presetOf(read);
    const torch = preset === 'torch';
    const rho = read.number('rho', defaults[preset].rho, { min: 0, max: 1 });
    const momentum = read.number('momentum', 0, { min: 0, max: 1 });
    const centered = read.flag('centered', false);
    const nesterov = read.flag('nesterov', false);
    if (nesterov && (momentum === 0 || centered))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `optimizers.rmsprop: nesterov needs a momentum above 0, and is not centered; received momentum ${momentum} and centered ${centered}.`,
      );
    const epsilon = read.number('epsilon', nesterov ? 0 : defaults[preset].epsilon, { min: 0 });
    const velocity = momentum === 0 ? '' : nesterov ? 'Nesterov' : 'Momentum';
    super('rmsprop', read, {
      rule: `rmsprop${centered ? 'Centered' : ''}${velocity}`,
      slots: ['velocity', ...(momentum > 0 ? ['momentum'] : []), ...(centered ? ['averageGradient'] : [])],
      learningRate: defaults[preset].learningRate,
      hyper: {
        rho,
        momentum,
        epsilon: torch ? epsilon : 0,
        innerEpsilon: torch ? 0 : epsilon,
        rateOutside: Number(torch),
      },
    });
    this.rho = rho;
    this.momentum = momentum;
    this.epsilon = epsilon;
    this.centered = centered;
    this.nesterov = nesterov;
  }

  override getConfig(): Config {
    const { rho, momentum, epsilon, centered, nesterov } = this;
    const config = { ...super.getConfig(), rho, momentum, epsilon, centered };
    return this.preset === 'book' ? { ...config, nesterov } : config;
  }
}

/**
 * RMSprop: v ← ρv + (1 − ρ)g², w ← w − rate · g/√(v + ε), with momentum μ: m ← μm + rate · g/√(v + ε), w ← w − m. Centered: v − a² in place
 * of v, where a ← ρa + (1 − ρ)g (at least 0, where rounding would take the root of less). Preset 'torch': √v + ε in place of √(v + ε),
 * m ← μm + g/(√v + ε), w ← w − rate · m. Preset 'book' is Keras's with the lecture's ε; its nesterov, w ← w − μm − rate · g/√v, has no ε unless one
 * is given, keeps as its weights the interim point at which the lecture takes the gradient, and leaves elements alone whose v is 0.
 *
 * @param options learningRate (0.001; torch 0.01), rho (0.9; torch 0.99), momentum (0), epsilon (1e-7; torch 1e-8; book 1e-6, with nesterov 0),
 *   centered (false), nesterov (false; book), and the common options
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION, INVALID_ARGUMENT
 * @example optimizers.rmsprop({ learningRate: 1e-3, momentum: 0.9 });
 * @see Tieleman and Hinton 2012; Graves 2013, arXiv:1308.0850 (centered); https://keras.io/api/optimizers/rmsprop/
 */
export function rmsprop(options?: RmsPropOptions): RmsProp {
  return new RmsProp(options);
}
