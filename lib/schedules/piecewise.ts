import { DownhillError, show } from '../errors.js';
import { checkNumber, Options } from '../options.js';
import { BuiltIn } from './built-in.js';
import { eventually, type Series } from './series.js';

export interface PiecewiseOptions {
  /** The last update of each value but the last one, ascending. */
  boundaries: readonly number[];
  /** One more than boundaries. */
  values: readonly number[];
}

function numbers(what: string, list: unknown): number[] {
  if (!Array.isArray(list))
    throw new DownhillError('INVALID_ARGUMENT', `${what} must be a list of numbers; received ${show(list)}.`);
  return list.map((value, i) => checkNumber(`${what}[${i}]`, value, { min: 0 }));
}

export class Piecewise extends BuiltIn<PiecewiseOptions> {
  constructor(options: PiecewiseOptions) {
    const read = new Options<PiecewiseOptions>('schedules.piecewise', options, ['boundaries', 'values']);
    const boundaries = numbers(read.what('boundaries'), read.required('boundaries'));
    const values = numbers(read.what('values'), read.required('values'));
    if (values.length !== boundaries.length + 1)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${read.where}: values must be one more than boundaries; received ${values.length} values and ${boundaries.length} boundaries.`,
      );
    if (boundaries.some((boundary, i) => i > 0 && boundary <= boundaries[i - 1]!))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${read.what('boundaries')} must ascend; received ${boundaries.join(', ')}.`,
      );
    super(read.where, { boundaries, values }, 'piecewise', [...boundaries, ...values]);
  }

  override series(): Series {
    const { boundaries, values } = this.options;
    return eventually(values.at(-1)!, Math.floor(boundaries.at(-1) ?? -1) + 1);
  }
}

/**
 * values[i] for the updates up to and including boundaries[i], the last value afterwards. Keras's PiecewiseConstantDecay.
 *
 * @throws INVALID_ARGUMENT, OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.sgd({ learningRate: schedules.piecewise({ boundaries: [1000, 2000], values: [0.1, 0.01, 0.001] }) });
 * @see https://keras.io/api/optimizers/learning_rate_schedules/piecewise_constant_decay/
 */
export function piecewise(options: PiecewiseOptions): Piecewise {
  return new Piecewise(options);
}
