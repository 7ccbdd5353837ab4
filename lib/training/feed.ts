// Where the batches of a fit come from: arrays that are walked natively, or an iterable that gives them one by one.
import { binding, type Session, type Stretch } from '../binding/index.js';
import { DownhillError, show } from '../errors.js';
import { type Columns, datasetFor, inOrder, inputColumns, type OnNonFinite, targetColumns } from './columns.js';
import type { FeedPosition, Progress } from './position.js';
import { weighted } from './sample-weights.js';
import { allRows, lengthOf, type Order, rowsOf, type Walk } from './sampling.js';
import type { Trainer } from './trainer.js';
import { mayRunNow } from './turn.js';

/** Batches as an iterable gives them. */
export type Batches = Iterable<unknown> | AsyncIterable<unknown>;

function nothing(sums: number): Progress {
  return { steps: 0, rows: 0, sums: new Float64Array(sums), nonFinite: 0 };
}

/** Batches for training or evaluation. */
export interface Feed {
  /** Batches of a whole pass, where known. */
  readonly batches: number | null;
  /** Rows of the data, where known. */
  readonly rows: number | null;
  /** What is done of this epoch. */
  readonly progress: Progress;
  /** Where it stands; null when a run has failed in the middle, which leaves that unknown. */
  position(): FeedPosition | null;
  /** Goes on at a position, within its epoch: begin() is for the next one. */
  resume(position: FeedPosition): void;
  /** To the next epoch; an interrupted pass over the data goes on, but for evaluations, which begin one. */
  begin(epoch: number): void;
  /** Whether there is another batch; an iterable is asked for it. */
  more(): Promise<boolean>;
  /** Runs at least one batch, and at most until the data ends or maxSteps (0: no limit) or maxMilliseconds are over. */
  run(maxSteps: number, maxMilliseconds: number): Promise<Progress>;
  /** Ends run() after the step in hand. Numbers so far are kept. */
  abort(): void;
  /** The iterable, if any, will not be asked again; resolves when it has ended its work. */
  end(): Promise<void>;
  /** The same after a failure: nobody waits. */
  close(): void;
}

/** How a feed runs its batches. */
export interface FeedOptions {
  kind: 'train' | 'evaluate';
  batchSize: number;
  order: Order;
  /** Every pass has the order of the first one. */
  once: boolean;
  seed: number;
  onNonFinite: OnNonFinite;
  classWeight?: unknown;
  /** Ends at a loss that is not finite, whatever onNonFinite says. */
  stops?: boolean;
}

function sessionOf(trainer: Trainer, { kind, onNonFinite, stops }: FeedOptions): Session {
  return kind === 'train' ? trainer.trainSession(stops ? 'error' : onNonFinite) : trainer.evaluateSession(onNonFinite);
}

function minus(a: Progress, b: Progress): Progress {
  return {
    steps: a.steps - b.steps,
    rows: a.rows - b.rows,
    sums: a.sums.map((sum, i) => sum - b.sums[i]),
    nonFinite: a.nonFinite - b.nonFinite,
  };
}

function mismatch(): DownhillError {
  return new DownhillError(
    'INVALID_ARGUMENT',
    'fit: resume: the file was saved with arrays as data where an iterable of batches is given, or the other way round.',
  );
}

/** Errors of a batch that changes no weights. */
const ofBatch: readonly string[] = ['NON_FINITE', 'LABEL_OUT_OF_RANGE'];

/** Rows of columns in native memory. */
export class ArrayFeed implements Feed {
  readonly batches: number;
  readonly #session: Session;
  readonly #options: FeedOptions;
  readonly rows: number;
  /** Rows of a pass. */
  readonly #length: number;
  readonly #zero: Progress;
  #pass: number | null = null;
  #within = false;
  #left = true;
  /** The numbers at which this epoch began: not zero when it began in the middle of a pass. */
  #base: Progress;
  #last: Progress;
  /** Of this pass, before it was taken up again. */
  #nonFinite = 0;
  #failed = false;

  constructor(
    trainer: Trainer,
    data: { dataset: ReturnType<typeof binding.datasetNew>; columns: Columns; walk: Walk },
    options: FeedOptions,
  ) {
    const { kind, batchSize } = options;
    this.#options = options;
    this.#session = sessionOf(trainer, options);
    trainer.load(this.#session, kind, { ...data, batchSize });
    this.rows = rowsOf(data.walk);
    this.#length = lengthOf(data.walk);
    this.batches = Math.ceil(this.#length / batchSize);
    this.#zero = nothing(trainer.sums);
    this.#base = this.#last = this.#zero;
  }

  get progress(): Progress {
    return minus(this.#last, this.#base);
  }

  position(): FeedPosition | null {
    if (this.#failed) return null;
    return { kind: 'arrays', pass: this.#pass, within: this.#within, last: this.#last, base: this.#base };
  }

  resume(position: FeedPosition): void {
    if (position.kind !== 'arrays') throw mismatch();
    ({ pass: this.#pass, within: this.#within, last: this.#last, base: this.#base } = position);
    this.#left = this.#within;
    if (!this.#within || this.#pass === null) return;
    this.#beginPass(this.#pass);
    binding.sessionSeek(this.#session, this.#last.steps, this.#last.sums);
    this.#nonFinite = this.#last.nonFinite;
  }

  begin(epoch: number): void {
    this.#left = true;
    if (this.#within && this.#options.kind === 'train') {
      this.#base = this.#last;
      return;
    }
    this.#pass = this.#pass === null ? epoch : this.#pass + 1;
    this.#beginPass(this.#pass);
    this.#within = true;
    this.#nonFinite = 0;
    this.#base = this.#last = this.#zero;
  }

  #beginPass(pass: number): void {
    const { batchSize, order, once, seed } = this.#options;
    binding.sessionEpoch(this.#session, pass, batchSize, order, seed, once ? 0 : pass);
  }

  async more(): Promise<boolean> {
    return this.#left;
  }

  async run(maxSteps: number, maxMilliseconds: number): Promise<Progress> {
    const { kind, batchSize } = this.#options;
    // An evaluation's remainder, which is cut into powers of two, counts as one batch.
    const remainder = kind === 'evaluate' && this.#last.rows + batchSize > this.#length;
    const limit = remainder ? 0 : maxSteps;
    try {
      this.#take(await binding.sessionRun(this.#session, limit, maxMilliseconds, mayRunNow()));
    } catch (error) {
      await this.#takeUntilError(error);
      throw error;
    }
    return this.progress;
  }

  #take({ rows, sums, done, nonFinite }: Stretch): void {
    const steps = done ? this.batches : Math.floor(rows / this.#options.batchSize);
    this.#last = { steps, rows, sums, nonFinite: this.#nonFinite + nonFinite };
    this.#left = this.#within = !done;
  }

  /** The steps before a batch that failed are made, and it changed nothing: a save tells of them. */
  async #takeUntilError(error: unknown): Promise<void> {
    this.#failed = true;
    if (!(error instanceof DownhillError) || !ofBatch.includes(error.code)) return;
    binding.sessionAbort(this.#session);
    this.#take(await binding.sessionRun(this.#session, 0, 0, false)); // ends before its first step
    this.#failed = false;
  }

  abort(): void {
    binding.sessionAbort(this.#session);
  }

  async end(): Promise<void> {}

  close(): void {}
}

function checkBatch(batch: unknown): [x: unknown, y: unknown, sampleWeight?: unknown] {
  if (Array.isArray(batch) && (batch.length === 2 || batch.length === 3)) return batch as [unknown, unknown];
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `Each item of the iterable must be a batch [x, y] or [x, y, sampleWeight]; received ${show(batch)}.`,
  );
}

/** The error of a batch's own session, which counts from 1, as the one of this epoch. */
function atStep(error: unknown, step: number): unknown {
  if (!(error instanceof DownhillError) || error.code !== 'NON_FINITE') return error;
  return new DownhillError(error.code, error.message.replace(/step 1\b/, `step ${step}`), { cause: error });
}

/** Batches of an iterable, each with its own number of rows. */
export class StreamFeed implements Feed {
  readonly batches = null;
  readonly rows = null;
  readonly #trainer: Trainer;
  readonly #source: Batches;
  readonly #options: FeedOptions;
  #session: Session | null = null;
  #iterator: Iterator<unknown> | AsyncIterator<unknown> | null = null;
  #next: unknown;
  #waiting = false;
  #epoch = 0;
  #progress: Progress;
  /** Batches that this walk over the iterable gave and that are done. */
  #taken = 0;
  /** Batches that were done before the walk was taken up again. */
  #skip = 0;
  /** The walk has ended in this epoch; the next one begins another. */
  #ended = false;

  constructor(trainer: Trainer, source: Batches, options: FeedOptions) {
    this.#trainer = trainer;
    this.#source = source;
    this.#options = options;
    this.#progress = nothing(trainer.sums);
  }

  get progress(): Progress {
    return { ...this.#progress };
  }

  position(): FeedPosition {
    return { kind: 'batches', taken: this.#taken, ended: this.#ended, last: this.progress };
  }

  resume(position: FeedPosition): void {
    if (position.kind !== 'batches') throw mismatch();
    this.#progress = { ...position.last };
    this.#taken = this.#skip = position.taken;
    this.#ended = position.ended;
  }

  begin(epoch: number): void {
    this.#epoch = epoch;
    this.#ended = false;
    this.#progress = nothing(this.#trainer.sums);
    // An evaluation begins with the first batch, unless the iterable can be walked once only.
    if (this.#options.kind === 'evaluate' && this.#iterator && !walkedOnce(this.#source, this.#iterator)) this.close();
  }

  async more(): Promise<boolean> {
    if (this.#waiting) return true;
    if (this.#ended) return false;
    this.#iterator ??= iterate(this.#source);
    for (; this.#skip > 0; this.#skip--)
      if ((await this.#advance()).done)
        throw new DownhillError(
          'EMPTY_DATA',
          `fit: resume: ${this.#taken} batches of the iterable were done when the file was saved, but it gives only ` +
            `${this.#taken - this.#skip}. Pass the same data.`,
        );
    const { done, value } = await this.#advance();
    if (done) {
      this.#iterator = null;
      this.#taken = 0;
      this.#ended = true;
      if (this.#progress.steps === 0)
        throw new DownhillError(
          'EMPTY_DATA',
          `The iterable gave no batch in epoch ${this.#epoch + 1}. A generator can be walked once only: pass an object that can be ` +
            'iterated again, or use one epoch.',
        );
      return false;
    }
    this.#next = await value;
    this.#waiting = true;
    return true;
  }

  /** An iterable that has failed is done: it is not told to end. */
  async #advance(): Promise<IteratorResult<unknown>> {
    try {
      return await this.#iterator!.next();
    } catch (error) {
      this.#iterator = null;
      throw error;
    }
  }

  /** One batch: the caller waits for the next one by more(), which a signal may interrupt. */
  async run(): Promise<Progress> {
    if (await this.more()) await this.#step();
    return this.progress;
  }

  abort(): void {
    if (this.#session) binding.sessionAbort(this.#session);
  }

  async end(): Promise<void> {
    const iterator = this.#iterator;
    this.#iterator = null;
    await iterator?.return?.();
  }

  close(): void {
    // Not awaited: a generator that waits for its source would hold up the end of an aborted fit.
    void this.end().catch(() => undefined);
  }

  async #step(): Promise<void> {
    const { kind, onNonFinite, classWeight } = this.#options;
    const trainer = this.#trainer;
    const { network, compiled } = trainer;
    const [x, y, sampleWeight] = checkBatch(this.#next);
    this.#next = undefined;
    this.#waiting = false;
    const inputs = inputColumns(network, x);
    const { rows } = inputs[0];
    const targets = targetColumns(network, compiled, y, rows);
    const columns = weighted(network, compiled, { inputs, targets }, { sampleWeight, classWeight });
    this.#session ??= sessionOf(trainer, this.#options);
    const dataset = datasetFor(inOrder(columns), onNonFinite);
    trainer.load(this.#session, kind, { dataset, columns, walk: allRows(rows), batchSize: rows });
    binding.sessionEpoch(this.#session, this.#epoch, rows, 'stored', 0, 0);
    let stretch: Stretch;
    try {
      stretch = await binding.sessionRun(this.#session, 0, 0, mayRunNow());
    } catch (error) {
      throw atStep(error, this.#progress.steps + 1);
    }
    if (!stretch.done) return; // aborted before its only step
    const progress = this.#progress;
    this.#taken++;
    // A model that waited for its data had no sums before.
    progress.sums = stretch.sums.map((sum, i) => sum + (progress.sums[i] ?? 0));
    progress.steps++;
    progress.rows += rows;
    progress.nonFinite += stretch.nonFinite;
  }
}

function iterate(source: Batches): Iterator<unknown> | AsyncIterator<unknown> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}

/** A generator, or a stream of Node's or the web's. */
function walkedOnce(source: Batches, iterator: object): boolean {
  return iterator === source || 'pipe' in source || 'getReader' in source;
}

/**
 * Whether data is an iterable of batches: anything that can be iterated and is no array of numbers. A step of one's own does without targets, so that its
 * array is one of batches only where they are lists that hold data.
 */
export function isBatches({ compiled }: Trainer, x: unknown, y: unknown): x is Batches {
  if (typeof x !== 'object' || x === null || ArrayBuffer.isView(x)) return false;
  if (Array.isArray(x))
    return y === undefined && (!compiled.step || x.every((item) => Array.isArray(item) && typeof item[0] === 'object'));
  return Symbol.asyncIterator in x || Symbol.iterator in x;
}
