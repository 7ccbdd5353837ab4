// The callback protocol: Keras's hooks in camelCase, each awaited.
import { DownhillError, nearest, show } from '../errors.js';
import type { Model } from '../model/model.js';
import type { CallbackState } from '../training/position.js';

/** Numbers by Keras's keys: loss, accuracy, val_loss, … */
export type Logs = Record<string, number>;

type Begin = (logs: Logs) => unknown;
type Counted = (index: number, logs: Logs) => unknown;

/**
 * Any of the hooks. Batch logs are means over the epoch so far. A callback whose work outlives a restart has getState and setState too: what
 * getState gives is saved with the model, and a resumed fit hands it to setState after onTrainBegin.
 */
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
  /** What it needs to go on, as plain JSON in which Tensors may stand. Called between two steps, at every save. */
  getState?(): unknown;
  /** Takes what getState gave; the callbacks of a resumed fit are matched by class and order. */
  setState?(state: never): void;
  /** Throws when what a file holds as its state cannot be one, named by `where`: asked before a resumed fit changes anything. */
  checkState?(state: unknown, where: string): void;
  /** Whether a fit may be resumed without this callback: what it remembers decides nothing of the training. False by default. */
  readonly optionalState?: boolean;
}

export type Hook = Exclude<keyof Callback, 'model' | 'getState' | 'setState' | 'checkState' | 'optionalState'>;

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
  /** The given ones, then the caller's own. */
  readonly all: readonly Callback[];
  readonly #given: readonly Callback[];
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
    this.#given = given as Callback[];
    this.all = [...this.#given, ...own];
    this.#used = new Set(hooks.filter((hook) => this.all.some((callback) => callback[hook] !== undefined)));
    for (const callback of this.all) setModel(callback, model);
  }

  /** Whether any callback has one of these hooks. */
  has(...wanted: Hook[]): boolean {
    return wanted.some((hook) => this.#used.has(hook));
  }

  /** Calls a hook of every callback that has it. */
  async call(hook: Hook, ...args: [logs: Logs] | [index: number, logs: Logs]): Promise<void> {
    await this.callFrom(0, () => {}, hook, ...args);
  }

  /** The same, without the first `from` callbacks; `reached` is told how many there are with the one that is being called. */
  async callFrom(
    from: number,
    reached: (next: number) => void,
    hook: Hook,
    ...args: [logs: Logs] | [index: number, logs: Logs]
  ): Promise<void> {
    if (!this.#used.has(hook)) return;
    for (let i = from; i < this.all.length; i++) {
      reached(i + 1);
      await (this.all[i][hook] as ((...args: unknown[]) => unknown) | undefined)?.call(this.all[i], ...args);
    }
  }

  /** The states of the given callbacks that have any. */
  states(): CallbackState[] {
    return this.#stateful().map(([name, callback]) => [name, callback.getState!(), callback.optionalState === true]);
  }

  /** Throws INVALID_ARGUMENT for a state that no callback of its name takes, CORRUPT_FILE for one that cannot be. */
  checkStates(where: string, states: readonly CallbackState[]): void {
    const stateful = new Map(this.#stateful());
    const lost = states.filter(([name, , optional]) => !optional && !stateful.has(name)).map(([name]) => name);
    if (lost.length > 0)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${where} holds the state of callbacks that this fit does not have: ${lost.join(', ')}. Pass the same callbacks.`,
      );
    for (const [name, state] of states) stateful.get(name)?.checkState?.(state, `${where}: the state of ${name}`);
  }

  /** Gives callbacks the states of those that had their names. */
  restore(states: readonly CallbackState[]): void {
    const stateful = new Map(this.#stateful());
    for (const [name, state] of states) stateful.get(name)?.setState?.(state as never);
  }

  /** By class, numbered. */
  #stateful(): [name: string, callback: Callback][] {
    const counts = new Map<string, number>();
    return this.#given
      .filter((callback) => typeof callback.getState === 'function')
      .map((callback) => {
        const kind = callback.constructor?.name ?? 'Object';
        const count = counts.get(kind) ?? 0;
        counts.set(kind, count + 1);
        return [count === 0 ? kind : `${kind}_${count}`, callback];
      });
  }
}
