// The tensors of a model's file, matched with its weights and its optimizer's slots.
import { binding, type Storage } from '../binding/index.js';
import { DownhillError } from '../errors.js';
import type { Weight } from '../layers/weight.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { type Shape, sameShape, shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import type { Head, TensorEntry } from './head.js';
import { slotName } from './snapshot.js';

function corrupt(path: string, reason: string): DownhillError {
  return new DownhillError('CORRUPT_FILE', `${path}: ${reason}. The file is damaged: use another copy.`);
}

function entryOf(path: string, head: Head, name: string, shape: Shape): TensorEntry {
  const entry = head.tensors.get(name);
  if (!entry) throw corrupt(path, `the tensor "${name}" is missing`);
  if (entry.dtype !== 'F32' || !sameShape(entry.shape, shape))
    throw corrupt(
      path,
      `the tensor "${name}" must be F32 of shape ${shapeText(shape)}; it is ${entry.dtype} of shape ${shapeText(entry.shape)}`,
    );
  return entry;
}

export interface Slots {
  /** Those that have slots in the file. */
  weights: readonly Weight[];
  /** By weight, then by slot, as slotShapes of the optimizer. */
  entries: readonly (readonly TensorEntry[])[];
}

/** Entries of the weights, by their names, in order. Sizes are those of the file: nothing is allocated before they agree. */
export function weightEntries(path: string, head: Head, names: ReadonlyMap<Weight, string>): TensorEntry[] {
  return [...names].map(([weight, name]) => entryOf(path, head, name, weight.shape));
}

/** Entries of the slots; a weight has all of them or, before its first update, none. */
export function slotEntries(
  path: string,
  head: Head,
  names: ReadonlyMap<Weight, string>,
  optimizer: Optimizer | null,
): Slots {
  const shapesOf = (weight: Weight) => optimizer?.slotShapes(weight.variable) ?? [];
  const having = [...names].filter(([weight, label]) =>
    shapesOf(weight).some(({ name }) => head.tensors.has(slotName(name, label))),
  );
  return {
    weights: having.map(([weight]) => weight),
    entries: having.map(([weight, label]) =>
      shapesOf(weight).map(({ name, shape }) => entryOf(path, head, slotName(name, label), shape)),
    ),
  };
}

/** Every tensor must be somebody's: a weight's, a slot's, or other state. */
export function checkAllKnown(path: string, head: Head, known: readonly TensorEntry[]): void {
  const names = new Set(known.map(({ name }) => name));
  for (const name of head.tensors.keys())
    if (!names.has(name) && !name.startsWith('state/')) throw corrupt(path, `nobody knows its tensor "${name}"`);
}

/** The tensors that a state names, as { $tensor: name }: which to read, and the state with them in place. */
export class StateTensors {
  readonly entries: TensorEntry[] = [];
  readonly storages: Storage[] = [];
  readonly #tensors = new Map<string, Tensor>();

  constructor(
    readonly path: string,
    readonly head: Head,
  ) {}

  /** The value with Tensors in place of their names; they have values when `storages` have been read. */
  place(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.place(item));
    if (typeof value !== 'object' || value === null) return value;
    const { $tensor: name } = value as { $tensor?: unknown };
    if (typeof name === 'string') return this.#tensorOf(name);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.place(item)]));
  }

  #tensorOf(name: string): Tensor {
    const known = this.#tensors.get(name);
    if (known) return known;
    const entry = this.head.tensors.get(name);
    if (!entry || !name.startsWith('state/') || !(entry.dtype === 'F32' || entry.dtype === 'I32'))
      throw corrupt(this.path, `the tensor ${JSON.stringify(name)} of its state is missing, or neither F32 nor I32`);
    const [storage] = binding.arena([entry.end - entry.begin]);
    this.entries.push(entry);
    this.storages.push(storage);
    const tensor = new Tensor(storage, entry.shape, entry.dtype === 'F32' ? 'float32' : 'int32');
    this.#tensors.set(name, tensor);
    return tensor;
  }
}
