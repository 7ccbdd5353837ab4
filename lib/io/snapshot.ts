// A model as of one moment, on its way to a file: copies of its tensors, and the texts beside them.
import { binding, type Storage } from '../binding/index.js';
import { compileConfig } from '../config/model.js';
import { type Config, encode } from '../config/values.js';
import type { Weight } from '../layers/weight.js';
import type { Model } from '../model/model.js';
import { randomState } from '../random.js';
import { storageOf, Tensor } from '../tensor/tensor.js';
import { type Position, positionToJson } from '../training/position.js';
import { libraryVersion } from '../version.js';
import { type TensorToWrite, writeFile } from './safetensors.js';

/** Version of what our files hold; it grows when older versions of the library cannot read newer files. */
export const formatVersion = 1;

/** A model with all that training needs, or the values of its weights alone. */
export type Content = 'model' | 'weights';

type Source = Omit<TensorToWrite, 'dtype'> & { dtype: 'F32' | 'I32' };

export const weightName = ({ owner, name }: Weight): string => `${owner.name}/${name}`;
export const slotName = (slot: string, weight: Weight): string => `optimizer/${slot}/${weightName(weight)}`;

export class Snapshot {
  readonly #tensors: readonly TensorToWrite[];
  readonly #metadata: Record<string, string>;

  private constructor(tensors: readonly TensorToWrite[], metadata: Record<string, string>) {
    this.#tensors = tensors;
    this.#metadata = metadata;
  }

  /** Takes it at once but for the copying, which is done on a native thread, under one lock. */
  static async of(net: Model, content: Content, position: () => Position | null): Promise<Snapshot> {
    const sources: Source[] = net.weights.map((weight) => ({
      name: weightName(weight),
      dtype: 'F32',
      shape: weight.shape,
      storage: storageOf(weight.variable),
    }));
    const metadata: Record<string, string> = {
      format: 'downhill',
      format_version: String(formatVersion),
      library_version: libraryVersion(),
      content,
    };
    if (content === 'model') addTraining(net, position(), sources, metadata);
    const copies = await binding.storagesCopyAsync(sources.map(({ storage }) => storage));
    return new Snapshot(
      sources.map((source, i) => ({ ...source, storage: copies[i] })),
      metadata,
    );
  }

  /** Writes the file, atomically. */
  write(path: string): Promise<void> {
    return writeFile(path, this.#tensors, this.#metadata);
  }

  dispose(): void {
    for (const { storage } of this.#tensors) binding.storageDispose(storage);
  }
}

/** Adds the descriptions, the optimizer's slots and what callbacks remember. */
function addTraining(net: Model, position: Position | null, sources: Source[], metadata: Record<string, string>): void {
  const state: Config = { random: randomState() };
  metadata.model = JSON.stringify(net.toJSON());
  const { compiled } = net;
  if (compiled) {
    metadata.compile = JSON.stringify(compileConfig(net));
    const { optimizer } = compiled;
    state.iterations = optimizer.iterations;
    optimizer.slotNames.forEach((slot, i) => {
      for (const weight of net.weights) {
        const slots = optimizer.slotsOf(weight.variable);
        if (slots) sources.push({ name: slotName(slot, weight), dtype: 'F32', shape: weight.shape, storage: slots[i] });
      }
    });
  }
  if (position) state.training = positionToJson(position);
  const put = (tensor: Tensor): Config => {
    const storage: Storage = storageOf(tensor);
    const name = `state/${sources.length}`;
    sources.push({ name, dtype: tensor.dtype === 'int32' ? 'I32' : 'F32', shape: tensor.shape, storage });
    return { $tensor: name };
  };
  const plain = encode(state, 'state', (value) => (value instanceof Tensor ? put(value) : undefined));
  metadata.state = JSON.stringify(plain);
}
