// Files of a model while it trains.
import { rm } from 'node:fs/promises';
import type { Config } from '../config/values.js';
import { DownhillError } from '../errors.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import type { Callback, Logs } from './callback.js';
import { Monitor, type MonitorOptions } from './monitor.js';

export interface ModelCheckpointOptions extends Omit<MonitorOptions, 'minDelta'> {
  /** Of the files; {epoch}, {step} and keys of the logs are filled in: 'run/{epoch:04d}-{val_loss:.3f}.safetensors'. */
  path: string;
  /** Writes only when the monitored number is better than ever; needs the end of an epoch. */
  saveBestOnly?: boolean;
  /** net.saveWeights instead of net.save. */
  saveWeightsOnly?: boolean;
  /** Writes after every so many steps of the fit, instead of at the ends of epochs. */
  everySteps?: number;
  /** Writes when so many minutes have passed since the last time, instead of at the ends of epochs. */
  everyMinutes?: number;
  /** Deletes all but the last so many files of this fit. */
  keep?: number;
}

const placeholder = /\{([A-Za-z_]\w*)(?::0?(\d+)d|:\.(\d+)f)?\}/g;

/** The path with numbers in its placeholders. */
export function fillPath(where: string, path: string, values: Logs): string {
  return path.replace(placeholder, (_, key: string, width?: string, digits?: string) => {
    const value = values[key];
    if (value === undefined)
      throw new DownhillError(
        'UNKNOWN_NAME',
        `${where}: path has {${key}}, which is not among the logs: ${Object.keys(values).join(', ')}.`,
      );
    if (width !== undefined) return String(Math.round(value)).padStart(Number(width), '0');
    return digits === undefined ? String(value) : value.toFixed(Number(digits));
  });
}

export class ModelCheckpoint implements Callback {
  model?: Model;
  readonly #path: string;
  readonly #monitor: Monitor;
  readonly #bestOnly: boolean;
  readonly #weightsOnly: boolean;
  readonly #everySteps: number | null;
  readonly #everyMinutes: number | null;
  readonly #keep: number | null;
  #best: number | null = null;
  #epoch = 0;
  #steps = 0;
  #lastTime = 0;
  #writing: Promise<void> = Promise.resolve();
  #files: string[] = [];
  /** Present only when something is counted in batches: a batch hook ends the native stretch at every batch. */
  onTrainBatchEnd?: (batch: number, logs: Logs) => Promise<void>;

  constructor(options: ModelCheckpointOptions) {
    const read = new Options<ModelCheckpointOptions>('callbacks.modelCheckpoint', options, [
      'path',
      'monitor',
      'mode',
      'saveBestOnly',
      'saveWeightsOnly',
      'everySteps',
      'everyMinutes',
      'keep',
    ]);
    this.#path = read.text('path');
    this.#monitor = new Monitor(read as Options<MonitorOptions>);
    this.#bestOnly = read.flag('saveBestOnly', false);
    this.#weightsOnly = read.flag('saveWeightsOnly', false);
    this.#everySteps = read.optionalCount('everySteps', { min: 1 }) ?? null;
    this.#everyMinutes = read.optionalNumber('everyMinutes', { above: 0 }) ?? null;
    this.#keep = read.optionalCount('keep', { min: 1 }) ?? null;
    if (this.#bestOnly && this.#byBatch)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        'callbacks.modelCheckpoint: saveBestOnly needs the logs of an epoch; leave everySteps and everyMinutes out.',
      );
    if (this.#byBatch) this.onTrainBatchEnd = (_, logs) => this.#batchEnd(logs);
  }

  getConfig(): Config {
    return {
      path: this.#path,
      monitor: this.#monitor.key,
      mode: this.#monitor.mode,
      saveBestOnly: this.#bestOnly,
      saveWeightsOnly: this.#weightsOnly,
      everySteps: this.#everySteps,
      everyMinutes: this.#everyMinutes,
      keep: this.#keep,
    };
  }

  get #byBatch(): boolean {
    return this.#everySteps !== null || this.#everyMinutes !== null;
  }

  /** Files of this fit that are there, oldest first; complete when the fit has ended. */
  get files(): readonly string[] {
    return this.#files;
  }

  onTrainBegin(): void {
    this.#best = null;
    this.#steps = 0;
    this.#files = [];
    this.#lastTime = performance.now();
  }

  onEpochBegin(epoch: number): void {
    this.#epoch = epoch;
  }

  async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    if (this.#byBatch) return;
    if (this.#bestOnly) {
      const value = this.#monitor.read(logs);
      if (!this.#monitor.improves(value, this.#best)) return;
      this.#best = value;
    }
    await this.#save({ ...logs, epoch: epoch + 1, step: this.model!.compiled!.optimizer.iterations });
  }

  async onTrainEnd(): Promise<void> {
    await this.#writing;
  }

  async #batchEnd(logs: Logs): Promise<void> {
    this.#steps++;
    const bySteps = this.#everySteps !== null && this.#steps % this.#everySteps === 0;
    const byTime = this.#everyMinutes !== null && performance.now() - this.#lastTime >= this.#everyMinutes * 60_000;
    if (!bySteps && !byTime) return;
    await this.#save({ ...logs, epoch: this.#epoch + 1, step: this.model!.compiled!.optimizer.iterations });
  }

  /** Waits for the file before, so that a slow disk slows training down instead of filling the memory with copies. */
  async #save(values: Logs): Promise<void> {
    const path = fillPath('callbacks.modelCheckpoint', this.#path, values);
    await this.#writing;
    this.#lastTime = performance.now();
    const { model } = this;
    const written = this.#weightsOnly ? model!.saveWeights(path) : model!.save(path);
    this.#writing = written.then(() => this.#forget(path));
    // An error reaches the fit where this is awaited next.
    this.#writing.catch(() => {});
  }

  async #forget(path: string): Promise<void> {
    this.#files = [...this.#files.filter((file) => file !== path), path];
    const old = this.#keep === null ? [] : this.#files.splice(0, Math.max(0, this.#files.length - this.#keep));
    for (const file of old) await rm(file, { force: true });
  }
}

/**
 * Saves the model while it trains: at the end of every epoch, when a number is better than ever, or every so many steps or minutes.
 * The model is copied at that moment and training goes on while the file is written; a file is whole or not there.
 *
 * @param options path, with {epoch} (from 1), {step} (updates) and keys of the logs; monitor ('val_loss'), mode, saveBestOnly, saveWeightsOnly,
 *   everySteps, everyMinutes, keep
 * @throws FILE_ERROR in the fit when a file cannot be written, UNKNOWN_NAME for a key that the logs do not have
 * @example
 * callbacks.modelCheckpoint({ path: 'best.safetensors', monitor: 'val_accuracy', saveBestOnly: true });
 * callbacks.modelCheckpoint({ path: 'run/{epoch:04d}.safetensors', keep: 3 });
 */
export function modelCheckpoint(options: ModelCheckpointOptions): ModelCheckpoint {
  return new ModelCheckpoint(options);
}
