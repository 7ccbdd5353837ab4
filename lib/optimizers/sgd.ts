// Stochastic gradient descent, plain, with momentum and with Nesterov momentum.
import type { Config } from '../config/values.js';
import { DownhillError } from '../errors.js';
import { Options } from '../options.js';
import { commonKeys, type OptimizerOptions, type UpdateRule } from './common.js';
import { Optimizer } from './optimizer.js';
import { checkPresetOption, presetOf } from './presets.js';

export interface SgdOptions extends OptimizerOptions {
  /** In [0, 1]; 0, the default, is plain gradient descent. */
  momentum?: number;
  nesterov?: boolean;
  /** PyTorch's damping of the gradient in the velocity, in [0, 1]; only under preset 'torch'. */
  dampening?: number;
}

export class Sgd extends Optimizer {
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly #dampening: number | null;

  constructor(options?: SgdOptions) {
    const read = new Options<SgdOptions>('optimizers.sgd', options, [
      ...commonKeys,
      'momentum',
      'nesterov',
      'dampening',
    ]);
    checkPresetOption(read, 'dampening', 'torch');
    const torch = presetOf(read) === 'torch';
    super('sgd', read, torch ? torchRule(read) : kerasRule(read));
    this.momentum = read.number('momentum', 0);
    this.nesterov = read.flag('nesterov', false);
    this.#dampening = torch ? read.number('dampening', 0) : null;
  }

  override getConfig(): Config {
    const config: Config = { ...super.getConfig(), momentum: this.momentum, nesterov: this.nesterov };
    return this.#dampening === null ? config : { ...config, dampening: this.#dampening };
  }
}

function kerasRule(read: Options<SgdOptions>): UpdateRule {
  const momentum = read.number('momentum', 0, { min: 0, max: 1 });
  const nesterov = read.flag('nesterov', false);
  const rule = momentum === 0 ? 'sgd' : nesterov ? 'nesterov' : 'momentum';
  const slots = momentum === 0 ? [] : ['momentum'];
  const within = momentum === 0 ? ['momentum', 'nesterov'] : [];
  return { rule, slots, learningRate: 0.01, hyper: { momentum }, within };
}

function torchRule(read: Options<SgdOptions>): UpdateRule {
  const momentum = read.number('momentum', 0, { min: 0, max: 1 });
  const dampening = read.number('dampening', 0, { min: 0, max: 1 });
  const nesterov = read.flag('nesterov', false);
  if (nesterov && (momentum === 0 || dampening !== 0))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      "optimizers.sgd: under preset 'torch' nesterov needs a momentum above 0 and no dampening; " +
        `received momentum ${momentum} and dampening ${dampening}.`,
    );
  const rule = momentum === 0 ? 'sgd' : nesterov ? 'torchNesterov' : 'torchMomentum';
  const slots = momentum === 0 ? [] : ['momentum'];
  const within = momentum === 0 ? ['torchMomentum', 'torchNesterov'] : [];
  // A velocity of -0 is one that has seen no gradient; it becomes the first one, whatever the dampening. Without momentum there is none.
  const hyper = { momentum, dampening: momentum === 0 ? 0 : dampening };
  return { rule, slots, starts: { momentum: -0 }, learningRate: 0.001, hyper, within };
}

/**
 * Gradient descent: w ← w − rate · g. With momentum μ: v ← μv − rate · g, w ← w + v; with nesterov: w ← w + μv − rate · g.
 * Preset 'torch': v ← μv + (1 − dampening) g, at a variable's first gradient v ← g; w ← w − rate · v, with nesterov w ← w − rate · (g + μv).
 * Preset 'book' is Keras's: the lecture's θ, whose gradient is taken at the interim point θ + μv, is w − μv.
 *
 * @param options learningRate (0.01; torch 0.001), momentum in [0, 1] (0), nesterov (false), dampening (torch), and the common options
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION, INVALID_ARGUMENT
 * @example optimizers.sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true });
 * @see Polyak 1964; Nesterov 1983; Sutskever et al. 2013; https://keras.io/api/optimizers/sgd/
 */
export function sgd(options?: SgdOptions): Sgd {
  return new Sgd(options);
}
