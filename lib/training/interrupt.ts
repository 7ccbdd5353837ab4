// Abort signals: the run in hand ends after its step, and whatever else is awaited is left alone.
import { DownhillError, show } from '../errors.js';

export class Interrupt {
  readonly #signal: AbortSignal | null;
  readonly #stop: () => void;
  readonly #aborted: Promise<never> | null;
  #reject: (reason: unknown) => void = () => {};

  /** stop: called at once when the signal aborts. Throws the signal's reason when it has aborted already. */
  constructor(signal: unknown, stop: () => void) {
    if (signal !== undefined && signal !== null && !(signal instanceof AbortSignal))
      throw new DownhillError('INVALID_ARGUMENT', `signal must be an AbortSignal; received ${show(signal)}.`);
    this.#signal = signal ?? null;
    this.#signal?.throwIfAborted();
    this.#stop = () => {
      stop();
      this.#reject(this.#signal?.reason);
    };
    this.#aborted =
      this.#signal &&
      new Promise<never>((_, reject) => {
        this.#reject = reject;
      });
    this.#aborted?.catch(() => undefined);
    this.#signal?.addEventListener('abort', this.#stop, { once: true });
  }

  /** Throws the reason when the signal has aborted. */
  check(): void {
    this.#signal?.throwIfAborted();
  }

  /** Awaits work of the user's own, but no longer than until the signal aborts. */
  async race<T>(work: Promise<T>): Promise<T> {
    if (!this.#aborted) return work;
    work.catch(() => undefined);
    const result = await Promise.race([work, this.#aborted]);
    this.check();
    return result;
  }

  close(): void {
    this.#signal?.removeEventListener('abort', this.#stop);
  }
}
