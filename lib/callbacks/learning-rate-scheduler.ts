// A learning rate for each epoch.
import type { Config } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import type { Model } from '../model/model.js';
import { checkFunction, checkNumber, Options } from '../options.js';
import type { Callback, Logs } from './callback.js';
import { logRate, optimizerOf } from './learning-rate.js';

/** From the epoch, counted from 0, and the rate so far. One of `schedules` counts epochs here. */
export type RateOfEpoch = (epoch: number, learningRate: number) => number;

export interface LearningRateSchedulerOptions {
  schedule: RateOfEpoch;
  /** 1: prints the rate of each epoch; 0 by default. */
  verbose?: 0 | 1;
}

const where = 'callbacks.learningRateScheduler';

export class LearningRateScheduler implements Callback {
  model?: Model;
  readonly #schedule: RateOfEpoch;
  readonly #verbose: 0 | 1;

  constructor(options: LearningRateSchedulerOptions) {
    const read = new Options<LearningRateSchedulerOptions>(where, options, ['schedule', 'verbose']);
    this.#schedule = checkFunction(read.what('schedule'), read.required('schedule'));
    this.#verbose = read.oneOf('verbose', [0, 1] as const, 0);
  }

  getConfig(): Config {
    return { schedule: this.#schedule as unknown as Config, verbose: this.#verbose };
  }

  onTrainBegin(): void {
    optimizerOf(where, this.model!);
  }

  onEpochBegin(epoch: number): void {
    const optimizer = optimizerOf(where, this.model!);
    const rate: unknown = this.#schedule(epoch, optimizer.learningRate);
    if (typeof rate !== 'number')
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${where}: schedule must give a number for epoch ${epoch}; it gave ${show(rate)}.`,
      );
    optimizer.learningRate = checkNumber(`${where}: the rate of epoch ${epoch}`, rate, { min: 0 });
    if (this.#verbose) console.log(`Epoch ${epoch + 1}: the learning rate is ${rate}.`);
  }

  onEpochEnd(_epoch: number, logs: Logs): void {
    logRate(logs, this.model!);
  }
}

/**
 * Sets the learning rate at the beginning of every epoch: ε ← schedule(epoch, ε). Callbacks after it see the rate in the logs as
 * `learning_rate`, and so does the history. The optimizer must have a number as learningRate, not a schedule.
 *
 * @param schedule a function, or { schedule, verbose (0) }; a schedule of `schedules` is asked with the epoch
 * @throws INVALID_ARGUMENT, OUT_OF_RANGE; through fit INVALID_ARGUMENT where the optimizer follows a schedule, or for what is no number
 * @example
 * callbacks.learningRateScheduler((epoch, rate) => (epoch < 10 ? rate : rate * Math.exp(-0.1)));
 * @see https://keras.io/api/callbacks/learning_rate_scheduler/
 */
export function learningRateScheduler(schedule: RateOfEpoch | LearningRateSchedulerOptions): LearningRateScheduler {
  return new LearningRateScheduler(typeof schedule === 'function' ? { schedule } : schedule);
}
