// Prediction: the outputs of a data set, in the order of its rows.
import { binding } from '../binding/index.js';
import { type Callback, CallbackList } from '../callbacks/callback.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import { sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { datasetOf, inputColumn } from './columns.js';
import { kStretch } from './evaluate.js';
import { checkVerbose, reporterFor, type Verbose } from './progress.js';
import type { Trainer } from './trainer.js';

export interface PredictOptions {
  /** Rows per batch, 32 by default. */
  batchSize?: number;
  verbose?: Verbose;
  /** Objects with hooks onPredictBegin, onPredictBatchEnd, … */
  callbacks?: readonly Callback[];
}

/** Bytes of a float32. */
const kElement = 4;

export async function predict(
  trainer: Trainer,
  model: Model,
  x: unknown,
  options: PredictOptions | undefined,
): Promise<Tensor> {
  trainer.checkAlive();
  const read = new Options<PredictOptions>('predict', options, ['batchSize', 'verbose', 'callbacks']);
  const batchSize = read.count('batchSize', 32);
  const reporter = reporterFor(checkVerbose(read.what('verbose'), read.raw.verbose));
  const callbacks = new CallbackList(read.what('callbacks'), read.raw.callbacks, model);
  const column = inputColumn(trainer.network, x);
  const { rows } = column;
  const shape = [rows, ...trainer.network.outputShape];
  const [results] = binding.arena([sizeOf(shape) * kElement]);
  const session = trainer.predictSession([results]);
  // Not checked: a row that is not finite shows in its own output, and must not spoil the others.
  const dataset = datasetOf([column], false);
  trainer.load(session, 'predict', { dataset, columns: [column], begin: 0, end: rows, batchSize });
  const hooked = callbacks.has('onPredictBatchBegin', 'onPredictBatchEnd');
  await callbacks.call('onPredictBegin', {});
  try {
    reporter.begin('', Math.ceil(rows / batchSize));
    binding.sessionEpoch(session, 0, batchSize, false, 0);
    for (let steps = 0, done = false; !done; ) {
      if (hooked) await callbacks.call('onPredictBatchBegin', steps, {});
      ({ steps, done } = await binding.sessionRun(session, hooked ? 1 : 0, kStretch));
      trainer.checkAlive();
      reporter.update(steps, {});
      if (hooked && steps > 0) await callbacks.call('onPredictBatchEnd', steps - 1, {});
      if (done) reporter.end(steps, {});
    }
  } finally {
    reporter.close();
  }
  await callbacks.call('onPredictEnd', {});
  return new Tensor(results, shape, 'float32');
}
