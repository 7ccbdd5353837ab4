// Delta-bar-delta.
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';

export interface DeltaBarDeltaOptions extends OptimizerOptions {
  /** Added to a weight's rate where its gradient keeps its sign, at least 0. */
  kappa?: number;
  /** The part that a weight's rate loses where its gradient changes its sign, in [0, 1]. */
  phi?: number;
  /** Decay of the mean of gradients that a gradient is compared with, in [0, 1); 0: the gradient before. */
  theta?: number;
}

export class DeltaBarDelta extends Optimizer {
  readonly kappa: number;
  readonly phi: number;
  readonly theta: number;

  constructor(options?: DeltaBarDeltaOptions) {
    const keys = [...commonKeys, 'kappa', 'phi', 'theta'] as const;
    const read = new Options<DeltaBarDeltaOptions>('optimizers.deltaBarDelta', options, keys);
    const hyper = {
      kappa: read.number('kappa', 0.001, { min: 0 }),
      phi: read.number('phi', 0.1, { min: 0, max: 1 }),
      theta: read.number('theta', 0.7, { min: 0, below: 1 }),
    };
    super('deltaBarDelta', read, {
      rule: 'deltaBarDelta',
      slots: ['rate', 'averageGradient'],
      starts: { rate: 'learningRate' },
      learningRate: 0.01,
      hyper,
      presets: ['keras', 'book'],
    });
    ({ kappa: this.kappa, phi: this.phi, theta: this.theta } = hyper);
  }

  override getConfig(): Config {
    const { kappa, phi, theta } = this;
    return { ...super.getConfig(), kappa, phi, theta };
  }
}

/**
 * Delta-bar-delta, for gradients of all examples: each weight has a rate r, which begins at the learning rate (what is set later does not reach
 * it), and a mean of its gradients d. Where g and d have one sign r ← r + κ, where they are opposed r ← (1 − φ)r; w ← w − r · g;
 * d ← (1 − θ)g + θd. Both presets are alike; neither Keras nor PyTorch has it.
 *
 * @param options learningRate (0.01), kappa (0.001), phi (0.1), theta (0.7), and the common options; preset 'keras' or 'book'
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.deltaBarDelta({ learningRate: 0.05, kappa: 0.005 });
 * @see Jacobs 1988, "Increased rates of convergence through learning rate adaptation"; Goodfellow et al. 2016, section 8.5
 */
export function deltaBarDelta(options?: DeltaBarDeltaOptions): DeltaBarDelta {
  return new DeltaBarDelta(options);
}
