// What a run shows of itself: nothing, a bar per epoch, or plain lines. Only numbers of the model, no times, so that runs with one
// seed print the same.
import cliProgress from 'cli-progress';
import type { Logs } from '../callbacks/callback.js';
import { checkOneOf } from '../options.js';

/** 0 silent, 1 a progress bar, 2 a line per epoch; 'auto': 1 on a terminal, 0 elsewhere. */
export type Verbose = 'auto' | 0 | 1 | 2;

export interface Reporter {
  /** total: batches of the epoch, null where unknown. */
  begin(title: string, total: number | null): void;
  update(steps: number, logs: Logs): void;
  end(steps: number, logs: Logs): void;
  /** After an error, or at the end: gives the terminal back. */
  close(): void;
}

const numberText = (value: number) =>
  Math.abs(value) >= 1e-3 || value === 0 ? value.toFixed(4) : value.toExponential(4);

function logsText(logs: Logs): string {
  return Object.entries(logs)
    .map(([key, value]) => `${key}: ${numberText(value)}`)
    .join(' - ');
}

const silent: Reporter = { begin: () => {}, update: () => {}, end: () => {}, close: () => {} };

/** "Epoch 1/10 - 57/57 - loss: 2.1034 - accuracy: 0.3121" */
class Lines implements Reporter {
  #title = '';
  #total: number | null = null;

  begin(title: string, total: number | null): void {
    this.#title = title;
    this.#total = total;
  }

  update(): void {}

  end(steps: number, logs: Logs): void {
    console.log([this.#title, `${steps}/${this.#total ?? steps}`, logsText(logs)].filter(Boolean).join(' - '));
  }

  close(): void {}
}

class Bars implements Reporter {
  #bar: cliProgress.SingleBar | null = null;

  begin(title: string, total: number | null): void {
    this.#bar = new cliProgress.SingleBar(
      {
        format: `${title ? `${title} ` : ''}{bar} {value}/{total}{logs}`,
        stream: process.stdout,
        barsize: 24,
        hideCursor: true,
        fps: 20,
        etaBuffer: 1,
      },
      cliProgress.Presets.rect,
    );
    this.#bar.start(total ?? 0, 0, { logs: '' });
  }

  update(steps: number, logs: Logs): void {
    const bar = this.#bar;
    if (!bar) return;
    if (steps > bar.getTotal()) bar.setTotal(steps);
    bar.update(steps, { logs: ` - ${logsText(logs)}` });
  }

  end(steps: number, logs: Logs): void {
    this.#bar?.setTotal(Math.max(1, steps));
    this.update(steps, logs);
    this.close();
  }

  close(): void {
    this.#bar?.stop();
    this.#bar = null;
  }
}

export function checkVerbose(what: string, value: unknown): Verbose {
  if (value === undefined) return 'auto';
  if (typeof value === 'boolean') return value ? 1 : 0;
  return checkOneOf<Verbose>(what, value, ['auto', 0, 1, 2]);
}

export function reporterFor(verbose: Verbose): Reporter {
  const terminal = process.stdout.isTTY === true;
  if (verbose === 0 || (verbose === 'auto' && !terminal)) return silent;
  return verbose !== 2 && terminal ? new Bars() : new Lines();
}
