// Can the network memorise one batch?
import { type CustomObjects, deserialize, serialize } from '../config/registry.js';
import { chosenDevice, setDevice } from '../devices.js';
import { checkCustomObjects } from '../config/model.js';
import type { Layer } from '../layers/layer.js';
import { withoutInitialValues } from '../layers/weight.js';
import type { ByPort } from '../model/ports.js';
import type { Model } from '../model/model.js';
import { walkLayers } from '../layers/names.js';
import type { OptimizerLike } from '../optimizers/index.js';
import { Options } from '../options.js';
import { randomState, setRandomState } from '../random.js';
import type { InputLike, Targets } from '../training/columns.js';
import { compiledOf } from './data.js';

export interface OverfitBatchOptions {
  /** Updates at most; 300 by default. */
  steps?: number;
  /** The batch is memorised when the loss is at most this part of the first one; 0.01 by default. */
  tolerance?: number;
  /** By name or object; by default one with the options of the model's own, fresh. An object is used, and left changed. */
  optimizer?: OptimizerLike;
  /** Your own functions and classes that the model or its optimizer names, as modelFromJSON takes them; classes of layers are found by themselves. */
  customObjects?: CustomObjects;
}

export interface OverfitBatch {
  /** lastLoss ≤ tolerance · firstLoss */
  memorised: boolean;
  /** Updates made. */
  steps: number;
  /** The training loss before the first update and after the last. */
  firstLoss: number;
  lastLoss: number;
  /** The training loss before each update. */
  losses: number[];
  /** Metrics of the compiled model on the batch at the end, without dropout. */
  metrics: Record<string, number>;
  verdict: string;
}

/** Classes of the user's own, which a config holds by name only. */
function classesOf(objects: readonly object[]): CustomObjects {
  const own = objects.filter((object) => serialize(object).custom);
  return Object.fromEntries(own.map((object) => [object.constructor.name, object.constructor]));
}

/** Another model with the same weights, compiled with the same loss and a fresh optimizer. Nothing is drawn for it. */
function copyOf(where: string, net: Model, optimizer: OptimizerLike | undefined, customObjects: CustomObjects): Model {
  const { options, optimizer: own } = compiledOf(where, net);
  const [state, device] = [randomState(), chosenDevice()];
  try {
    setDevice(net.device);
    const within: Layer[] = [];
    walkLayers(net, (layer) => within.push(layer));
    const objects = { ...classesOf([net, ...within, own]), ...customObjects };
    const copy = withoutInitialValues(() => deserialize('model', serialize(net), objects));
    copy.setWeights(net.getWeights());
    copy.parameters.forEach((parameter, i) => {
      parameter.trainable = net.parameters[i].trainable;
    });
    const chosen = optimizer ?? deserialize('optimizer', serialize(own), objects);
    copy.compile({ ...options, optimizer: chosen });
    return copy;
  } finally {
    setRandomState(state);
    setDevice(device);
  }
}

/**
 * Trains a copy of the model on one batch, again and again: a network that cannot even memorise it has a fault in data, loss, gradient or
 * rate. Weights, optimizer and random state of the model itself stay as they are. Dropout and penalties stay switched on; both keep the loss from
 * 0.
 *
 * @param x inputs of one batch, y its targets
 * @param options steps (300), tolerance (0.01), optimizer (as compiled, fresh), customObjects
 * @returns memorised (lastLoss ≤ tolerance · firstLoss), steps (it stops once memorised), firstLoss, lastLoss, losses, metrics, verdict
 * @throws (rejects) as fit; UNKNOWN_NAME for functions of your own that customObjects lacks
 * @example
 * const { memorised, losses } = await diagnostics.overfitBatch(net, x.subarray(0, 32 * 784), y.subarray(0, 32));
 */
export async function overfitBatch(
  net: Model,
  x: ByPort<InputLike>,
  y: Targets,
  options?: OverfitBatchOptions,
): Promise<OverfitBatch> {
  const where = 'diagnostics.overfitBatch';
  const read = new Options<OverfitBatchOptions>(where, options, ['steps', 'tolerance', 'optimizer', 'customObjects']);
  const steps = read.count('steps', 300);
  const tolerance = read.number('tolerance', 0.01, { min: 0, max: 1 });
  const objects = checkCustomObjects(read.what('customObjects'), read.raw.customObjects);
  const copy = copyOf(where, net, read.raw.optimizer, objects);
  try {
    const losses: number[] = [];
    while (losses.length < steps) {
      const { loss } = await copy.trainOnBatch(x, y);
      losses.push(loss);
      if (losses.length > 1 && loss <= tolerance * losses[0]) break;
    }
    const { loss: lastLoss, ...metrics } = await copy.evaluate(x, y, { verbose: 0 });
    const firstLoss = losses[0];
    const memorised = lastLoss <= tolerance * firstLoss;
    const verdict = memorised
      ? `memorised: the loss fell from ${firstLoss.toPrecision(4)} to ${lastLoss.toPrecision(4)} in ${losses.length} steps`
      : `not memorised: after ${losses.length} steps the loss is ${lastLoss.toPrecision(4)}, it began at ${firstLoss.toPrecision(4)}`;
    return { memorised, steps: losses.length, firstLoss, lastLoss, losses, metrics, verdict };
  } finally {
    copy.dispose();
  }
}
