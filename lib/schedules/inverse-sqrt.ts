import { Options } from '../options.js';
import { BuiltIn } from './built-in.js';
import { eventually, power, type Series } from './series.js';

export interface InverseSqrtOptions {
  /** The highest rate, which the warm-up ends with. */
  initial: number;
  warmupSteps?: number;
}

export class InverseSqrt extends BuiltIn<InverseSqrtOptions> {
  constructor(options: InverseSqrtOptions) {
    const read = new Options<InverseSqrtOptions>('schedules.inverseSqrt', options, ['initial', 'warmupSteps']);
    const initial = read.number('initial', undefined, { min: 0 });
    const warmupSteps = read.count('warmupSteps', 0, { min: 0 });
    super(read.where, { initial, warmupSteps }, 'inverseSqrt', [initial, warmupSteps]);
  }

  override series(): Series {
    const { initial, warmupSteps } = this.options;
    if (initial === 0) return eventually(0, 0);
    return power(`ε_k = ${initial * Math.sqrt(Math.max(1, warmupSteps))} / √k`, 1 / 2);
  }
}

/**
 * initial · min(k/w, √(w/k)) with w = warmupSteps: a line up, then the inverse square root. Without warm-up initial / √k from update 1 on.
 *
 * @param options initial, warmupSteps (0)
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.adam({ learningRate: schedules.inverseSqrt({ initial: 1e-3, warmupSteps: 4000 }) });
 * @see Vaswani et al. 2017, arXiv:1706.03762, section 5.3
 */
export function inverseSqrt(options: InverseSqrtOptions): InverseSqrt {
  return new InverseSqrt(options);
}
