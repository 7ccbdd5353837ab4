// Models from files.
import { checkCustomObjects, compileFromConfig, modelFromJSON } from '../config/model.js';
import type { CustomObjects } from '../config/registry.js';
import { DownhillError } from '../errors.js';
import { withoutInitialValues } from '../layers/weight.js';
import type { Model } from '../model/model.js';
import { weightNames } from '../layers/names.js';
import { Options } from '../options.js';
import { storageOf } from '../tensor/tensor.js';
import { type Description, describeModel, inFile } from './description.js';
import { checkAllKnown, slotEntries, weightEntries } from './entries.js';
import { readHead, readTensors } from './safetensors.js';

export interface LoadModelOptions {
  /** Your own classes and functions by name: layers, losses, metrics, optimizers, activations, initializers, regularizers. */
  customObjects?: CustomObjects;
}

/**
 * The model that net.save() wrote: layers, weights, compiled as it was, with the optimizer's state, so that training goes on as it would
 * have. The library's random state is left alone.
 *
 * @throws (rejects) FILE_ERROR, CORRUPT_FILE, FOREIGN_FILE, UNSUPPORTED for a newer format, UNKNOWN_NAME for what customObjects lacks; each
 *   names the file
 * @example
 * await net.save('digits.safetensors');
 * const twin = await loadModel('digits.safetensors');
 */
export async function loadModel(path: string, options?: LoadModelOptions): Promise<Model> {
  const read = new Options<LoadModelOptions>('loadModel', options, ['customObjects']);
  const customObjects = checkCustomObjects(read.what('customObjects'), read.raw.customObjects);
  const head = await readHead(path);
  const description = describeModel(path, head);
  const net = inFile(path, () => build(description, customObjects));
  try {
    const declared = weightNames(net);
    const entries = weightEntries(path, head, declared);
    const optimizer = net.compiled?.optimizer ?? null;
    const slots = slotEntries(path, head, declared, optimizer);
    const all = [...entries, ...slots.entries.flat()];
    checkAllKnown(path, head, all);
    const storages = net.weights.map((weight) => storageOf(weight.variable));
    const made = optimizer?.makeSlots(slots.weights.map((weight) => weight.variable)) ?? [];
    const slotStorages = made.flat().map(({ storage }) => storage);
    await readTensors(path, head, all, [...storages, ...slotStorages]);
    if (optimizer) optimizer.restore(description);
    return net;
  } catch (error) {
    net.dispose();
    throw error;
  }
}

function build({ model, compile }: Description, customObjects: CustomObjects): Model {
  return withoutInitialValues(() => {
    const net = modelFromJSON(model as object, { customObjects });
    if (compile) compileFromConfig(net, compile, customObjects);
    if (!net.built) throw new DownhillError('CORRUPT_FILE', 'the model has no input shape.');
    return net;
  });
}
