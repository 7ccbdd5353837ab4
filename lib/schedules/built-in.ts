// Schedules of the library: their formulas are native/optim/schedule.cpp's, for fits and for calls from JavaScript alike.
import { binding, type Schedule as NativeSchedule } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { checkNumber } from '../options.js';
import { nativeSchedule, Schedule } from './schedule.js';
import type { Series } from './series.js';

export abstract class BuiltIn<Given extends object> extends Schedule {
  /** Its options as resolved. */
  protected readonly options: Readonly<Required<Given>>;
  readonly #native: NativeSchedule;
  readonly #where: string;

  constructor(where: string, options: Required<Given>, kind: string, numbers: readonly number[]) {
    super();
    this.#where = where;
    this.options = options;
    this.#native = nativeSchedule(kind, numbers);
  }

  override at(step: number): number {
    return binding.scheduleValue(this.#native, checkNumber(`${this.#where}: step`, step, { min: 0 }));
  }

  override getConfig(): Config {
    return { ...this.options };
  }

  abstract override series(): Series;

  override get native(): NativeSchedule {
    return this.#native;
  }
}
