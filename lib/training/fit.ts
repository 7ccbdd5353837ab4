// The fit loop: epochs of native stretches, hooks and validation between them.
import { CallbackList, type Hook, type Logs } from '../callbacks/callback.js';
import { History } from '../callbacks/history.js';
import { Saver } from '../callbacks/saver.js';
import { TerminateOnNaN } from '../callbacks/terminate-on-nan.js';
import { DownhillError } from '../errors.js';
import { type Resume, readResume } from '../io/resume.js';
import { Snapshot } from '../io/snapshot.js';
import type { Model } from '../model/model.js';
import { drawSeed } from '../random.js';
import { datasetFor, inOrder } from './columns.js';
import { columnsOf, evaluationFeed, kStretch, refuseWeights, runEvaluation } from './evaluate.js';
import { ArrayFeed, type Feed, type FeedOptions, isBatches, StreamFeed } from './feed.js';
import { type CheckedFitOptions, checkFitOptions, type FitOptions } from './fit-options.js';
import { Interrupt } from './interrupt.js';
import { explain, isOfLoss } from './non-finite.js';
import type { Place, Position, Progress, Stage } from './position.js';
import { type Reporter, reporterFor } from './progress.js';
import { weighted } from './sample-weights.js';
import { rowsOf, splitRows } from './sampling.js';
import type { Trainer } from './trainer.js';

interface Feeds {
  train: Feed;
  validation: Feed | null;
}

/** What an epoch has come to. */
interface Numbers {
  logs: Logs;
  steps: number;
}

class Fit {
  readonly #trainer: Trainer;
  readonly #model: Model;
  readonly #options: CheckedFitOptions;
  readonly #history = new History();
  readonly #callbacks: CallbackList;
  readonly #savers: readonly Saver[];
  readonly #terminators: readonly TerminateOnNaN[];
  readonly #reporter: Reporter;
  readonly #interrupt: Interrupt;
  /** What a signal or stopTraining ends. */
  #running: Feed | null = null;
  #feeds: Feeds | null = null;
  #seed = 0;
  #place: Place;
  /** Of the last epoch that has ended. */
  #logs: Logs = {};

  constructor(trainer: Trainer, model: Model, options: CheckedFitOptions) {
    this.#trainer = trainer;
    this.#model = model;
    this.#options = options;
    this.#callbacks = new CallbackList('fit: callbacks', options.callbacks, model, [this.#history]);
    const savers = this.#callbacks.all.filter((callback) => callback instanceof Saver);
    this.#savers = [...savers.filter(({ looks }) => looks), ...savers.filter(({ looks }) => !looks)];
    this.#terminators = this.#callbacks.all.filter((callback) => callback instanceof TerminateOnNaN);
    this.#interrupt = new Interrupt(options.signal, () => this.#running?.abort());
    this.#reporter = reporterFor(options.verbose);
    this.#place = { epoch: options.initialEpoch, stage: 'onEpochBegin', next: 0 };
  }

  async run(x: unknown, y: unknown): Promise<History> {
    const { epochs, resume } = this.#options;
    const trainer = this.#trainer;
    trainer.position = () => null;
    try {
      const file =
        resume === null ? null : await this.#interrupt.race(readResume(resume, this.#model, trainer, this.#options));
      trainer.checkAlive();
      if (file?.position) this.#checkStates(`fit: resume: ${resume}`, file.position);
      this.#feeds = await this.#open(x, y, file);
      trainer.checkAlive();
      this.#model.stopTraining = false;
      let from = file?.position ?? null;
      if (from) this.#continue(from, this.#feeds.train);
      trainer.position = () => this.#position();
      await this.#hook('onTrainBegin', {});
      if (from) {
        this.#callbacks.restore(from.callbacks);
        this.#history.setState(from.history as History);
        await this.#save('step', from.epoch, this.#logs, true);
      }
      const stopped = from !== null && this.#model.stopTraining;
      for (let epoch = this.#place.epoch; epoch < epochs && !stopped; epoch++, from = null) {
        await this.#epoch(epoch, this.#feeds, from);
        if (this.#model.stopTraining) break;
      }
      const { train, validation } = this.#feeds;
      await this.#interrupt.race(Promise.all([train.end(), validation?.end()]));
      this.#trainer.finalize();
      await this.#hook('onTrainEnd', this.#logs);
      return this.#history;
    } finally {
      this.#keepPosition();
      this.#interrupt.close();
      this.#reporter.close();
      this.#feeds?.train.close();
      this.#feeds?.validation?.close();
    }
  }

  /** Awaits the files that are being written. */
  async saved(): Promise<void> {
    const results = await Promise.allSettled(this.#savers.map((saver) => saver.finish()));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** Feeds of the data; a file's state is put in place when the data fit. */
  async #open(x: unknown, y: unknown, file: Resume | null): Promise<Feeds> {
    const { batchSize, validationBatchSize, shuffle, replacement, groups, stepsPerEpoch, onNonFinite } = this.#options;
    const { validationData, validationSplit, sampleWeight, classWeight } = this.#options;
    const trainer = this.#trainer;
    const testing: FeedOptions = {
      kind: 'evaluate',
      batchSize: validationBatchSize,
      order: 'stored',
      once: false,
      seed: 0,
      onNonFinite,
    };
    const training = (): FeedOptions => {
      this.#seed = file?.position ? file.position.seed : shuffle ? drawSeed() : 0;
      const stops = this.#terminators.length > 0;
      const order = replacement ? 'drawn' : shuffle ? 'shuffled' : 'stored';
      const once = shuffle === 'once';
      return { kind: 'train', batchSize, order, once, seed: this.#seed, onNonFinite, stops, classWeight };
    };
    const separate = (): Feed | null => {
      if (!validationData) return null;
      const [vx, vy, weights] = Array.isArray(validationData) ? (validationData as unknown[]) : [validationData];
      const names: [string, string, string] = ['validationData[0]', 'validationData[1]', 'validationData[2]'];
      return evaluationFeed(trainer, vx, vy, testing, weights, names);
    };
    if (isBatches(trainer, x, y)) {
      refuseWeights('fit', sampleWeight);
      if (validationSplit > 0)
        throw new DownhillError(
          'INVALID_ARGUMENT',
          'fit: validationSplit needs arrays; give validationData with an iterable.',
        );
      if (groups || replacement)
        throw new DownhillError(
          'INVALID_ARGUMENT',
          'fit: groups and sampling need arrays; an iterable gives its batches in its own order.',
        );
      const validation = separate();
      await file?.apply(null, validation?.rows ?? null);
      return { train: new StreamFeed(trainer, x, training()), validation };
    }
    const pair = columnsOf(trainer, x, y);
    const { train, held } = splitRows(pair.inputs[0].rows, validationSplit, groups);
    const columns = weighted(trainer.network, trainer.compiled, pair, { sampleWeight, classWeight, held });
    const dataset = datasetFor(inOrder(columns), onNonFinite);
    const validation = held ? new ArrayFeed(trainer, { dataset, columns, walk: held }, testing) : separate();
    await file?.apply(rowsOf(train), validation?.rows ?? null);
    const walk = { ...train, draws: replacement ? stepsPerEpoch * batchSize : 0, repeats: replacement };
    return { train: new ArrayFeed(trainer, { dataset, columns, walk }, training()), validation };
  }

  /** For a save after the fit: until then a later fit may go on from there. */
  #keepPosition(): void {
    let last: Position | null = null;
    try {
      last = this.#position();
    } catch {
      // A callback's getState failed; what ended the fit is the error to tell.
    }
    this.#trainer.position = () => last;
  }

  /** Of the callbacks and of the history, before anything changes. */
  #checkStates(where: string, { callbacks, history }: Position): void {
    this.#callbacks.checkStates(where, callbacks);
    this.#history.checkState(history, `${where}: the history`);
  }

  #continue(from: Position, feed: Feed): void {
    const { epoch, stage, next, logs } = from;
    this.#place = { epoch, stage, next };
    this.#logs = logs;
    feed.resume(from.feed);
  }

  /** Where the fit stands; null when that is unknown. */
  #position(): Position | null {
    const { batchSize, shuffle, replacement, groups, stepsPerEpoch } = this.#options;
    const { train, validation } = this.#feeds ?? {};
    const feed = train?.position();
    if (!train || !feed) return null;
    return {
      ...this.#place,
      step: this.#place.stage === 'onEpochBegin' ? 0 : train.progress.steps,
      seed: this.#seed,
      batchSize,
      shuffle,
      replacement,
      groups: groups?.sizes.length ?? null,
      stepsPerEpoch,
      rows: train.rows,
      validationRows: validation?.rows ?? null,
      logs: { ...this.#logs },
      feed,
      history: this.#history.getState(),
      callbacks: this.#callbacks.states(),
    };
  }

  /** An epoch, or the rest of one; its numbers: loss, metrics, and the same with val_. */
  async #epoch(epoch: number, { train, validation }: Feeds, from: Position | null): Promise<void> {
    const { epochs, stepsPerEpoch } = this.#options;
    const reporter = this.#reporter;
    const stage = from?.stage ?? 'onEpochBegin';
    if (stage === 'onEpochBegin') await this.#staged('onEpochBegin', from?.next ?? 0, epoch, {});
    reporter.begin(`Epoch ${epoch + 1}/${epochs}`, stepsPerEpoch || train.batches);
    if (stage !== 'onEpochEnd') {
      const { logs, steps } = await this.#train(epoch, train, from);
      this.#place = { epoch, stage: 'validation', next: 0 };
      const terminated = this.#terminators.some(({ found }) => found);
      if (terminated && validation) for (const label of Object.keys(logs)) logs[`val_${label}`] = Number.NaN;
      else if (validation && this.#options.validates(epoch)) {
        const values = await this.#watch(validation, () =>
          runEvaluation(validation, (sums) => this.#trainer.logsOf(sums), this.#callbacks, {
            race: (work) => this.#interrupt.race(work),
            check: () => this.#check(),
            steps: this.#options.validationSteps,
          }),
        );
        for (const [label, value] of Object.entries(values)) logs[`val_${label}`] = value;
      }
      this.#logs = logs;
      reporter.end(steps, logs);
    }
    const logs = this.#logs;
    await this.#staged('onEpochEnd', stage === 'onEpochEnd' ? from!.next : 0, epoch, logs);
    this.#place = { epoch: epoch + 1, stage: 'onEpochBegin', next: 0 };
    await this.#save('epoch', epoch, logs);
  }

  async #train(epoch: number, feed: Feed, from: Position | null): Promise<Numbers> {
    const { stepsPerEpoch } = this.#options;
    const hooked = this.#callbacks.has('onTrainBatchBegin', 'onTrainBatchEnd');
    if (!from || from.stage === 'onEpochBegin') {
      feed.begin(epoch);
      this.#place = { epoch, stage: 'batches', next: 0 };
    }
    let { steps, nonFinite, sums } = feed.progress;
    let logs = steps > 0 ? this.#trainer.logsOf(sums) : {};
    if (steps > 0) this.#reporter.update(steps, logs);
    if (from?.stage === 'onTrainBatchEnd') await this.#staged('onTrainBatchEnd', from.next, steps - 1, logs);
    let begun = from?.stage === 'onTrainBatchBegin' ? from.next : 0;
    while (
      from?.stage !== 'validation' &&
      (stepsPerEpoch === 0 || steps < stepsPerEpoch) &&
      (await this.#interrupt.race(feed.more()))
    ) {
      if (hooked) await this.#staged('onTrainBatchBegin', begun, steps, {});
      begun = 0;
      const single = hooked || this.#model.stopTraining;
      const progress = await this.#stretch(epoch, feed, single ? 1 : this.#limit(steps), hooked);
      this.#check();
      if (!progress) {
        ({ steps, nonFinite, sums } = feed.progress);
        logs = { ...(steps > 0 && this.#trainer.logsOf(sums)), loss: Number.NaN };
        break;
      }
      const moved = progress.steps > steps;
      if (moved || !this.#model.stopTraining) {
        ({ steps, nonFinite, sums } = progress);
        logs = this.#trainer.logsOf(sums);
        this.#reporter.update(steps, logs);
      }
      if (hooked) await this.#staged('onTrainBatchEnd', 0, steps - 1, logs);
      if (moved) await this.#save('step', epoch, logs);
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

  /** Steps that the next stretch may have; 0: no limit. */
  #limit(steps: number): number {
    const { stepsPerEpoch } = this.#options;
    const made = this.#savers.length > 0 ? this.#trainer.compiled.optimizer.steps : 0;
    const limits = [stepsPerEpoch && stepsPerEpoch - steps, ...this.#savers.map((saver) => saver.stepsLeft(made))];
    const real = limits.filter((limit) => limit > 0);
    return real.length > 0 ? Math.min(...real) : 0;
  }

  /** Null when it ended at a loss that is not finite, and a callback is there for that. */
  async #stretch(epoch: number, feed: Feed, limit: number, hooked: boolean): Promise<Progress | null> {
    const { pauses } = this.#trainer;
    const { steps } = feed.progress;
    await pauses.begin();
    try {
      const most = this.#trainer.compiled.optimizer.ready(limit);
      return await this.#watch(feed, () => feed.run(most, kStretch));
    } catch (error) {
      await this.#terminate(epoch, feed, error);
      return null;
    } finally {
      if (feed.progress.steps > steps) this.#place = { epoch, stage: hooked ? 'onTrainBatchEnd' : 'batches', next: 0 };
      pauses.end();
    }
  }

  /** Hands a loss that is not finite to the callbacks for that, or throws the error with what was found out. */
  async #terminate(epoch: number, feed: Feed, failure: unknown): Promise<void> {
    const { error, found } = await explain(failure, this.#model);
    if (!isOfLoss(failure) || this.#terminators.length === 0) throw error;
    const message = found ? `${failure.message} ${found.text}` : failure.message;
    for (const callback of this.#terminators)
      callback.terminate({ epoch, batch: feed.progress.steps, message, layer: found?.layer, weights: found?.weights });
  }

  /** Asks the callbacks that save, or only those that look. */
  async #save(kind: 'step' | 'epoch', epoch: number, logs: Logs, lookers = false): Promise<void> {
    const { pauses, compiled } = this.#trainer;
    for (const saver of this.#savers) {
      if (lookers && !saver.looks) continue;
      await saver.between({
        kind,
        epoch,
        step: compiled.optimizer.steps,
        logs: { ...this.#logs, ...logs },
        snapshot: (content) => pauses.look(() => Snapshot.of(this.#model, content, () => this.#position())),
      });
      this.#check();
    }
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

  async #hook(hook: Hook, logs: Logs): Promise<void> {
    await this.#interrupt.race(this.#callbacks.call(hook, logs));
    this.#check();
  }

  /** A hook whose calls a saved position counts. */
  async #staged(stage: Hook & Stage, from: number, index: number, logs: Logs): Promise<void> {
    this.#place = { ...this.#place, stage, next: from };
    const reached = (next: number) => {
      this.#place = { ...this.#place, next };
    };
    await this.#interrupt.race(this.#callbacks.callFrom(from, reached, stage, index, logs));
    this.#place = { ...this.#place, next: this.#callbacks.all.length };
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
    let history: History;
    try {
      history = await run.run(x, y);
    } catch (error) {
      await run.saved().catch(() => undefined); // the first error is the one to tell
      throw error;
    }
    await run.saved();
    return history;
  } finally {
    started(() => {});
    release();
  }
}
