// The gradient on what a training in progress was just trained on.
import type { Model } from '../model/model.js';
import { type Batch, Data } from './data.js';
import { normsOf } from './gradient-norm.js';
import { Probe } from './probe.js';

/**
 * ‖g‖₂ of the training loss on the last batches of a fit in progress, as many as have at most `rows` rows, but at least one; null where there is
 * no such batch. Dropout is off.
 */
export async function trainingGradientNorm(net: Model, rows: number): Promise<number | null> {
  const batches: Batch[] = [];
  let probe: Probe | null = null;
  for (let [back, left] = [1, rows]; left > 0; back++) {
    const found = net.trainingBatch(back);
    if (!found || !net.compiled) break;
    const data = Data.ofBatch(net, found);
    left -= data.rows;
    if (left < 0 && batches.length > 0) break;
    probe ??= new Probe('callbacks.earlyStopping', net, net.compiled, found.types, { training: false, seed: 0 });
    batches.push(data.batch(0, data.rows));
  }
  if (!probe) return null;
  const { vector, loss } = await probe.gradient(batches);
  const { norm } = await normsOf(probe, vector, loss);
  vector.dispose();
  return norm;
}
