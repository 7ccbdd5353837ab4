// Checkpoints: the model in files, while it trains.
import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Config } from '../config/values.js';
import { DownhillError } from '../errors.js';
import type { Snapshot } from '../io/snapshot.js';
import { Options } from '../options.js';
import type { Logs } from './callback.js';
import { Claims } from '../training/position.js';
import { type Mode, Monitored, modes, prefersLarger } from './monitor.js';
import { PathPattern } from './path-pattern.js';
import { type Moment, Saver } from './saver.js';

export interface ModelCheckpointOptions {
  /** Where to: may have the fields {epoch} (from 1), {step} (steps made) and any key of the logs, as {epoch:03d}, {val_loss:.2f}. */
  path: string;
  /** Key of the logs for saveBestOnly; 'val_loss' by default. */
  monitor?: string;
  /** Whether smaller or larger is better; 'auto', the default, goes by the name. */
  mode?: Mode;
  /** Saves when the monitored number is better than before only; false by default. */
  saveBestOnly?: boolean;
  /** Saves what net.saveWeights saves; no fit can go on from that. False by default. */
  saveWeightsOnly?: boolean;
  /** Saves whenever the number of steps is a multiple of this, in place of every epoch's end. */
  everySteps?: number;
  /** Saves when so many minutes have gone by, in place of every epoch's end. */
  everyMinutes?: number;
  /** Older files of this callback are removed when there are more than so many; by default none is. */
  keep?: number;
  /** 1: prints what it writes; 0 by default. */
  verbose?: 0 | 1;
}

interface Settings extends Required<Omit<ModelCheckpointOptions, 'everySteps' | 'everyMinutes' | 'keep'>> {
  everySteps: number | null;
  everyMinutes: number | null;
  keep: number | null;
}

interface State {
  best: number | null;
  /** Files written that have not been removed, the oldest first. */
  written: string[];
}

interface Job {
  path: string;
  snapshot: Snapshot;
  remove: string[];
}

const where = 'callbacks.modelCheckpoint';

export class ModelCheckpoint extends Saver {
  /** A fit may go on without writing files. */
  readonly optionalState = true;
  readonly #options: Settings;
  readonly #pattern: PathPattern;
  readonly #larger: boolean;
  readonly #monitored: Monitored;
  #state: State = { best: null, written: [] };
  #lastTime = 0;
  #waiting: Job | null = null;
  #writing: Promise<void> | null = null;
  #failure: { error: unknown } | null = null;

  constructor(options: ModelCheckpointOptions) {
    super();
    const read = new Options<ModelCheckpointOptions>(where, options, [
      'path',
      'monitor',
      'mode',
      'saveBestOnly',
      'saveWeightsOnly',
      'everySteps',
      'everyMinutes',
      'keep',
      'verbose',
    ]);
    this.#options = {
      path: read.text('path'),
      monitor: read.text('monitor', 'val_loss'),
      mode: read.oneOf('mode', modes, 'auto'),
      saveBestOnly: read.flag('saveBestOnly', false),
      saveWeightsOnly: read.flag('saveWeightsOnly', false),
      everySteps: read.optionalCount('everySteps') ?? null,
      everyMinutes: read.optionalNumber('everyMinutes', { above: 0 }) ?? null,
      keep: read.optionalCount('keep') ?? null,
      verbose: read.oneOf('verbose', [0, 1] as const, 0),
    };
    this.#pattern = new PathPattern(read.what('path'), this.#options.path);
    this.#larger = prefersLarger(this.#options.mode, this.#options.monitor);
    this.#monitored = new Monitored(where, this.#options.monitor);
  }

  getConfig(): Config {
    return { ...this.#options };
  }

  /** The best monitored value so far; null before the first one. */
  get best(): number | null {
    return this.#state.best;
  }

  getState(): State {
    return { best: this.#state.best, written: [...this.#state.written] };
  }

  setState({ best, written }: State): void {
    // `keep` removes files: none of which this callback has not made, whatever a file says.
    this.#state = { best, written: written.filter((path) => this.#pattern.matches(path)) };
  }

  checkState(state: unknown, where: string): void {
    const claims = Claims.of(where, state);
    if (claims.values.best !== null) claims.number('best');
    const { written } = claims.values;
    if (!Array.isArray(written) || !written.every((path) => typeof path === 'string'))
      claims.fail('written', 'a list of paths');
  }

  async onTrainBegin(): Promise<void> {
    this.#state = { best: null, written: [] };
    this.#failure = null;
    this.#lastTime = performance.now();
    await this.#sweep();
  }

  override stepsLeft(step: number): number {
    const { everySteps } = this.#options;
    return everySteps === null ? 0 : everySteps - (step % everySteps);
  }

  override async between(moment: Moment): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    if (!this.#due(moment) || !this.#improves(moment.logs)) return;
    const { epoch, step, logs } = moment;
    const { saveWeightsOnly, keep } = this.#options;
    const path = this.#pattern.format(`${where}: path`, { ...logs, epoch: epoch + 1, step });
    this.#lastTime = performance.now();
    const { written } = this.#state;
    this.#state.written = [...written.filter((other) => other !== path), path];
    const remove = keep === null ? [] : this.#state.written.slice(0, -keep);
    // One file is written and one snapshot waits, at most: memory stays bounded when the disk is slower than the training.
    while (this.#waiting && this.#waiting.path !== path) await this.#writing;
    if (this.#failure) throw (this.#failure as { error: unknown }).error;
    const snapshot = await moment.snapshot(saveWeightsOnly ? 'weights' : 'model');
    // Known to the file as written until they are gone, so that a resumed run removes them if this one is killed before.
    this.#state.written = this.#state.written.filter((other) => !remove.includes(other));
    this.#enqueue({ path, snapshot, remove });
  }

  override async finish(): Promise<void> {
    while (this.#writing) await this.#writing;
    if (this.#failure) throw this.#failure.error;
  }

  #due({ kind, step }: Moment): boolean {
    const { everySteps, everyMinutes } = this.#options;
    if (everySteps === null && everyMinutes === null) return kind === 'epoch';
    if (everySteps !== null && kind === 'step' && step % everySteps === 0) return true;
    return everyMinutes !== null && performance.now() - this.#lastTime >= everyMinutes * 60_000;
  }

  #improves(logs: Logs): boolean {
    if (!this.#options.saveBestOnly) return true;
    const value = this.#monitored.in(logs);
    const { best } = this.#state;
    if (value === undefined || Number.isNaN(value)) return false;
    if (best !== null && !(this.#larger ? value > best : value < best)) return false;
    this.#state.best = value;
    return true;
  }

  /** A snapshot that still waits for the same file is replaced by this newer one. */
  #enqueue(job: Job): void {
    const older = this.#waiting;
    older?.snapshot.dispose();
    this.#waiting = { ...job, remove: [...(older?.remove ?? []), ...job.remove] };
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    while (this.#waiting) {
      const { path, snapshot, remove } = this.#waiting;
      this.#waiting = null;
      try {
        await this.#prepare(dirname(path));
        await snapshot.write(path);
        if (this.#options.verbose) console.log(`Saved ${path}`);
        for (const old of remove) await rm(old, { force: true });
      } catch (error) {
        this.#failure ??= { error };
      } finally {
        snapshot.dispose();
      }
    }
    this.#writing = null;
  }

  async #prepare(folder: string): Promise<void> {
    try {
      await mkdir(folder, { recursive: true });
    } catch (error) {
      throw new DownhillError('FILE_ERROR', `Cannot create the folder ${folder}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Removes what killed processes left half-written of files of this pattern. */
  async #sweep(): Promise<void> {
    const folder = dirname(this.#options.path);
    if (/[{}]/.test(folder)) return;
    const temporaries = this.#pattern.temporaries();
    for (const name of await readdir(folder).catch(() => [])) {
      const writer = temporaries.exec(basename(name))?.[1];
      if (writer !== undefined && !alive(Number(writer))) await rm(join(folder, name), { force: true });
    }
  }
}

function alive(process_: number): boolean {
  try {
    process.kill(process_, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Saves the model while it trains; fit(…, { resume: path }) goes on from such a file. Training goes on while a file is written; one is
 * written at a time, the newest snapshot waits, and replaces an older one for the same path. All are written when fit has settled; a failure
 * to write ends the fit. A file is complete or not there.
 *
 * @param options path, with fields; saveBestOnly with monitor ('val_loss') and mode; everySteps, everyMinutes (by default every epoch's end);
 *   keep: so many of the last files; saveWeightsOnly; verbose
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE, INVALID_ARGUMENT; FILE_ERROR through fit
 * @example
 * callbacks.modelCheckpoint({ path: 'runs/epoch-{epoch:03d}.safetensors', keep: 3 });
 * @see https://keras.io/api/callbacks/model_checkpoint/
 */
export function modelCheckpoint(options: ModelCheckpointOptions): ModelCheckpoint {
  return new ModelCheckpoint(options);
}
