import { DownhillError } from '../errors.js';
import { Options } from '../options.js';
import { BuiltIn } from './built-in.js';
import { eventually, type Series } from './series.js';

export interface CosineOptions {
  initial: number;
  /** Updates of the decay, after those of the warm-up. */
  steps: number;
  /** What is left in the end, as a fraction of the rate that the decay begins with. */
  alpha?: number;
  /** Rate after a warm-up that begins at `initial`; without it there is none. */
  warmupTarget?: number | null;
  warmupSteps?: number;
}

export class Cosine extends BuiltIn<CosineOptions> {
  constructor(options: CosineOptions) {
    const read = new Options<CosineOptions>('schedules.cosine', options, [
      'initial',
      'steps',
      'alpha',
      'warmupTarget',
      'warmupSteps',
    ]);
    const initial = read.number('initial', undefined, { min: 0 });
    const steps = read.count('steps');
    const alpha = read.number('alpha', 0, { min: 0 });
    const warmupTarget = read.optionalNumber('warmupTarget', { min: 0 }) ?? null;
    const warmupSteps = read.count('warmupSteps', 0, { min: 0 });
    if (warmupSteps > 0 && warmupTarget === null)
      throw new DownhillError('INVALID_ARGUMENT', `${read.where}: warmupSteps needs a warmupTarget to warm up to.`);
    super(read.where, { initial, steps, alpha, warmupTarget, warmupSteps }, 'cosine', [
      initial,
      steps,
      alpha,
      warmupSteps,
      warmupTarget ?? initial,
    ]);
  }

  override series(): Series {
    const { initial, steps, alpha, warmupTarget, warmupSteps } = this.options;
    return eventually(alpha * (warmupTarget ?? initial), warmupSteps + steps);
  }
}

/**
 * initial · ((1 − alpha) · ½(1 + cos πk/steps) + alpha), and alpha · initial afterwards; with a warmupTarget first a line from initial to
 * it, in warmupSteps updates, from where the cosine goes on. Keras's CosineDecay.
 *
 * @param options initial, steps, alpha (0), warmupTarget (none), warmupSteps (0)
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION, INVALID_ARGUMENT
 * @example optimizers.adam({ learningRate: schedules.cosine({ initial: 0, warmupTarget: 1e-3, warmupSteps: 100, steps: 5000 }) });
 * @see Loshchilov and Hutter 2017, arXiv:1608.03983; https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay/
 */
export function cosine(options: CosineOptions): Cosine {
  return new Cosine(options);
}
