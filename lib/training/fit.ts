// The fit loop: epochs of native stretches, hooks and validation between them.
import { CallbackList, type Hook, type Logs } from '../callbacks/callback.js';
import { History } from '../callbacks/history.js';
import { DownhillError } from '../errors.js';
import type { Model } from '../model/model.js';
import { drawSeed } from '../random.js';
import { datasetFor } from './columns.js';
import { columnsOf, evaluationFeed, kStretch, runEvaluation } from './evaluate.js';
import { ArrayFeed, type Feed, type FeedOptions, isBatches, StreamFeed } from './feed.js';
import { type CheckedFitOptions, checkFitOptions, type FitOptions } from './fit-options.js';
import { Interrupt } from './interrupt.js';
import { meansOf } from './logs.js';
import { type Reporter, reporterFor } from './progress.js';
import type { Trainer } from './trainer.js';

interface Feeds {
  train: Feed;
  validation: Feed | null;
}

class Fit {
  readonly #trainer: Trainer;
  readonly #model: Model;
  readonly #options: CheckedFitOptions;
  readonly #history = new History();
  readonly #callbacks: CallbackList;
  readonly #labels: readonly string[];
  readonly #reporter: Reporter;
  readonly #interrupt: Interrupt;
  /** What a signal or stopTraining ends. */
  #running: Feed | null = null;

  constructor(trainer: Trainer, model: Model, options: CheckedFitOptions) {
    this.#trainer = trainer;
    this.#model = model;
    this.#options = options;
    this.#labels = trainer.compiled.labels;
    this.#callbacks = new CallbackList('fit: callbacks', options.callbacks, model, [this.#history]);
    this.#interrupt = new Interrupt(options.signal, () => this.#running?.abort());
    this.#reporter = reporterFor(options.verbose);
  }

  async run(x: unknown, y: unknown): Promise<History> {
    const { epochs, initialEpoch } = this.#options;
    let feeds: Feeds | null = null;
    try {
      feeds = this.#feeds(x, y);
      this.#model.stopTraining = false;
      await this.#hook('onTrainBegin', {});
      let logs: Logs = {};
      for (let epoch = initialEpoch; epoch < epochs; epoch++) {
        logs = await this.#epoch(epoch, feeds);
        if (this.#model.stopTraining) break;
      }
      await this.#hook('onTrainEnd', logs);
      return this.#history;
    } finally {
      this.#interrupt.close();
      this.#reporter.close();
      feeds?.train.close();
      feeds?.validation?.close();
    }
  }

  #feeds(x: unknown, y: unknown): Feeds {
    const { batchSize, shuffle, onNonFinite, validationData, validationSplit } = this.#options;
    const trainer = this.#trainer;
    const training: FeedOptions = { kind: 'train', batchSize, shuffle, seed: shuffle ? drawSeed() : 0, onNonFinite };
    const testing: FeedOptions = { kind: 'evaluate', batchSize, shuffle: false, seed: 0, onNonFinite };
    const separate = (): Feed | null => {
      if (!validationData) return null;
      const [vx, vy] = Array.isArray(validationData)
        ? (validationData as [unknown, unknown])
        : [validationData, undefined];
      return evaluationFeed(trainer, vx, vy, testing, ['validationData[0]', 'validationData[1]']);
    };
    if (isBatches(x, y)) {
      if (validationSplit > 0)
        throw new DownhillError(
          'INVALID_ARGUMENT',
          'fit: validationSplit needs arrays; give validationData with an iterable.',
        );
      return { train: new StreamFeed(trainer, x, training), validation: separate() };
    }
    const columns = columnsOf(trainer, x, y);
    const { rows } = columns[0];
    const split = Math.floor(rows * (1 - validationSplit));
    if (split === 0 || (validationSplit > 0 && split === rows))
      throw new DownhillError(
        'EMPTY_DATA',
        `fit: validationSplit ${validationSplit} of ${rows} rows leaves ${split} for training and ${rows - split} for validation; ` +
          'each needs at least one.',
      );
    const dataset = datasetFor(columns, onNonFinite);
    const train = new ArrayFeed(trainer, { dataset, columns, begin: 0, end: split }, training);
    if (split === rows) return { train, validation: separate() };
    return { train, validation: new ArrayFeed(trainer, { dataset, columns, begin: split, end: rows }, testing) };
  }

  /** An epoch's numbers: loss, metrics, and the same with val_. */
  async #epoch(epoch: number, { train, validation }: Feeds): Promise<Logs> {
    const { epochs, stepsPerEpoch } = this.#options;
    const reporter = this.#reporter;
    await this.#hook('onEpochBegin', epoch, {});
    reporter.begin(`Epoch ${epoch + 1}/${epochs}`, stepsPerEpoch || train.batches);
    const { logs, steps } = await this.#train(epoch, train);
    if (validation) {
      const values = await this.#watch(validation, () =>
        runEvaluation(validation, this.#labels, this.#callbacks, {
          race: (work) => this.#interrupt.race(work),
          check: () => this.#check(),
        }),
      );
      for (const [label, value] of Object.entries(values)) logs[`val_${label}`] = value;
    }
    reporter.end(steps, logs);
    await this.#hook('onEpochEnd', epoch, logs);
    return logs;
  }

  async #train(epoch: number, feed: Feed): Promise<{ logs: Logs; steps: number }> {
    const { stepsPerEpoch } = this.#options;
    const callbacks = this.#callbacks;
    const hooked = callbacks.has('onTrainBatchBegin', 'onTrainBatchEnd');
    let logs: Logs = {};
    let steps = 0;
    let nonFinite = 0;
    feed.begin(epoch);
    while ((stepsPerEpoch === 0 || steps < stepsPerEpoch) && (await this.#interrupt.race(feed.more()))) {
      if (hooked) await this.#hook('onTrainBatchBegin', steps, {});
      const single = hooked || this.#model.stopTraining;
      const limit = single ? 1 : stepsPerEpoch && stepsPerEpoch - steps;
      const progress = await this.#watch(feed, () => feed.run(limit, kStretch));
      this.#check();
      if (progress.steps > steps || !this.#model.stopTraining) {
        ({ steps, nonFinite } = progress);
        logs = meansOf(this.#labels, progress.sums);
        this.#reporter.update(steps, logs);
      }
      if (hooked) await this.#hook('onTrainBatchEnd', steps - 1, logs);
      if (this.#model.stopTraining) break;
    }
    this.#warn(epoch, nonFinite, steps);
    if (steps < stepsPerEpoch && !this.#model.stopTraining)
      process.emitWarning(
        `fit: the data ended after ${steps} of ${stepsPerEpoch} steps of epoch ${epoch + 1}; the epoch ends there.`,
        'DownhillWarning',
      );
    return { logs, steps };
  }

  /** Ends a stretch early; for stopTraining. */
  stop(): void {
    this.#running?.abort();
  }

  /** Runs while signals and stopTraining reach the feed. */
  async #watch<T>(feed: Feed, body: () => Promise<T>): Promise<T> {
    this.#running = feed;
    try {
      return await body();
    } finally {
      this.#running = null;
    }
  }

  async #hook(hook: Hook, ...args: [logs: Logs] | [index: number, logs: Logs]): Promise<void> {
    await this.#interrupt.race(this.#callbacks.call(hook, ...args));
    this.#check();
  }

  #check(): void {
    this.#interrupt.check();
    this.#trainer.checkAlive();
  }

  #warn(epoch: number, nonFinite: number, steps: number): void {
    if (nonFinite === 0 || this.#options.onNonFinite !== 'warn') return;
    process.emitWarning(
      `fit: the loss was not finite in ${nonFinite} of ${steps} batches of epoch ${epoch + 1}.`,
      'DownhillWarning',
    );
  }
}

/** Trains; `started` receives what ends the stretch in hand. */
export async function fit(
  trainer: Trainer,
  model: Model,
  x: unknown,
  y: unknown,
  options: FitOptions | undefined,
  started: (stop: () => void) => void,
): Promise<History> {
  trainer.checkAlive();
  const checked = checkFitOptions(options);
  void trainer.compiled;
  const release = trainer.claim('fit');
  try {
    const run = new Fit(trainer, model, checked);
    started(() => run.stop());
    return await run.run(x, y);
  } finally {
    started(() => {});
    release();
  }
}
