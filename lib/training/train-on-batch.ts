// One update from one batch.
import { binding } from '../binding/index.js';
import type { Logs } from '../callbacks/callback.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import { datasetOf, inOrder } from './columns.js';
import { columnsOf } from './evaluate.js';
import { explain } from './non-finite.js';
import { type TrainWeightOptions, weighted } from './sample-weights.js';
import { allRows } from './sampling.js';
import type { Trainer } from './trainer.js';

/** The numbers of the batch before its update. */
export async function trainOnBatch(
  trainer: Trainer,
  net: Model,
  x: unknown,
  y: unknown,
  options: TrainWeightOptions | undefined,
): Promise<Logs> {
  const { compiled } = trainer;
  const { raw } = new Options<TrainWeightOptions>('trainOnBatch', options, ['sampleWeight', 'classWeight']);
  const release = trainer.claim('trainOnBatch');
  try {
    const columns = weighted(trainer.network, compiled, columnsOf(trainer, x, y), { ...raw, where: 'trainOnBatch' });
    const { rows } = columns.inputs[0];
    const dataset = datasetOf(inOrder(columns), true);
    const session = trainer.trainSession('error');
    trainer.load(session, 'train', { dataset, columns, walk: allRows(rows), batchSize: rows });
    binding.sessionEpoch(session, 0, rows, 'stored', 0, 0);
    trainer.position = () => null;
    compiled.optimizer.ready(1);
    await trainer.pauses.begin();
    const { sums } = await binding.sessionRun(session, 0, 0, false).finally(() => trainer.pauses.end());
    trainer.checkAlive();
    return trainer.logsOf(sums);
  } catch (error) {
    throw (await explain(error, net)).error;
  } finally {
    release();
  }
}
