// A model as of one moment, on its way to a file: its tensors, or copies of them, and the texts beside them.
import { binding, type Storage } from '../binding/index.js';
import { compileConfig } from '../config/model.js';
import { type Config, encode } from '../config/values.js';
import type { Weight } from '../layers/weight.js';
import type { Model } from '../model/model.js';
import { weightNames } from '../layers/names.js';
import { randomState } from '../random.js';
import { storageOf, Tensor } from '../tensor/tensor.js';
import { type Position, positionToJson } from '../training/position.js';
import { libraryVersion } from '../version.js';
import { seedsOf } from './seeds.js';
import { prepareFile, type TensorToWrite, writeFile } from './safetensors.js';

/** Version of what our files hold; it grows when older versions of the library cannot read newer files. */
export const formatVersion = 1;

/** A model with all that training needs, or the values of its weights alone. */
export type Content = 'model' | 'weights';

type Metadata = Record<string, string>;

export const slotName = (slot: string, weight: string): string => `optimizer/${slot}/${weight}`;

/** What the file of a model holds, as of now: its own storages. */
function contentsOf(net: Model, content: Content, position: () => Position | null): [TensorToWrite[], Metadata] {
  void net.weights; // placed together
  const names = weightNames(net);
  const tensors = [...names].map(
    ([weight, name]): TensorToWrite => ({
      name,
      dtype: 'F32',
      shape: weight.shape,
      storage: storageOf(weight.variable),
    }),
  );
  const metadata: Metadata = {
    format: 'downhill',
    format_version: String(formatVersion),
    library_version: libraryVersion(),
    content,
  };
  if (content === 'model') addTraining(net, names, position(), tensors, metadata);
  return [tensors, metadata];
}

/** What writes the model as it is now, straight from its memory: false, and no file, when somebody changes it meanwhile. */
export function prepareLive(
  path: string,
  net: Model,
  content: Content,
  position: () => Position | null,
): () => Promise<boolean> {
  const [tensors, metadata] = contentsOf(net, content, position);
  return prepareFile(path, tensors, metadata, binding.storageVersions(tensors.map(({ storage }) => storage)));
}

const sizesOf = (tensors: readonly TensorToWrite[]) => tensors.map(({ storage }) => binding.storageBytes(storage));

/** Memory for copies of weights and slots, made ahead, so that training waits for the copying alone. */
export type Room = readonly Storage[];

export function roomFor(net: Model, content: Content): Promise<Room> {
  return binding.arenaAsync(sizesOf(contentsOf(net, content, () => null)[0]));
}

/** Memory of these sizes, the first of which are in `room` if they are as they were. */
async function completed(room: Room, sizes: readonly number[]): Promise<Room> {
  const fits = room.every((storage, i) => binding.storageBytes(storage) === sizes[i]);
  if (!fits) release(room);
  const kept = fits ? room : [];
  return kept.length === sizes.length ? kept : [...kept, ...(await binding.arenaAsync(sizes.slice(kept.length)))];
}

const release = (room: Room) => {
  for (const storage of room) binding.storageDispose(storage);
};

export class Snapshot {
  readonly #tensors: readonly TensorToWrite[];
  readonly #metadata: Metadata;

  private constructor(tensors: readonly TensorToWrite[], metadata: Metadata) {
    this.#tensors = tensors;
    this.#metadata = metadata;
  }

  /** Takes it at once but for the copying, which is done on native threads, under one lock. `room` becomes its own. */
  static async of(net: Model, content: Content, position: () => Position | null, room: Room = []): Promise<Snapshot> {
    const [tensors, metadata] = contentsOf(net, content, position);
    const copies = [...(await completed(room, sizesOf(tensors)))];
    await binding.storagesCopyAsync(
      tensors.map(({ storage }) => storage),
      copies,
    );
    return new Snapshot(
      tensors.map((tensor, i) => ({ ...tensor, storage: copies[i] })),
      metadata,
    );
  }

  /** Writes the file, atomically, after what was to be written to it before. */
  write(path: string): Promise<void> {
    return writeFile(path, this.#tensors, this.#metadata);
  }

  /** The same at once. */
  writeNow(path: string): Promise<boolean> {
    return prepareFile(path, this.#tensors, this.#metadata)();
  }

  dispose(): void {
    release(this.#tensors.map(({ storage }) => storage));
  }
}

/** Adds the descriptions, the optimizer's slots and what callbacks remember. */
function addTraining(
  net: Model,
  names: ReadonlyMap<Weight, string>,
  position: Position | null,
  sources: TensorToWrite[],
  metadata: Metadata,
): void {
  const state: Config = { random: randomState(), seeds: { ...seedsOf(net) } };
  if (net.precision !== 'float32') state.products = binding.products(net.device, net.precision);
  metadata.model = JSON.stringify(net.toJSON());
  const { compiled } = net;
  if (compiled) {
    metadata.compile = JSON.stringify(compileConfig(net));
    const { optimizer } = compiled;
    Object.assign(state, optimizer.state);
    for (const name of optimizer.slotNames)
      for (const [weight, label] of names) {
        const slot = optimizer.slotsOf(weight.variable)?.find((own) => own.name === name);
        if (slot) sources.push({ name: slotName(name, label), dtype: 'F32', shape: slot.shape, storage: slot.storage });
      }
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
