// One update from one batch.
import { binding } from '../binding/index.js';
import type { Logs } from '../callbacks/callback.js';
import { datasetOf } from './columns.js';
import { columnsOf } from './evaluate.js';
import { meansOf } from './logs.js';
import { allRows } from './sampling.js';
import type { Trainer } from './trainer.js';

/** The numbers of the batch before its update. */
export async function trainOnBatch(trainer: Trainer, x: unknown, y: unknown): Promise<Logs> {
  const { labels } = trainer.compiled;
  const release = trainer.claim('trainOnBatch');
  try {
    const columns = columnsOf(trainer, x, y);
    const { rows } = columns[0];
    const dataset = datasetOf(columns, true);
    const session = trainer.trainSession('error');
    trainer.load(session, 'train', { dataset, columns, walk: allRows(rows), batchSize: rows });
    binding.sessionEpoch(session, 0, rows, 'stored', 0, 0);
    trainer.position = () => null;
    trainer.compiled.optimizer.ready(1);
    await trainer.pauses.begin();
    const { sums } = await binding.sessionRun(session, 0, 0).finally(() => trainer.pauses.end());
    trainer.checkAlive();
    return meansOf(labels, sums);
  } finally {
    release();
  }
}
