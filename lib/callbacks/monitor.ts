// What callbacks that watch a number of the logs have in common.
import { nearest } from '../errors.js';
import type { Logs } from './callback.js';

export type Mode = 'auto' | 'min' | 'max';
export const modes: readonly Mode[] = ['auto', 'min', 'max'];

/** Whether larger values are better; 'auto' goes by the name. */
export function prefersLarger(mode: Mode, monitor: string): boolean {
  return mode === 'max' || (mode === 'auto' && /acc|auc|precision|recall|f1|fbeta|similarity/i.test(monitor));
}

/** Before the first value. */
export function worst(larger: boolean): number {
  return larger ? -Infinity : Infinity;
}

/** Whether a value is better than a reference, by more than minDelta. */
export function better(larger: boolean, minDelta: number, value: number, reference: number): boolean {
  return larger ? value - minDelta > reference : value + minDelta < reference;
}

/** The number to watch; warns once and gives undefined where the logs lack it. */
export class Monitored {
  #warned = false;

  constructor(
    readonly where: string,
    readonly name: string,
  ) {}

  in(logs: Logs): number | undefined {
    const value = Object.hasOwn(logs, this.name) ? logs[this.name] : undefined;
    if (value !== undefined || this.#warned) return value;
    this.#warned = true;
    const hint = nearest(this.name, Object.keys(logs));
    process.emitWarning(
      `${this.where}: the logs have no "${this.name}", so that it does nothing. They have ${Object.keys(logs).join(', ')}.` +
        (hint === undefined ? '' : ` Did you mean "${hint}"?`) +
        (this.name.startsWith('val_') ? ' Numbers with val_ need validationData or validationSplit.' : ''),
      'DownhillWarning',
    );
    return undefined;
  }
}
