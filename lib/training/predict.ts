// Prediction: the outputs of a data set, in the order of its rows.
import { binding } from '../binding/index.js';
import { type Callback, CallbackList } from '../callbacks/callback.js';
import type { Model } from '../model/model.js';
import type { Packed } from '../model/ports.js';
import { Options } from '../options.js';
import { elementBytes, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { datasetOf, inputColumns } from './columns.js';
import { kStretch } from './evaluate.js';
import { allRows } from './sampling.js';
import { checkVerbose, reporterFor, type Verbose } from './progress.js';
import type { Trainer } from './trainer.js';
import { mayRunNow } from './turn.js';

export interface PredictOptions {
  /** Rows per batch, 32 by default. */
  batchSize?: number;
  verbose?: Verbose;
  /** Objects with hooks onPredictBegin, onPredictBatchEnd, … */
  callbacks?: readonly Callback[];
}

export async function predict<T extends Packed<Tensor>>(
  trainer: Trainer,
  model: Model,
  x: unknown,
  options: PredictOptions | undefined,
): Promise<T> {
  trainer.checkAlive();
  const read = new Options<PredictOptions>('predict', options, ['batchSize', 'verbose', 'callbacks']);
  const batchSize = read.count('batchSize', 32);
  const reporter = reporterFor(checkVerbose(read.what('verbose'), read.raw.verbose));
  const callbacks = new CallbackList(read.what('callbacks'), read.raw.callbacks, model);
  const { network } = trainer;
  const inputs = inputColumns(network, x);
  const { rows } = inputs[0];
  const shapes = network.outputPorts.all.map(({ shape }) => [rows, ...shape]);
  const results = shapes.map((shape) => binding.arena([sizeOf(shape) * elementBytes], network.device)[0]);
  const session = trainer.predictSession(results);
  // Not checked: a row that is not finite shows in its own output, and must not spoil the others.
  const dataset = datasetOf(inputs, false);
  const columns = { inputs, targets: [], weights: [] };
  trainer.load(session, 'predict', { dataset, columns, walk: allRows(rows), batchSize });
  const hooked = callbacks.has('onPredictBatchBegin', 'onPredictBatchEnd');
  await callbacks.call('onPredictBegin', {});
  try {
    const batches = Math.ceil(rows / batchSize);
    reporter.begin('', batches);
    binding.sessionEpoch(session, 0, batchSize, 'stored', 0, 0);
    for (let steps = 0; steps < batches; ) {
      if (hooked) await callbacks.call('onPredictBatchBegin', steps, {});
      // The remainder, which is cut into powers of two, counts as one batch.
      const single = hooked && (steps + 1) * batchSize <= rows;
      const stretch = await binding.sessionRun(session, single ? 1 : 0, kStretch, mayRunNow());
      trainer.checkAlive();
      // Weights that changed between two batches make native readers start again.
      const finished = stretch.done || Math.floor(stretch.rows / batchSize) > steps;
      steps = stretch.done ? batches : Math.floor(stretch.rows / batchSize);
      reporter.update(steps, {});
      if (hooked && finished) await callbacks.call('onPredictBatchEnd', steps - 1, {});
    }
    reporter.end(batches, {});
  } finally {
    reporter.close();
  }
  await callbacks.call('onPredictEnd', {});
  return network.outputPorts.pack(results.map((result, i) => new Tensor(result, shapes[i], 'float32'))) as T;
}
