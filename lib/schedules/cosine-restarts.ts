import { Options } from '../options.js';
import { BuiltIn } from './built-in.js';
import { eventually, series, type Series } from './series.js';

export interface CosineRestartsOptions {
  initial: number;
  /** Updates of the first period. */
  steps: number;
  /** Factor of the length from period to period, at least 1. */
  tMul?: number;
  /** Factor of the rate that a period begins with. */
  mMul?: number;
  /** What is left at the end of a period, as a fraction of initial. */
  alpha?: number;
}

export class CosineRestarts extends BuiltIn<CosineRestartsOptions> {
  constructor(options: CosineRestartsOptions) {
    const read = new Options<CosineRestartsOptions>('schedules.cosineRestarts', options, [
      'initial',
      'steps',
      'tMul',
      'mMul',
      'alpha',
    ]);
    const initial = read.number('initial', undefined, { min: 0 });
    const steps = read.count('steps');
    const tMul = read.number('tMul', 2, { min: 1 });
    const mMul = read.number('mMul', 1, { min: 0 });
    const alpha = read.number('alpha', 0, { min: 0 });
    super(read.where, { initial, steps, tMul, mMul, alpha }, 'cosineRestarts', [initial, steps, tMul, mMul, alpha]);
  }

  override series(): Series {
    const { initial, tMul, mMul, alpha } = this.options;
    if (initial === 0) return eventually(0, 0);
    if (alpha > 1 && mMul > 1) return series(`With alpha > 1 and mMul > 1 rates fall below 0`, 'unknown', 'unknown');
    if (alpha > 0) {
      const least = initial * Math.min(1, alpha);
      return series(`ε_k ≥ ${least} for all k`, true, false);
    }
    const [sum, squares] = [tMul * mMul, tMul * mMul ** 2];
    return series(
      `Period i adds to Σε_k a constant times (tMul · mMul)^i = ${sum}^i, and to Σε_k² one times (tMul · mMul²)^i = ${squares}^i`,
      sum >= 1,
      squares < 1,
    );
  }
}

/**
 * Cosines one after the other, of lengths steps, steps · tMul, steps · tMul² …; the i-th gives
 * initial · ((1 − alpha) · mMulⁱ · ½(1 + cos πx) + alpha) at the part x of it. Keras's CosineDecayRestarts.
 *
 * @param options initial, steps, tMul (2), mMul (1), alpha (0)
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.sgd({ learningRate: schedules.cosineRestarts({ initial: 0.1, steps: 500 }) });
 * @see Loshchilov and Hutter 2017, arXiv:1608.03983; https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay_restarts/
 */
export function cosineRestarts(options: CosineRestartsOptions): CosineRestarts {
  return new CosineRestarts(options);
}
