// A smaller learning rate where a number has stopped improving.
import type { Config } from '../config/values.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import { Claims } from '../training/position.js';
import type { Callback, Logs } from './callback.js';
import { logRate, optimizerOf } from './learning-rate.js';
import { better, type Mode, Monitored, modes, prefersLarger, worst } from './monitor.js';

export interface ReduceLROnPlateauOptions {
  /** Key of the logs; 'val_loss' by default. */
  monitor?: string;
  /** The rate is multiplied by this, in [0, 1); 0.1 by default. */
  factor?: number;
  /** Epochs without improvement after which it is; 10 by default. */
  patience?: number;
  /** 1: prints each new rate; 0 by default. */
  verbose?: 0 | 1;
  /** Whether smaller or larger is better; 'auto', the default, goes by the name. */
  mode?: Mode;
  /** What counts as an improvement is more than this; 1e-4 by default. */
  minDelta?: number;
  /** Epochs after a reduction in which nothing is counted; 0 by default. */
  cooldown?: number;
  /** The rate goes no lower; 0 by default. */
  minLr?: number;
}

interface State {
  wait: number;
  cooldown: number;
  best: number;
}

const where = 'callbacks.reduceLROnPlateau';

export class ReduceLROnPlateau implements Callback {
  model?: Model;
  readonly #options: Required<ReduceLROnPlateauOptions>;
  readonly #larger: boolean;
  readonly #monitored: Monitored;
  #state: State;

  constructor(options?: ReduceLROnPlateauOptions) {
    const read = new Options<ReduceLROnPlateauOptions>(where, options, [
      'monitor',
      'factor',
      'patience',
      'verbose',
      'mode',
      'minDelta',
      'cooldown',
      'minLr',
    ]);
    this.#options = {
      monitor: read.text('monitor', 'val_loss'),
      factor: read.number('factor', 0.1, { min: 0, below: 1 }),
      patience: read.count('patience', 10, { min: 0 }),
      verbose: read.oneOf('verbose', [0, 1] as const, 0),
      mode: read.oneOf('mode', modes, 'auto'),
      minDelta: Math.abs(read.number('minDelta', 1e-4)),
      cooldown: read.count('cooldown', 0, { min: 0 }),
      minLr: read.number('minLr', 0, { min: 0 }),
    };
    this.#larger = prefersLarger(this.#options.mode, this.#options.monitor);
    this.#monitored = new Monitored(where, this.#options.monitor);
    this.#state = this.#fresh();
  }

  getConfig(): Config {
    return { ...this.#options };
  }

  /** The best value so far; before the first one, the worst there is. */
  get best(): number {
    return this.#state.best;
  }

  getState(): State {
    return { ...this.#state };
  }

  setState({ wait, cooldown, best }: State): void {
    this.#state = { wait, cooldown, best };
  }

  checkState(state: unknown, where: string): void {
    const claims = Claims.of(where, state);
    for (const key of ['wait', 'cooldown'] as const) claims.count(key);
    claims.number('best');
  }

  onTrainBegin(): void {
    optimizerOf(where, this.model!);
    this.#state = this.#fresh();
  }

  onEpochEnd(epoch: number, logs: Logs): void {
    logRate(logs, this.model!);
    const current = this.#monitored.in(logs);
    if (current === undefined) return;
    const { patience, minDelta } = this.#options;
    const state = this.#state;
    if (state.cooldown > 0) state.cooldown--;
    if (better(this.#larger, minDelta, current, state.best)) {
      state.best = current;
      state.wait = 0;
    } else if (state.cooldown === 0 && ++state.wait >= patience) this.#reduce(epoch);
  }

  #reduce(epoch: number): void {
    const { factor, minLr, cooldown, verbose } = this.#options;
    const optimizer = optimizerOf(where, this.model!);
    if (optimizer.learningRate <= minLr) return;
    optimizer.learningRate = Math.max(optimizer.learningRate * factor, minLr);
    if (verbose) console.log(`Epoch ${epoch + 1}: the learning rate becomes ${optimizer.learningRate}.`);
    this.#state.cooldown = cooldown;
    this.#state.wait = 0;
  }

  #fresh(): State {
    return { wait: 0, cooldown: 0, best: worst(this.#larger) };
  }
}

/**
 * Multiplies the learning rate by `factor` when a number has not improved by more than `minDelta` for `patience` epochs: ε ← max(factor · ε,
 * minLr). Callbacks after it see the rate of the epoch in the logs as `learning_rate`, and so does the history. Its state and the rate are
 * saved and resumed with the model. The optimizer must have a number as learningRate, not a schedule. Unlike Keras, where a first
 * value of NaN stays the best for ever, NaN is never an improvement.
 *
 * @param options monitor ('val_loss'), factor (0.1), patience (10), mode ('auto'), minDelta (1e-4), cooldown (0), minLr (0), verbose (0)
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE; INVALID_ARGUMENT through fit where the optimizer follows a schedule
 * @example
 * callbacks.reduceLROnPlateau({ monitor: 'val_loss', factor: 0.5, patience: 3, minLr: 1e-5 });
 * @see https://keras.io/api/callbacks/reduce_lr_on_plateau/
 */
export function reduceLROnPlateau(options?: ReduceLROnPlateauOptions): ReduceLROnPlateau {
  return new ReduceLROnPlateau(options);
}
