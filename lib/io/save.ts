// Models and weights into files.
import { binding, type Storage } from '../binding/index.js';
import { compileConfig } from '../config/model.js';
import type { Weight } from '../layers/weight.js';
import type { Model } from '../model/model.js';
import { storageOf } from '../tensor/tensor.js';
import type { Trainer } from '../training/trainer.js';
import { metadataOf, type SavedState, slotName, weightName } from './model-file.js';
import { type TensorToWrite, writeFile } from './safetensors.js';

interface Named {
  name: string;
  shape: readonly number[];
  storage: Storage;
}

const weightsOf = (weights: readonly Weight[]): Named[] =>
  weights.map((weight) => ({ name: weightName(weight), shape: weight.shape, storage: storageOf(weight.variable) }));

/** Slots of the weights that have been updated. */
function slotsOf(trainer: Trainer, weights: readonly Weight[]): Named[] {
  if (!trainer.isCompiled) return [];
  const { optimizer } = trainer.compiled;
  return optimizer.slotNames.flatMap((slot, i) =>
    weights.flatMap((weight) => {
      const storage = optimizer.slotsOf(weight.variable)?.[i];
      return storage ? [{ name: slotName(slot, weight), shape: weight.shape, storage }] : [];
    }),
  );
}

async function copied(named: readonly Named[]): Promise<TensorToWrite[]> {
  const copies = await binding.storagesCopyAsync(named.map(({ storage }) => storage));
  return named.map(({ name, shape }, i) => ({ name, shape, dtype: 'F32', storage: copies[i] }));
}

/** Writes, then gives the copies' memory back. */
async function write(path: string, tensors: TensorToWrite[], metadata: Record<string, string>): Promise<void> {
  try {
    await writeFile(path, tensors, metadata);
  } finally {
    for (const { storage } of tensors) binding.storageDispose(storage);
  }
}

/** The model as it is after a whole step; training goes on while the file is written. */
export async function saveModel(trainer: Trainer, model: Model, path: string): Promise<void> {
  const { weights } = model;
  const { tensors, state, compiled } = await trainer.atRest(async () => ({
    state: { iterations: trainer.isCompiled ? trainer.compiled.optimizer.iterations : 0 } satisfies SavedState,
    compiled: compileConfig(model),
    tensors: await copied([...weightsOf(weights), ...slotsOf(trainer, weights)]),
  }));
  await write(path, tensors, metadataOf('model', { model: model.toJSON(), compile: compiled, state }));
}

export async function saveWeights(trainer: Trainer, model: Model, path: string): Promise<void> {
  const { weights } = model;
  const tensors = await trainer.atRest(() => copied(weightsOf(weights)));
  await write(path, tensors, metadataOf('weights', {}));
}
