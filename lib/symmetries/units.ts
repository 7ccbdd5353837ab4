// The hidden units of a dense layer, and where they are inputs.
import { DownhillError, show } from '../errors.js';
import { Activation } from '../layers/activation/activation.js';
import { Dense } from '../layers/core/dense.js';
import { Dropout } from '../layers/regularization/dropout.js';
import { Flatten } from '../layers/reshaping/flatten.js';
import { GaussianDropout, GaussianNoise } from '../layers/regularization/gaussian.js';
import type { Model } from '../model/model.js';
import { Sequential } from '../model/sequential.js';

/** What changes units one by one, and in training alone. */
const noises = [Dropout, GaussianDropout, GaussianNoise];
/** Activations that mix the units of a layer. */
const mixing = ['softmax', 'logSoftmax'];
/** Activations with f(αx) = αf(x) for α > 0. */
const homogeneous = ['linear', 'relu', 'leakyRelu'];

/** A layer and the dense one that takes its outputs, with the names of the activations between. */
export interface Hidden {
  units: number;
  activations: string[];
  /** Positions in getWeights(): (features, units), (units) or null, (units, …). */
  kernel: number;
  bias: number | null;
  next: number;
}

const activationOf = (layer: Dense | Activation): string => {
  const { activation } = layer.getConfig();
  if (typeof activation === 'string') return activation;
  const { className, config } = activation as { className: string; config: { name?: unknown } };
  return className === 'Op' ? String(config.name) : 'a function';
};

/** Throws INVALID_ARGUMENT unless `name` is a dense layer of a sequential model that reaches another one by way of elementwise functions. */
export function hiddenUnits(where: string, net: Model, name: string): Hidden {
  if (!(net instanceof Sequential))
    throw new DownhillError('INVALID_ARGUMENT', `${where} takes a sequential model; received ${show(net)}.`);
  const { layers } = net;
  const at = layers.findIndex((layer) => layer.name === name);
  const layer = layers[at];
  const refuse = (problem: string) => new DownhillError('INVALID_ARGUMENT', `${where}: ${problem}`);
  if (!(layer instanceof Dense))
    throw refuse(
      `"${name}" must name a dense layer: ${
        layers
          .filter((each) => each instanceof Dense)
          .map((each) => each.name)
          .join(', ') || 'there is none'
      }.`,
    );
  const activations = [activationOf(layer)];
  let next = at + 1;
  for (; !(layers[next] instanceof Dense); next++) {
    const between = layers[next];
    if (!between)
      throw refuse(`the units of "${name}" are outputs of the model; only hidden ones can be exchanged or rescaled.`);
    if (between instanceof Activation) activations.push(activationOf(between));
    else if (
      !noises.some((noise) => between instanceof noise) &&
      !(between instanceof Flatten && net.inputShape.length === 1)
    )
      throw refuse(`"${between.name}" (${between.type}) stands between "${name}" and the next dense layer.`);
  }
  const position = (weight: unknown) => net.weights.indexOf(weight as never);
  const [kernel, bias] = layer.weights;
  return {
    units: layer.units,
    activations,
    kernel: position(kernel),
    bias: bias ? position(bias) : null,
    next: position(layers[next]!.weights[0]),
  };
}

/** Throws where an activation is not elementwise. */
export function checkElementwise(where: string, name: string, { activations }: Hidden): void {
  const wrong = activations.find((activation) => mixing.includes(activation) || activation === 'a function');
  if (wrong)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${where}: the activation of "${name}" must be one that takes each unit by itself; received ${wrong}.`,
    );
}

/** Throws where scaling does not pass through an activation. */
export function checkHomogeneous(where: string, name: string, { activations }: Hidden): void {
  const wrong = activations.find((activation) => !homogeneous.includes(activation));
  if (wrong)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${where}: a factor passes through the activations ${homogeneous.join(', ')} alone; "${name}" has ${wrong}.`,
    );
}
