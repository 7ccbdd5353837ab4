// LARS.
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';

export interface LarsOptions extends OptimizerOptions {
  /** In [0, 1]. */
  momentum?: number;
  nesterov?: boolean;
  /** The paper's η, above 0: steps before the rate are this share of the weights' norm. */
  trustCoefficient?: number;
  /** Added to the norm of the gradient, at least 0. */
  epsilon?: number;
}

export class Lars extends Optimizer {
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly trustCoefficient: number;
  readonly epsilon: number;

  constructor(options?: LarsOptions) {
    const own = ['momentum', 'nesterov', 'trustCoefficient', 'epsilon'] as const;
    const read = new Options<LarsOptions>('optimizers.lars', options, [...commonKeys, ...own]);
    const torch = read.raw.preset === 'torch';
    const hyper = {
      momentum: read.number('momentum', 0.9, { min: 0, max: 1 }),
      nesterov: read.flag('nesterov', false) ? 1 : 0,
      trustCoefficient: read.number('trustCoefficient', 0.001, { above: 0 }),
      epsilon: read.number('epsilon', 0, { min: 0 }),
    };
    const learningRate = torch ? 0.001 : 0.01;
    super('lars', read, {
      rule: torch ? 'torchLars' : 'lars',
      slots: ['momentum'],
      learningRate,
      hyper,
      presets: ['keras', 'torch'],
    });
    ({ momentum: this.momentum, trustCoefficient: this.trustCoefficient, epsilon: this.epsilon } = hyper);
    this.nesterov = hyper.nesterov === 1;
  }

  override getConfig(): Config {
    const { momentum, nesterov, trustCoefficient, epsilon } = this;
    return { ...super.getConfig(), momentum, nesterov, trustCoefficient, epsilon };
  }
}

/**
 * LARS, for large batches: momentum with steps in proportion to each variable's norm. s = λ (g + decay · w) with
 * λ = trustCoefficient · ‖w‖ / (‖g‖ + decay · ‖w‖ + epsilon), 1 where ‖w‖ or ‖g‖ is 0; v ← momentum · v + rate · s, w ← w − v; with nesterov
 * w ← w − momentum · v − rate · s. Preset 'torch' has the rate outside of the velocity, as LARC around PyTorch's SGD has: v ← momentum · v + s,
 * w ← w − rate · v. weightDecay is the one in these formulas, under either preset. Optax takes the norm of g + decay · w for both terms below
 * the line. To leave biases and gains to plain momentum is a matter of their norms: give them a group, e.g. with weightDecay 0.
 *
 * @param options learningRate (0.01; torch 0.001), momentum (0.9), nesterov (false), trustCoefficient (0.001), epsilon (0), and the common options
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.lars({ learningRate: 2, weightDecay: 5e-4 });
 * @see You, Gitman and Ginsburg 2017, arXiv:1708.03888, algorithm 1
 */
export function lars(options?: LarsOptions): Lars {
  return new Lars(options);
}
