// A learning rate: a number or a schedule, and what native updaters read it from.
import { binding, type Schedule as NativeSchedule, type Updater } from '../binding/index.js';
import { DownhillError } from '../errors.js';
import { checkSchedule, nativeOf, nativeSchedule, rateOf, type ScheduleLike } from '../schedules/schedule.js';

export class Rate {
  #number: number;
  #schedule: ScheduleLike | null = null;
  /** What the updaters take their rates from, where there is a schedule. */
  #rates: NativeSchedule | null = null;

  /**
   * @param what names the rate in messages
   * @param fallback of updaters until there is a number
   */
  constructor(
    readonly what: string,
    value: number | ScheduleLike,
    fallback: number,
  ) {
    this.#number = fallback;
    this.#follow(value);
  }

  /** The number or schedule. */
  get value(): number | ScheduleLike {
    return this.#schedule ?? this.#number;
  }

  /** @throws INVALID_ARGUMENT for a number where there is a schedule */
  set(value: number | ScheduleLike): void {
    const checked = checkSchedule(this.what, value);
    if (this.#schedule && typeof checked === 'number')
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${this.what} follows a schedule, so that it cannot be set to ${checked}. Set another schedule, such as ` +
          `schedules.constant(${checked}), or make the optimizer with a number.`,
      );
    this.#follow(checked);
  }

  /** The rate of an update, or of a step where schedules count these. */
  at(k: number): number {
    return this.#schedule ? rateOf(this.what, this.#schedule, k) : this.#number;
  }

  /** Whether rates must be computed ahead: those of a schedule of the user's own. */
  get isOwn(): boolean {
    return this.#schedule !== null && !nativeOf(this.#schedule);
  }

  /** Computes the rates [first, end) of a schedule of the user's own. */
  ready(first: number, end: number): void {
    if (!this.isOwn) return;
    const rates = Array.from({ length: end - first }, (_, i) => this.at(first + i));
    this.#rates = nativeSchedule('table', [first, ...rates]);
  }

  /** Tells an updater's group the rate, or where it comes from. */
  tell(updater: Updater, group: number): void {
    binding.updaterSet(updater, group, 'learningRate', this.#number);
    binding.updaterSchedule(updater, group, this.#rates);
  }

  #follow(rate: number | ScheduleLike): void {
    if (typeof rate === 'number') {
      this.#number = rate;
      this.#schedule = this.#rates = null;
    } else {
      this.#schedule = rate;
      // One's own becomes a table of rates before the next steps; those in hand go on with what they have.
      this.#rates = nativeOf(rate) ?? this.#rates;
    }
  }
}
