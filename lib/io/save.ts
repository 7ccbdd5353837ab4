// Saving models and weights.
import type { Model } from '../model/model.js';
import { checkText } from '../options.js';
import type { Trainer } from '../training/trainer.js';
import { inTurn } from './safetensors.js';
import { type Content, prepareLive, roomFor, Snapshot } from './snapshot.js';

/**
 * Saves the model as of the last finished step. While nothing trains it is written straight from its memory, without locks that anybody would
 * wait for; somebody who changes it meanwhile is not held up, and the file is written again from a copy, as it is while a fit goes on.
 */
export async function save(net: Model, trainer: Trainer, path: string, content: Content): Promise<void> {
  checkText(`${content === 'model' ? 'save' : 'saveWeights'}: path`, path);
  trainer.checkAlive();
  const position = () => trainer.position();
  const copy = async () => {
    const room = await roomFor(net, content);
    return trainer.pauses.look(() => {
      trainer.checkAlive();
      return Snapshot.of(net, content, position, room);
    });
  };
  if (trainer.work) return written(await copy(), (snapshot) => snapshot.write(path));
  const live = prepareLive(path, net, content, position);
  await inTurn(path, async () => {
    if (!(await live())) await written(await copy(), (snapshot) => snapshot.writeNow(path));
  });
}

async function written(snapshot: Snapshot, write: (snapshot: Snapshot) => Promise<unknown>): Promise<void> {
  try {
    await write(snapshot);
  } finally {
    snapshot.dispose();
  }
}
