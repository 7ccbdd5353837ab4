// Ends a fit whose loss is not finite, and says where that comes from.
import type { Config } from '../config/values.js';
import type { NonFinite } from '../diagnostics/non-finite.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import type { Callback } from './callback.js';

/** What terminateOnNaN found. */
export interface Termination extends Partial<Pick<NonFinite, 'layer' | 'weights'>> {
  /** Counted from 0, as in hooks: the batch whose loss is not finite. */
  epoch: number;
  batch: number;
  /** The same in words. */
  message: string;
}

export class TerminateOnNaN implements Callback {
  model?: Model;
  #found: Termination | null = null;

  constructor(options?: object) {
    new Options('callbacks.terminateOnNaN', options, []);
  }

  /** It has no options. */
  getConfig(): Config {
    return {};
  }

  /** Why it ended the fit; null while it has not. */
  get found(): Termination | null {
    return this.#found;
  }

  onTrainBegin(): void {
    this.#found = null;
  }

  /** Called by fit, in place of an error, for a batch that has changed nothing. */
  terminate(found: Termination): void {
    this.#found = found;
    process.emitWarning(`callbacks.terminateOnNaN: ${found.message} Training ends.`, 'DownhillWarning');
    this.model!.stopTraining = true;
  }
}

/**
 * Ends the fit at the first batch whose loss is NaN or infinite: fit resolves, the weights are those before that batch, and the epoch's loss, and whatever is validated,
 * is NaN.
 * `found` names the epoch, the batch, the first layer whose output (or the last whose gradient) is not finite, and the weights that hold NaN: the batch is run again
 * with a look at each layer. A warning says the same. Without this callback fit rejects with NON_FINITE, or goes on, as onNonFinite says; Keras's callback
 * ends the training after the update has spoilt the weights.
 *
 * @example
 * const watch = callbacks.terminateOnNaN();
 * await net.fit(x, y, { epochs: 100, callbacks: [watch] });
 * watch.found?.layer?.name;
 * @see https://keras.io/api/callbacks/terminate_on_nan/
 */
export function terminateOnNaN(options?: object): TerminateOnNaN {
  return new TerminateOnNaN(options);
}
