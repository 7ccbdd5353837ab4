import { Options } from '../options.js';
import { BuiltIn } from './built-in.js';
import { eventually, type Series } from './series.js';

export interface ConstantOptions {
  value: number;
}

export class Constant extends BuiltIn<ConstantOptions> {
  constructor(options: ConstantOptions) {
    const read = new Options<ConstantOptions>('schedules.constant', options, ['value']);
    const value = read.number('value', undefined, { min: 0 });
    super(read.where, { value }, 'constant', [value]);
  }

  override series(): Series {
    return eventually(this.options.value, 0);
  }
}

/**
 * The same rate at every update; for warmup, and where a schedule is asked for.
 *
 * @param value the rate, or { value }
 * @throws OUT_OF_RANGE
 * @example schedules.warmup({ steps: 100, then: schedules.constant(0.01) });
 */
export function constant(value: number | ConstantOptions): Constant {
  return new Constant(typeof value === 'number' ? { value } : value);
}
