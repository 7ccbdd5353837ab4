// The callback protocol: Keras's hooks in camelCase, each awaited.
import { DownhillError, nearest, show } from '../errors.js';
import type { Model } from '../model/model.js';

/** Numbers by Keras's keys: loss, accuracy, val_loss, … */
export type Logs = Record<string, number>;

type Begin = (logs: Logs) => unknown;
type Counted = (index: number, logs: Logs) => unknown;

/** Any of the hooks. Batch logs are means over the epoch so far. */
export interface Callback {
  /** The model in training; set before the first hook. */
  model?: Model;
  onTrainBegin?: Begin;
  onTrainEnd?: Begin;
  onEpochBegin?: Counted;
  onEpochEnd?: Counted;
  onTrainBatchBegin?: Counted;
  onTrainBatchEnd?: Counted;
  onTestBegin?: Begin;
  onTestEnd?: Begin;
  onTestBatchBegin?: Counted;
  onTestBatchEnd?: Counted;
  onPredictBegin?: Begin;
  onPredictEnd?: Begin;
  onPredictBatchBegin?: Counted;
  onPredictBatchEnd?: Counted;
}

export type Hook = Exclude<keyof Callback, 'model'>;

export const hooks: readonly Hook[] = [
  'onTrainBegin',
  'onTrainEnd',
  'onEpochBegin',
  'onEpochEnd',
  'onTrainBatchBegin',
  'onTrainBatchEnd',
  'onTestBegin',
  'onTestEnd',
  'onTestBatchBegin',
  'onTestBatchEnd',
  'onPredictBegin',
  'onPredictEnd',
  'onPredictBatchBegin',
  'onPredictBatchEnd',
];

/** A misspelt hook would be silently ignored otherwise. */
function checkHooks(where: string, callback: object): void {
  for (
    let level = callback;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level) as object
  )
    for (const key of Object.getOwnPropertyNames(level)) {
      if (!/^on[A-Z]/.test(key)) continue;
      if (!(hooks as readonly string[]).includes(key)) {
        const hint = nearest(key, hooks);
        throw new DownhillError(
          'UNKNOWN_OPTION',
          `${where}: unknown hook "${key}".${hint ? ` Did you mean "${hint}"?` : ''} Known hooks: ${hooks.join(', ')}.`,
        );
      }
      const value: unknown = (callback as Record<string, unknown>)[key];
      if (value !== undefined && typeof value !== 'function')
        throw new DownhillError('INVALID_ARGUMENT', `${where}: ${key} must be a function; received ${show(value)}.`);
    }
}

/** Not enumerable, so that JSON.stringify(history) holds the numbers and not the model. A frozen callback goes without. */
function setModel(callback: Callback, model: Model): void {
  Reflect.defineProperty(callback, 'model', { value: model, configurable: true, writable: true, enumerable: false });
}

/** The callbacks of one run, called one after the other. */
export class CallbackList {
  readonly #callbacks: readonly Callback[];
  readonly #used: ReadonlySet<Hook>;

  constructor(where: string, callbacks: unknown, model: Model, own: readonly Callback[] = []) {
    if (callbacks !== undefined && !Array.isArray(callbacks))
      throw new DownhillError('INVALID_ARGUMENT', `${where} must be a list of callbacks; received ${show(callbacks)}.`);
    const given = (callbacks ?? []) as unknown[];
    for (const [i, callback] of given.entries()) {
      if (typeof callback !== 'object' || callback === null)
        throw new DownhillError(
          'INVALID_ARGUMENT',
          `${where}[${i}] must be an object with hooks such as onEpochEnd; received ${show(callback)}.`,
        );
      checkHooks(`${where}[${i}]`, callback);
    }
    this.#callbacks = [...(given as Callback[]), ...own];
    this.#used = new Set(hooks.filter((hook) => this.#callbacks.some((callback) => callback[hook] !== undefined)));
    for (const callback of this.#callbacks) setModel(callback, model);
  }

  /** Whether any callback has one of these hooks. */
  has(...wanted: Hook[]): boolean {
    return wanted.some((hook) => this.#used.has(hook));
  }

  /** Calls a hook of every callback that has it. */
  async call(hook: Hook, ...args: [logs: Logs] | [index: number, logs: Logs]): Promise<void> {
    if (!this.#used.has(hook)) return;
    for (const callback of this.#callbacks)
      await (callback[hook] as ((...args: unknown[]) => unknown) | undefined)?.(...args);
  }
}
