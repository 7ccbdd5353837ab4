// A number of the logs that callbacks watch: whether smaller or larger is better, and whether it has become better.
import { DownhillError } from '../errors.js';
import type { Options } from '../options.js';
import type { Logs } from './callback.js';

export type Mode = 'auto' | 'min' | 'max';

export interface MonitorOptions {
  /** A key of the epoch's logs: loss, accuracy, val_loss, val_accuracy, … */
  monitor?: string;
  /** Whether smaller ('min') or larger ('max') is better; 'auto' takes 'max' for accuracies and 'min' for everything else. */
  mode?: Mode;
  /** A smaller change does not count. */
  minDelta?: number;
}

const better = /acc(uracy)?$|auc$|precision$|recall$|f1_?score$/i;

export class Monitor {
  readonly key: string;
  readonly mode: Mode;
  readonly minDelta: number;
  readonly #max: boolean;
  readonly #where: string;

  constructor(read: Options<MonitorOptions>) {
    this.#where = read.where;
    this.key = read.text('monitor', 'val_loss');
    this.mode = read.oneOf('mode', ['auto', 'min', 'max'] as const, 'auto');
    this.minDelta = read.has('minDelta') ? read.number('minDelta', 0, { min: 0 }) : 0;
    this.#max = this.mode === 'max' || (this.mode === 'auto' && better.test(this.key));
  }

  /** The watched number; throws UNKNOWN_NAME when the logs do not have it. */
  read(logs: Logs): number {
    const value = logs[this.key];
    if (value !== undefined) return value;
    const hint = this.key.startsWith('val_') ? ' A key with val_ needs validationSplit or validationData.' : '';
    throw new DownhillError(
      'UNKNOWN_NAME',
      `${this.#where}: monitor "${this.key}" is not among the logs: ${Object.keys(logs).join(', ')}.${hint}`,
    );
  }

  /** Whether `value` is better than `reference` by more than minDelta; anything is better than nothing. */
  improves(value: number, reference: number | null): boolean {
    if (reference === null) return true;
    return this.#max ? value - this.minDelta > reference : value + this.minDelta < reference;
  }
}
