import { Options } from '../options.js';
import { BuiltIn } from './built-in.js';
import { eventually, power, type Series } from './series.js';

export interface InverseTimeOptions {
  initial: number;
  /** At least 0. */
  decay: number;
  /** Updates by which `decay` counts; 1 by default. */
  steps?: number;
  /** Whether k/steps is rounded down. */
  staircase?: boolean;
}

export class InverseTime extends BuiltIn<InverseTimeOptions> {
  constructor(options: InverseTimeOptions) {
    const read = new Options<InverseTimeOptions>('schedules.inverseTime', options, [
      'initial',
      'decay',
      'steps',
      'staircase',
    ]);
    const initial = read.number('initial', undefined, { min: 0 });
    const decay = read.number('decay', undefined, { min: 0 });
    const steps = read.count('steps', 1);
    const staircase = read.flag('staircase', false);
    super(read.where, { initial, decay, steps, staircase }, 'inverseTime', [initial, decay, steps, Number(staircase)]);
  }

  override series(): Series {
    const { initial, decay, steps } = this.options;
    if (initial === 0 || decay === 0) return eventually(initial, 0);
    return power(`ε_k = ${initial} / (1 + ${decay / steps} · k), which falls as ${(initial * steps) / decay} / k`, 1);
  }
}

/**
 * initial / (1 + decay · k/steps): the decay by time of older Keras versions, and InverseTimeDecay.
 *
 * @param options initial, decay, steps (1), staircase (false)
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.sgd({ learningRate: schedules.inverseTime({ initial: 0.01, decay: 0.01 }) });
 * @see https://keras.io/api/optimizers/learning_rate_schedules/inverse_time_decay/
 */
export function inverseTime(options: InverseTimeOptions): InverseTime {
  return new InverseTime(options);
}
