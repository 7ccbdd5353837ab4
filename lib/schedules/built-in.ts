// Schedules of the library: their formulas are native/optim/schedule.cpp's, for fits and for calls from JavaScript alike.
import { binding, type Schedule as NativeSchedule } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { checkNumber } from '../options.js';
import { nativeSchedule, Schedule } from './schedule.js';

export abstract class BuiltIn extends Schedule {
  readonly #native: NativeSchedule;
  readonly #config: Config;
  readonly #where: string;

  constructor(where: string, config: Config, kind: string, numbers: readonly number[]) {
    super();
    this.#where = where;
    this.#config = config;
    this.#native = nativeSchedule(kind, numbers);
  }

  override at(step: number): number {
    return binding.scheduleValue(this.#native, checkNumber(`${this.#where}: step`, step, { min: 0 }));
  }

  override getConfig(): Config {
    return { ...this.#config };
  }

  override get native(): NativeSchedule {
    return this.#native;
  }
}
