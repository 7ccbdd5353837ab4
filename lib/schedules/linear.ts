import { Options } from '../options.js';
import { BuiltIn } from './built-in.js';
import { eventually, type Series } from './series.js';

export interface LinearOptions {
  initial: number;
  final: number;
  /** Updates from initial to final. */
  steps: number;
}

export class Linear extends BuiltIn<LinearOptions> {
  constructor(options: LinearOptions) {
    const read = new Options<LinearOptions>('schedules.linear', options, ['initial', 'final', 'steps']);
    const initial = read.number('initial', undefined, { min: 0 });
    const final = read.number('final', undefined, { min: 0 });
    const steps = read.count('steps');
    super(read.where, { initial, final, steps }, 'linear', [initial, final, steps]);
  }

  override series(): Series {
    return eventually(this.options.final, this.options.steps);
  }
}

/**
 * From initial to final in a line: (1 − k/steps) · initial + k/steps · final, and final from update `steps` on.
 *
 * @param options initial and final at least 0, steps at least 1
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.sgd({ learningRate: schedules.linear({ initial: 0.1, final: 0.001, steps: 5000 }) });
 * @see Goodfellow et al. 2016, equation 8.14
 */
export function linear(options: LinearOptions): Linear {
  return new Linear(options);
}
