// Evaluation: loss and metrics over a data set, weighted by rows.
import { type Callback, CallbackList, type Logs } from '../callbacks/callback.js';
import { DownhillError } from '../errors.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import { type Columns, datasetFor, inOrder, inputColumns, targetColumns } from './columns.js';
import { ArrayFeed, type Batches, type Feed, type FeedOptions, isBatches, StreamFeed } from './feed.js';
import { checkVerbose, type Reporter, reporterFor, type Verbose } from './progress.js';
import { type WeightOptions, weighted } from './sample-weights.js';
import { allRows } from './sampling.js';
import type { Trainer } from './trainer.js';

export interface EvaluateOptions extends WeightOptions {
  /** Rows per batch, 32 by default. */
  batchSize?: number;
  /** Batches after which it ends; by default all. */
  steps?: number;
  verbose?: Verbose;
  /** Objects with hooks onTestBegin, onTestBatchEnd, … */
  callbacks?: readonly Callback[];
}

/** Milliseconds that a run stays in native code before numbers are shown again. */
export const kStretch = 50;

/** Columns of x and y, checked against the model and the loss. */
export function columnsOf(
  { network, compiled }: Pick<Trainer, 'network' | 'compiled'>,
  x: unknown,
  y: unknown,
  names: readonly string[] = ['x', 'y'],
): Omit<Columns, 'weights'> {
  const inputs = inputColumns(network, x, names[0]);
  return { inputs, targets: targetColumns(network, compiled, y, inputs[0].rows, names[1]) };
}

/** Weights beside an iterable, whose batches would bring their own. */
export function refuseWeights(where: string, sampleWeight: unknown): void {
  if (sampleWeight === undefined || sampleWeight === null) return;
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${where}: sampleWeight needs arrays; an iterable gives weights with its batches, [x, y, sampleWeight].`,
  );
}

/** A feed of evaluation batches, from arrays or an iterable. */
export function evaluationFeed(
  trainer: Trainer,
  x: unknown,
  y: unknown,
  options: FeedOptions,
  sampleWeight?: unknown,
  names?: [string, string, string],
): Feed {
  if (isBatches(trainer, x, y)) {
    refuseWeights('evaluate', sampleWeight);
    return new StreamFeed(trainer, x as Batches, options);
  }
  const { network, compiled } = trainer;
  const pair = columnsOf(trainer, x, y, names);
  const columns = weighted(network, compiled, pair, { sampleWeight, name: names?.[2] });
  const dataset = datasetFor(inOrder(columns), options.onNonFinite);
  return new ArrayFeed(trainer, { dataset, columns, walk: allRows(pair.inputs[0].rows) }, options);
}

/** What keeps an evaluation in touch with the run that it is part of. */
export interface Watch {
  race<T>(work: Promise<T>): Promise<T>;
  check(): void;
  reporter?: Reporter;
  /** Batches, 0: all. */
  steps: number;
}

/** Walks a feed once, calling the test hooks. */
export async function runEvaluation(
  feed: Feed,
  logsOf: (sums: Float64Array) => Logs,
  callbacks: CallbackList,
  { race, check, reporter, steps: limit }: Watch,
): Promise<Logs> {
  await race(callbacks.call('onTestBegin', {}));
  const hooked = callbacks.has('onTestBatchBegin', 'onTestBatchEnd');
  let steps = 0;
  let logs: Logs = {};
  feed.begin(0);
  while ((limit === 0 || steps < limit) && (await race(feed.more()))) {
    if (hooked) await race(callbacks.call('onTestBatchBegin', steps, {}));
    const progress = await feed.run(hooked ? 1 : limit && limit - steps, kStretch);
    check();
    // Weights that changed between two batches make native readers start again.
    const finished = progress.steps > steps;
    steps = progress.steps;
    if (steps > 0) logs = logsOf(progress.sums);
    reporter?.update(steps, logs);
    if (hooked && finished) await race(callbacks.call('onTestBatchEnd', steps - 1, logs));
  }
  reporter?.end(steps, logs);
  await race(callbacks.call('onTestEnd', logs));
  return logs;
}

export async function evaluate(
  trainer: Trainer,
  model: Model,
  x: unknown,
  y: unknown,
  options: EvaluateOptions | undefined,
): Promise<Logs> {
  trainer.checkAlive();
  const read = new Options<EvaluateOptions>('evaluate', options, [
    'batchSize',
    'steps',
    'verbose',
    'callbacks',
    'sampleWeight',
  ]);
  const batchSize = read.count('batchSize', 32);
  const steps = read.optionalCount('steps') ?? 0;
  const reporter = reporterFor(checkVerbose(read.what('verbose'), read.raw.verbose));
  const callbacks = new CallbackList(read.what('callbacks'), read.raw.callbacks, model);
  const testing: FeedOptions = {
    kind: 'evaluate',
    batchSize,
    order: 'stored',
    once: false,
    seed: 0,
    onNonFinite: 'error',
  };
  const feed = evaluationFeed(trainer, x, y, testing, read.raw.sampleWeight);
  try {
    reporter.begin('', steps || feed.batches);
    const logs = await runEvaluation(feed, (sums) => trainer.logsOf(sums), callbacks, {
      race: (work) => work,
      check: () => trainer.checkAlive(),
      reporter,
      steps,
    });
    await feed.end();
    return logs;
  } finally {
    reporter.close();
    feed.close();
  }
}
