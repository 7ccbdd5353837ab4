import { Options } from '../options.js';
import { BuiltIn } from './built-in.js';
import { eventually, power, type Series, series } from './series.js';

export interface PolynomialOptions {
  initial: number;
  final?: number;
  steps: number;
  power?: number;
  /** Whether, once `steps` is reached, its next multiple takes its place, so that the rate rises again. */
  cycle?: boolean;
}

export class Polynomial extends BuiltIn<PolynomialOptions> {
  constructor(options: PolynomialOptions) {
    const read = new Options<PolynomialOptions>('schedules.polynomial', options, [
      'initial',
      'final',
      'steps',
      'power',
      'cycle',
    ]);
    const initial = read.number('initial', undefined, { min: 0 });
    const final = read.number('final', 1e-4, { min: 0 });
    const steps = read.count('steps');
    const power = read.number('power', 1, { min: 0 });
    const cycle = read.flag('cycle', false);
    super(read.where, { initial, final, steps, power, cycle }, 'polynomial', [
      initial,
      final,
      steps,
      power,
      Number(cycle),
    ]);
  }

  override series(): Series {
    const { initial, final, steps, power: exponent, cycle } = this.options;
    if (exponent === 0) return eventually(initial, 0);
    // A cycle of one step ends where it begins.
    if (!cycle || steps === 1 || (final === 0 && initial === 0)) return eventually(final, steps);
    if (final > 0) return series(`Cycle after cycle ε_k falls to ${final} and no lower`, true, false);
    return power(`In cycle i of ${steps} updates the mean of ε_k is a constant times i^−${exponent}`, exponent);
  }
}

/**
 * (initial − final) · (1 − k/steps)^power + final, and final afterwards. Keras's PolynomialDecay.
 *
 * @param options initial, final (1e-4), steps, power (1), cycle (false)
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.sgd({ learningRate: schedules.polynomial({ initial: 0.1, final: 0.01, steps: 5000, power: 2 }) });
 * @see https://keras.io/api/optimizers/learning_rate_schedules/polynomial_decay/
 */
export function polynomial(options: PolynomialOptions): Polynomial {
  return new Polynomial(options);
}
