// What a schedule is: the learning rate of each update, as an object that can be called.
import { binding, type Schedule as NativeSchedule } from '../binding/index.js';
import type { Configurable } from '../config/registry.js';
import type { Config } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import { checkNumber } from '../options.js';
import { eventually, type Series, series } from './series.js';

/** A function (step) => rate, from which classes can be derived: calling an instance calls its `at`. */
const Callable = function Callable(): unknown {
  const call = (step: number): number => (call as unknown as { at(step: number): number }).at(step);
  Object.defineProperty(call, 'name', { value: new.target!.name });
  return Object.setPrototypeOf(call, new.target!.prototype as object);
} as unknown as abstract new () => (step: number) => number;
Object.setPrototypeOf(Callable.prototype, Function.prototype);

/**
 * Base of the schedules. One of your own overrides at(step), and getConfig() if its model is to be saved.
 *
 * @example
 * class Halving extends schedules.Schedule {
 *   at(step) { return 0.1 / 2 ** Math.floor(step / 1000); }
 *   getConfig() { return {}; }
 * }
 * optimizers.sgd({ learningRate: new Halving() });
 */
export class Schedule extends Callable implements Configurable {
  /** The rate of an update, counted from 0, or of a step where gradients are accumulated under preset 'keras'. */
  at(_step: number): number {
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `The schedule ${this.constructor.name} must override at(step), which gives the rate of an update.`,
    );
  }

  /** What an equal schedule can be made from, as plain JSON. */
  getConfig(): Config {
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `The schedule ${this.constructor.name} must override getConfig() so that its model can be saved.`,
    );
  }

  /** What schedules.check says of it. One of your own may override it. */
  series(): Series {
    return series(
      `Nothing is known of ${this.constructor.name}, which does not override series()`,
      'unknown',
      'unknown',
    );
  }

  /** What evaluates it without JavaScript; null: nothing does. @internal */
  get native(): NativeSchedule | null {
    return null;
  }
}

/** A schedule, or a function (step) => rate; updates (or steps, see Schedule.at) are counted from 0. */
export type ScheduleLike = Schedule | ((step: number) => number);

/** The rate at a step; what a user's own schedule gives is checked. */
export function rateOf(what: string, schedule: ScheduleLike, step: number): number {
  return checkNumber(`${what}: the rate at step ${step}`, schedule(step), { min: 0 });
}

export function nativeOf(schedule: ScheduleLike): NativeSchedule | null {
  return schedule instanceof Schedule ? schedule.native : null;
}

export function seriesOf(schedule: ScheduleLike | number): Series {
  if (typeof schedule === 'number') return eventually(schedule, 0);
  if (schedule instanceof Schedule) return schedule.series();
  return series('Nothing is known of a plain function', 'unknown', 'unknown');
}

/** A number stands for itself at every step. */
export function checkSchedule(what: string, value: unknown): ScheduleLike | number {
  if (typeof value === 'number') return checkNumber(what, value, { min: 0 });
  if (typeof value === 'function') return value as ScheduleLike;
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${what} must be a number at least 0, a schedule or a function (step) => rate; received ${show(value)}.`,
  );
}

/** A kind of native/optim/schedule.cpp. */
export function nativeSchedule(
  kind: string,
  numbers: readonly number[],
  children: readonly NativeSchedule[] = [],
): NativeSchedule {
  return binding.scheduleNew(kind, Float64Array.from(numbers), [...children]);
}
