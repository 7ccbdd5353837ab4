import { binding, type Schedule as NativeSchedule } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { checkNumber, Options } from '../options.js';
import { checkSchedule, nativeOf, nativeSchedule, rateOf, Schedule, type ScheduleLike, seriesOf } from './schedule.js';
import type { Series } from './series.js';

export interface WarmupOptions {
  /** Updates of the warm-up. */
  steps: number;
  /** What follows, from its own update 0 on: a rate, a schedule or a function. */
  then: number | ScheduleLike;
  /** The first rate; 0 by default. */
  initial?: number;
}

const where = 'schedules.warmup';

export class Warmup extends Schedule {
  readonly #steps: number;
  readonly #initial: number;
  readonly #then: number | ScheduleLike;
  readonly #native: NativeSchedule | null;

  constructor(options: WarmupOptions) {
    const read = new Options<WarmupOptions>(where, options, ['steps', 'then', 'initial']);
    super();
    this.#steps = read.count('steps');
    this.#initial = read.number('initial', 0, { min: 0 });
    this.#then = checkSchedule(read.what('then'), read.required('then'));
    const then = typeof this.#then === 'number' ? nativeSchedule('constant', [this.#then]) : nativeOf(this.#then);
    this.#native = then && this.#before(then);
  }

  override at(step: number): number {
    checkNumber(`${where}: step`, step, { min: 0 });
    if (this.#native) return binding.scheduleValue(this.#native, step);
    const rate = rateOf(`${where}: then`, this.#then as ScheduleLike, Math.max(0, step - this.#steps));
    return binding.scheduleValue(this.#before(nativeSchedule('constant', [rate])), step);
  }

  override getConfig(): Config {
    return { steps: this.#steps, then: this.#then, initial: this.#initial };
  }

  override series(): Series {
    const { sumDiverges, squaresConverge, reason } = seriesOf(this.#then);
    return { sumDiverges, squaresConverge, reason: `After ${this.#steps} updates of warm-up: ${reason}` };
  }

  override get native(): NativeSchedule | null {
    return this.#native;
  }

  #before(then: NativeSchedule): NativeSchedule {
    return nativeSchedule('warmup', [this.#initial, this.#steps], [then]);
  }
}

/**
 * A line from initial to the first rate of `then`, in `steps` updates; `then` follows: initial + (then(0) − initial) · k/steps, then(k − steps).
 *
 * @param options steps, then, initial (0)
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION, INVALID_ARGUMENT
 * @example
 * const then = schedules.exponential({ initial: 0.1, rate: 0.5, steps: 1000 });
 * optimizers.sgd({ learningRate: schedules.warmup({ steps: 200, then }) });
 * @see Goyal et al. 2017, arXiv:1706.02677, section 2.2
 */
export function warmup(options: WarmupOptions): Warmup {
  return new Warmup(options);
}
