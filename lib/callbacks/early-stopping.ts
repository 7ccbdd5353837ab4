// Early stopping.
import type { Config } from '../config/values.js';
import { trainingGradientNorm } from '../diagnostics/training-gradient.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import { sameShape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { Claims } from '../training/position.js';
import type { Callback, Logs } from './callback.js';
import { better, type Mode, Monitored, modes, prefersLarger, worst } from './monitor.js';

export interface EarlyStoppingOptions {
  /** Key of the logs; 'val_loss' by default. */
  monitor?: string;
  /** What counts as an improvement is more than this; 0 by default. */
  minDelta?: number;
  /** Epochs without improvement after which the fit ends; 0 by default. */
  patience?: number;
  /** 1: prints when it stops; 0 by default. */
  verbose?: 0 | 1;
  /** Whether smaller or larger is better; 'auto', the default, goes by the name. */
  mode?: Mode;
  /** Patience is renewed only by values better than this, too. */
  baseline?: number | null;
  /** At the end of the fit, the weights become those of the best epoch; false by default. */
  restoreBestWeights?: boolean;
  /** Epochs before this one do not count; 0 by default. */
  startFromEpoch?: number;
  /**
   * Rows of the training data, the last that were trained on, whose gradient is measured when it stops: see `gradientNorm` of the callback. 1024
   * by default, 0: not at all.
   */
  gradientRows?: number;
}

interface State {
  wait: number;
  best: number;
  bestEpoch: number;
  stoppedEpoch: number;
  bestWeights: Tensor[] | null;
  gradientNorm: number | null;
}

const fresh = (best: number): State => ({
  wait: 0,
  best,
  bestEpoch: 0,
  stoppedEpoch: 0,
  bestWeights: null,
  gradientNorm: null,
});

export class EarlyStopping implements Callback {
  model?: Model;
  readonly #options: Required<EarlyStoppingOptions>;
  readonly #larger: boolean;
  readonly #monitored: Monitored;
  #state: State;

  constructor(options?: EarlyStoppingOptions) {
    const read = new Options<EarlyStoppingOptions>('callbacks.earlyStopping', options, [
      'monitor',
      'minDelta',
      'patience',
      'verbose',
      'mode',
      'baseline',
      'restoreBestWeights',
      'startFromEpoch',
      'gradientRows',
    ]);
    this.#options = {
      monitor: read.text('monitor', 'val_loss'),
      minDelta: Math.abs(read.number('minDelta', 0)),
      patience: read.count('patience', 0, { min: 0 }),
      verbose: read.oneOf('verbose', [0, 1] as const, 0),
      mode: read.oneOf('mode', modes, 'auto'),
      baseline: read.optionalNumber('baseline') ?? null,
      restoreBestWeights: read.flag('restoreBestWeights', false),
      startFromEpoch: read.count('startFromEpoch', 0, { min: 0 }),
      gradientRows: read.count('gradientRows', 1024, { min: 0 }),
    };
    this.#larger = prefersLarger(this.#options.mode, this.#options.monitor);
    this.#monitored = new Monitored('callbacks.earlyStopping', this.#options.monitor);
    this.#state = fresh(worst(this.#larger));
  }

  getConfig(): Config {
    return { ...this.#options };
  }

  /** The epoch that ended the fit, counted from 0; 0 while none has. */
  get stoppedEpoch(): number {
    return this.#state.stoppedEpoch;
  }

  /** The best value so far; before the first one, the worst there is. */
  get best(): number {
    return this.#state.best;
  }

  /** The epoch of the best value, counted from 0. */
  get bestEpoch(): number {
    return this.#state.bestEpoch;
  }

  /**
   * ‖g‖₂ of the training loss at the weights at which it stopped, on the last `gradientRows` rows that were trained on, without dropout; of a fit over
   * an iterable, on the last batch. Null while it has not stopped. It is often still large: the stop is not one of pure optimization.
   */
  get gradientNorm(): number | null {
    return this.#state.gradientNorm;
  }

  getState(): State {
    return { ...this.#state };
  }

  setState(state: State): void {
    this.#state = { ...state, gradientNorm: state.gradientNorm ?? null };
    // Saved after it had ended its fit.
    if (state.stoppedEpoch > 0 && state.wait >= this.#options.patience) this.model!.stopTraining = true;
  }

  checkState(state: unknown, where: string): void {
    const claims = Claims.of(where, state);
    for (const key of ['wait', 'bestEpoch', 'stoppedEpoch'] as const) claims.count(key);
    claims.number('best');
    // Files of version 0.1 have none.
    if ((claims.values.gradientNorm ?? null) !== null) claims.number('gradientNorm');
    const { bestWeights } = claims.values;
    if (bestWeights === null) return;
    const { weights } = this.model!;
    const fits = (value: unknown, i: number) =>
      value instanceof Tensor && value.dtype === 'float32' && sameShape(value.shape, weights[i].shape);
    if (!Array.isArray(bestWeights) || bestWeights.length !== weights.length || !bestWeights.every(fits))
      claims.fail('bestWeights', 'null or tensors of the shapes of the weights');
  }

  onTrainBegin(): void {
    this.#state = fresh(worst(this.#larger));
  }

  onEpochEnd(epoch: number, logs: Logs): void | Promise<void> {
    const { patience, baseline, restoreBestWeights, startFromEpoch } = this.#options;
    const current = this.#monitored.in(logs);
    if (current === undefined || epoch < startFromEpoch) return;
    const state = this.#state;
    if (restoreBestWeights && !state.bestWeights) this.#keep(epoch);
    state.wait++;
    if (this.#better(current, state.best)) {
      state.best = current;
      state.bestEpoch = epoch;
      if (restoreBestWeights) this.#keep(epoch);
      if (baseline === null || this.#better(current, baseline)) state.wait = 0;
      return;
    }
    if (state.wait < patience || epoch === 0) return;
    state.stoppedEpoch = epoch;
    this.model!.stopTraining = true;
    if (this.#options.gradientRows > 0) return this.#measure(state);
  }

  onTrainEnd(): void {
    const { verbose, monitor } = this.#options;
    const { stoppedEpoch, bestEpoch, best, bestWeights } = this.#state;
    if (verbose && stoppedEpoch > 0)
      console.log(`Epoch ${stoppedEpoch + 1}: early stopping; ${monitor} was best in epoch ${bestEpoch + 1}: ${best}.`);
    if (bestWeights) this.model!.setWeights(bestWeights);
  }

  async #measure(state: State): Promise<void> {
    state.gradientNorm = await trainingGradientNorm(this.model!, this.#options.gradientRows);
  }

  #keep(epoch: number): void {
    this.#state.bestWeights = this.model!.getWeights();
    this.#state.bestEpoch = epoch;
  }

  #better(value: number, reference: number): boolean {
    return better(this.#larger, this.#options.minDelta, value, reference);
  }
}

/**
 * Ends the fit when a number has not improved for `patience` epochs. Its state is saved and resumed with the model. What is stopped on may be
 * the loss that is meant, such as the zero-one loss, which has no gradient, while another one is trained on.
 *
 * @param options monitor ('val_loss'), minDelta (0), patience (0), mode ('auto'), baseline, restoreBestWeights (false), startFromEpoch (0),
 *   gradientRows (1024), verbose (0)
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE
 * @example
 * callbacks.earlyStopping({ monitor: 'val_loss', patience: 5, restoreBestWeights: true });
 * // The true loss, on rows that are held back:
 * net.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['zeroOneLoss'] });
 * const stopping = callbacks.earlyStopping({ monitor: 'val_zeroOneLoss', patience: 5, restoreBestWeights: true });
 * await net.fit(x, y, { epochs: 100, validationSplit: 0.2, callbacks: [stopping] });
 * @see https://keras.io/api/callbacks/early_stopping/
 */
export function earlyStopping(options?: EarlyStoppingOptions): EarlyStopping {
  return new EarlyStopping(options);
}
