// Saving models and weights.
import { checkText } from '../options.js';
import type { Model } from '../model/model.js';
import type { Trainer } from '../training/trainer.js';
import { type Content, Snapshot } from './snapshot.js';

/** Saves the model as of the last finished step; a fit goes on while the file is written. */
export async function save(net: Model, trainer: Trainer, path: string, content: Content): Promise<void> {
  checkText(`${content === 'model' ? 'save' : 'saveWeights'}: path`, path);
  trainer.checkAlive();
  const snapshot = await trainer.pauses.look(() => {
    trainer.checkAlive();
    return Snapshot.of(net, content, () => trainer.position());
  });
  try {
    await snapshot.write(path);
  } finally {
    snapshot.dispose();
  }
}
