import { Options } from '../options.js';
import { BuiltIn } from './built-in.js';
import { eventually, series, type Series } from './series.js';

export interface ExponentialOptions {
  initial: number;
  /** Factor after every `steps` updates. */
  rate: number;
  steps: number;
  /** Whether k/steps is rounded down. */
  staircase?: boolean;
}

export class Exponential extends BuiltIn<ExponentialOptions> {
  constructor(options: ExponentialOptions) {
    const read = new Options<ExponentialOptions>('schedules.exponential', options, [
      'initial',
      'rate',
      'steps',
      'staircase',
    ]);
    const initial = read.number('initial', undefined, { min: 0 });
    const rate = read.number('rate', undefined, { min: 0 });
    const steps = read.count('steps');
    const staircase = read.flag('staircase', false);
    super(read.where, { initial, rate, steps, staircase }, 'exponential', [initial, rate, steps, Number(staircase)]);
  }

  override series(): Series {
    const { initial, rate, steps, staircase } = this.options;
    if (initial === 0 || rate === 0) return eventually(0, initial === 0 ? 0 : staircase ? steps : 1);
    if (rate === 1) return eventually(initial, 0);
    const formula = `ε_k = ${initial} · ${rate}^(k / ${steps})`;
    return rate < 1 ? series(`${formula} falls geometrically`, false, true) : series(`${formula} grows`, true, false);
  }
}

/**
 * initial · rate^(k/steps).
 *
 * @param options initial, rate, steps, staircase (false)
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.adam({ learningRate: schedules.exponential({ initial: 1e-3, rate: 0.5, steps: 1000 }) });
 * @see https://keras.io/api/optimizers/learning_rate_schedules/exponential_decay/
 */
export function exponential(options: ExponentialOptions): Exponential {
  return new Exponential(options);
}
