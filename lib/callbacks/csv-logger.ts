// The numbers of every epoch in a text file.
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import { Claims } from '../training/position.js';
import type { Callback, Logs } from './callback.js';
import { csvLine, firstLine } from './csv.js';

export interface CSVLoggerOptions {
  /** The file; folders are made. */
  path: string;
  /** Between fields: one character; ',' by default. */
  separator?: string;
  /** Whether rows are added to a file that is there; it is written anew by default. */
  append?: boolean;
}

interface State {
  path: string;
  /** Names of the file's columns but the first; null before the first row. */
  keys: string[] | null;
  /** Bytes of the file with the rows so far. */
  size: number;
}

const where = 'callbacks.csvLogger';

export class CSVLogger implements Callback {
  model?: Model;
  /** A fit may go on without it. */
  readonly optionalState = true;
  readonly #options: Required<CSVLoggerOptions>;
  #state: State;
  /** The file is one of this fit, ready for the next row. */
  #ready = false;

  constructor(options: CSVLoggerOptions) {
    const read = new Options<CSVLoggerOptions>(where, options, ['path', 'separator', 'append']);
    this.#options = {
      path: read.text('path'),
      separator: read.text('separator', ','),
      append: read.flag('append', false),
    };
    this.#state = { path: this.#options.path, keys: null, size: 0 };
    if (!/^[^"\r\n]$/.test(this.#options.separator))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${where}: separator must be one character that is no quote and no line break; received ${show(this.#options.separator)}.`,
      );
  }

  getConfig(): Config {
    return { ...this.#options };
  }

  getState(): State {
    return { ...this.#state };
  }

  /** Rows that were written after the file of the model was saved are written again: they go. */
  setState({ path, keys, size }: State): void {
    // Another file is treated as in a fit of its own.
    if (path !== this.#options.path || this.#size() < size) return;
    this.#guard(() => {
      if (keys !== null && !this.#sameColumns(keys)) return;
      truncateSync(path, size);
      this.#state = { path, keys, size };
      this.#ready = keys !== null;
    });
  }

  checkState(state: unknown, where: string): void {
    const claims = Claims.of(where, state);
    claims.count('size');
    const { path, keys } = claims.values;
    if (typeof path !== 'string') claims.fail('path', 'a text');
    if (keys !== null && !(Array.isArray(keys) && keys.every((key) => typeof key === 'string')))
      claims.fail('keys', 'null or a list of texts');
  }

  /** A file that cannot be written is told of before the training; what is in it stays until the first row. */
  onTrainBegin(): void {
    const { path, append } = this.#options;
    this.#ready = false;
    this.#guard(() => {
      mkdirSync(dirname(path), { recursive: true });
      closeSync(openSync(path, 'a'));
      this.#state = { path, keys: null, size: append ? this.#size() : 0 };
    });
  }

  onEpochEnd(epoch: number, logs: Logs): void {
    this.#guard(() => {
      if (!this.#ready) this.#begin(logs);
      this.#ready = true;
      this.#write([epoch, ...this.#state.keys!.map((key) => (Object.hasOwn(logs, key) ? logs[key] : 'NA'))]);
    });
  }

  #begin(logs: Logs): void {
    const { path, append, separator } = this.#options;
    const found = append ? readFileSync(path, 'utf8') : '';
    if (found === '') {
      truncateSync(path, 0);
      this.#state.keys = columnsOf(logs);
      this.#write(['epoch', ...this.#state.keys]);
      return;
    }
    const [first, ...keys] = firstLine(found, separator);
    if (first !== 'epoch')
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${where}: append: ${path} does not begin with a column "epoch", as a file of this callback with the separator ${show(separator)} ` +
          'does. Give another path.',
      );
    const lost = Object.keys(logs).filter((key) => !keys.includes(key));
    if (lost.length > 0)
      process.emitWarning(
        `${where}: append: ${path} has no columns for ${lost.join(', ')}; they are left out.`,
        'DownhillWarning',
      );
    this.#state.keys = keys;
    if (!found.endsWith('\n')) appendFileSync(path, '\n');
  }

  #sameColumns(keys: readonly string[]): boolean {
    const { path, separator } = this.#options;
    return readFileSync(path, 'utf8').startsWith(csvLine(['epoch', ...keys], separator));
  }

  #write(fields: readonly (string | number)[]): void {
    const { path, separator } = this.#options;
    appendFileSync(path, csvLine(fields, separator));
    this.#state.size = this.#size();
  }

  #size(): number {
    const { path } = this.#options;
    return existsSync(path) ? statSync(path).size : 0;
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof DownhillError) throw error;
      throw new DownhillError(
        'FILE_ERROR',
        `${where}: cannot write ${this.#options.path}: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
}

/** As Keras: sorted, with those of a validation even where there was none in the first epoch. */
function columnsOf(logs: Logs): string[] {
  const keys = Object.keys(logs).sort();
  if (keys.some((key) => key.startsWith('val_'))) return keys;
  return [...keys, ...keys.filter((key) => key !== 'learning_rate').map((key) => `val_${key}`)];
}

/**
 * Writes a row for every epoch: its number, counted from 0, then the logs by name, "NA" for what an epoch lacks. Each row is in the file when
 * the epoch ends. Columns are those of the first row, as in Keras: sorted, with val_… even where nothing is validated (but not of learning_rate).
 * A resumed fit goes on behind the rows that were there when it was saved, with and without `append`: no epoch stands twice. Lines end with "\n".
 *
 * @param options path; separator (','); append (false): adds to a file with the columns it has
 * @throws UNKNOWN_OPTION, INVALID_ARGUMENT; FILE_ERROR through fit, before the first epoch
 * @example
 * callbacks.csvLogger({ path: 'runs/log.csv', separator: ';', append: true });
 * @see https://keras.io/api/callbacks/csv_logger/
 */
export function csvLogger(options: CSVLoggerOptions): CSVLogger {
  return new CSVLogger(options);
}
