// Stopping when a number of the validation gets no better.
import type { Config } from '../config/values.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Callback, Logs } from './callback.js';
import { Monitor, type MonitorOptions } from './monitor.js';

export interface EarlyStoppingOptions extends MonitorOptions {
  /** Epochs without an improvement after which to stop. */
  patience?: number;
  /** What the number must beat for the patience to begin anew. */
  baseline?: number | null;
  /** Ends with the weights of the best epoch instead of the last one's. */
  restoreBestWeights?: boolean;
  /** The first epoch, counted from 0, that is watched. */
  startFromEpoch?: number;
}

export class EarlyStopping implements Callback {
  model?: Model;
  readonly #monitor: Monitor;
  readonly #patience: number;
  readonly #baseline: number | null;
  readonly #restore: boolean;
  readonly #startFrom: number;
  /** The best number so far and its epoch, counted from 0. */
  best: number | null = null;
  bestEpoch = 0;
  /** The epoch that stopped the fit; 0 when none did. */
  stoppedEpoch = 0;
  #wait = 0;
  #weights: Tensor[] | null = null;

  constructor(options?: EarlyStoppingOptions) {
    const read = new Options<EarlyStoppingOptions>('callbacks.earlyStopping', options, [
      'monitor',
      'minDelta',
      'patience',
      'mode',
      'baseline',
      'restoreBestWeights',
      'startFromEpoch',
    ]);
    this.#monitor = new Monitor(read as Options<MonitorOptions>);
    this.#patience = read.count('patience', 0, { min: 0 });
    this.#baseline = read.optionalNumber('baseline') ?? null;
    this.#restore = read.flag('restoreBestWeights', false);
    this.#startFrom = read.count('startFromEpoch', 0, { min: 0 });
  }

  getConfig(): Config {
    return {
      monitor: this.#monitor.key,
      minDelta: this.#monitor.minDelta,
      patience: this.#patience,
      mode: this.#monitor.mode,
      baseline: this.#baseline,
      restoreBestWeights: this.#restore,
      startFromEpoch: this.#startFrom,
    };
  }

  onTrainBegin(): void {
    this.best = null;
    this.bestEpoch = this.stoppedEpoch = this.#wait = 0;
    this.#keep(null);
  }

  onEpochEnd(epoch: number, logs: Logs): void {
    if (epoch < this.#startFrom) return;
    const value = this.#monitor.read(logs);
    if (this.#restore && !this.#weights) this.#remember(epoch);
    this.#wait++;
    if (this.#monitor.improves(value, this.best)) {
      this.best = value;
      this.bestEpoch = epoch;
      if (this.#restore) this.#remember(epoch);
      if (this.#baseline === null || this.#monitor.improves(value, this.#baseline)) this.#wait = 0;
      return;
    }
    if (this.#wait < this.#patience || epoch === 0) return;
    this.stoppedEpoch = epoch;
    this.model!.stopTraining = true;
  }

  onTrainEnd(): void {
    if (this.#weights) this.model!.setWeights(this.#weights);
    this.#keep(null);
  }

  #remember(epoch: number): void {
    this.bestEpoch = epoch;
    this.#keep(this.model!.getWeights());
  }

  #keep(weights: Tensor[] | null): void {
    for (const weight of this.#weights ?? []) weight.dispose();
    this.#weights = weights;
  }
}

/**
 * Stops a fit when a number of its logs has not become better for `patience` epochs. The usual choice is the true loss on held-out
 * data, such as `val_zeroOneLoss`, rather than the surrogate that is trained on.
 *
 * @param options monitor ('val_loss'), minDelta, patience (0), mode ('auto'), baseline, restoreBestWeights (from memory), startFromEpoch
 * @throws UNKNOWN_NAME in the fit when the logs have no such key
 * @example
 * const stop = callbacks.earlyStopping({ monitor: 'val_zeroOneLoss', patience: 5, restoreBestWeights: true });
 * await net.fit(x, y, { epochs: 500, validationSplit: 0.1, callbacks: [stop] });
 * stop.bestEpoch;
 */
export function earlyStopping(options?: EarlyStoppingOptions): EarlyStopping {
  return new EarlyStopping(options);
}
