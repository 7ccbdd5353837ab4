// The record of a fit.
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import type { Model } from '../model/model.js';
import { Claims } from '../training/position.js';
import type { Callback, Logs } from './callback.js';

/** What `fit` returns: the numbers of every epoch under Keras's keys. */
export class History implements Callback {
  model?: Model;
  /** Epochs that are recorded, counted from 0. */
  epoch: number[] = [];
  /** One number per epoch for each key: loss, accuracy, val_loss, … */
  history: Record<string, number[]> = {};

  /** It has no options. */
  getConfig(): Config {
    return {};
  }

  getState(): Config {
    return { epoch: this.epoch, history: this.history };
  }

  setState({ epoch, history }: Pick<History, 'epoch' | 'history'>): void {
    this.epoch = [...epoch];
    this.history = Object.fromEntries(Object.entries(history).map(([key, values]) => [key, [...values]]));
  }

  checkState(state: unknown, where: string): void {
    const claims = Claims.of(where, state);
    const { epoch } = claims.values;
    if (!Array.isArray(epoch) || !epoch.every((item) => Number.isSafeInteger(item) && item >= 0))
      claims.fail('epoch', 'a list of whole numbers');
    const history = claims.object('history');
    for (const [key, values] of Object.entries(history.values))
      if (!Array.isArray(values) || !values.every((value) => typeof value === 'number'))
        history.fail(key, 'a list of numbers');
  }

  onTrainBegin(): void {
    this.epoch = [];
    this.history = {};
  }

  onEpochEnd(epoch: number, logs: Logs): void {
    this.epoch.push(epoch);
    for (const [key, value] of Object.entries(logs)) {
      this.history[key] ??= [];
      this.history[key].push(value);
    }
  }
}

/**
 * A callback that records the numbers of every epoch, in `.epoch` and `.history`; `fit` returns one of its own.
 *
 * @example
 * const record = callbacks.history();
 * await net.fit(x, y, { callbacks: [record] });
 * record.history.loss;
 */
export function history(options?: Record<never, never>): History {
  new Options('callbacks.history', options, []);
  return new History();
}
