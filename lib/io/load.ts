// Models out of files.
import type { Storage } from '../binding/index.js';
import { checkCustomObjects, compileFromConfig, type FromJSONOptions, modelFromJSON } from '../config/model.js';
import type { CustomObjects } from '../config/registry.js';
import { isPlain } from '../config/values.js';
import { DownhillError } from '../errors.js';
import { withoutInitialValues, type Weight } from '../layers/weight.js';
import type { Model } from '../model/model.js';
import { checkCount, Options } from '../options.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import { storageOf } from '../tensor/tensor.js';
import { checkModelFile, readPart, slotName, weightName } from './model-file.js';
import { type Head, readHead, readTensors, type TensorEntry } from './safetensors.js';

/** The entry of a tensor that must be there, with this shape. */
function entryOf(path: string, head: Head, name: string, shape: readonly number[]): TensorEntry {
  const entry = head.tensors.get(name);
  const problem = !entry
    ? 'is missing'
    : entry.dtype !== 'F32' || !sameShape(entry.shape, shape)
      ? `is ${entry.dtype} of shape ${shapeText(entry.shape)}; its model needs F32 of shape ${shapeText(shape)}`
      : null;
  if (problem) throw new DownhillError('CORRUPT_FILE', `${path}: the tensor "${name}" ${problem}. Use another copy.`);
  return entry!;
}

/** Places of all tensors of a model's file; throws when something is missing or left over. */
class Places {
  readonly entries: TensorEntry[] = [];
  readonly storages: Storage[] = [];

  constructor(
    readonly path: string,
    readonly head: Head,
  ) {}

  add(entry: TensorEntry, storage: Storage): void {
    this.entries.push(entry);
    this.storages.push(storage);
  }

  checkComplete(): void {
    const known = new Set(this.entries.map(({ name }) => name));
    for (const name of this.head.tensors.keys())
      if (!known.has(name))
        throw new DownhillError('CORRUPT_FILE', `${this.path}: the tensor "${name}" belongs to no part of its model.`);
  }
}

/** Compiles as the file says and makes room for the optimizer's slots. */
function restoreCompiled(model: Model, places: Places, customObjects: CustomObjects): void {
  const { path, head } = places;
  readPart(path, head, 'compile', (config) => {
    if (config !== null) compileFromConfig(model, config, customObjects);
  });
  const { compiled } = model;
  if (!compiled) return;
  const { optimizer } = compiled;
  const updated = model.weights.filter((weight) =>
    optimizer.slotNames.some((slot) => head.tensors.has(slotName(slot, weight))),
  );
  const slots = optimizer.makeSlots(updated.map((weight) => weight.variable));
  updated.forEach((weight, i) => {
    optimizer.slotNames.forEach((slot, j) => {
      places.add(entryOf(path, head, slotName(slot, weight), weight.shape), slots[i][j]);
    });
  });
  optimizer.iterations = readPart(path, head, 'state', (state) =>
    checkCount('state.iterations', isPlain(state) ? state.iterations : state, { min: 0 }),
  );
}

/**
 * The model of a file that net.save wrote: layers, weights, what it was compiled with, and the optimizer's state, so that training goes
 * on as if it had never stopped.
 *
 * @param path of the file
 * @param options customObjects: your own classes and functions by name
 * @throws (rejects) FILE_ERROR, CORRUPT_FILE, FOREIGN_FILE, UNSUPPORTED (a newer format), UNKNOWN_NAME (a class or function of yours is not
 *   in customObjects); each names the file and what is wrong in it
 * @example
 * const net = await loadModel('model.safetensors');
 */
export async function loadModel(path: string, options?: FromJSONOptions): Promise<Model> {
  const read = new Options<FromJSONOptions>('loadModel', options, ['customObjects']);
  const customObjects = checkCustomObjects(read.what('customObjects'), read.raw.customObjects);
  const head = await readHead(path);
  checkModelFile(path, head);
  const model = readPart(path, head, 'model', (json) =>
    withoutInitialValues(() => modelFromJSON(json as object, { customObjects })),
  );
  try {
    const places = new Places(path, head);
    // Shapes first: nothing is allocated that the file does not really hold.
    const declared: readonly Weight[] = model.built ? model.layers.flatMap((layer) => layer.weights) : [];
    const entries = declared.map((weight) => entryOf(path, head, weightName(weight), weight.shape));
    const weights = model.built ? model.weights : [];
    weights.forEach((weight, i) => {
      places.add(entries[i], storageOf(weight.variable));
    });
    restoreCompiled(model, places, customObjects);
    places.checkComplete();
    await readTensors(path, head, places.entries, places.storages);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}
