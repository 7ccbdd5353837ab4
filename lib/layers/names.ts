// Names of the layers of a model, and of its weights.
import { DownhillError } from '../errors.js';
import type { Layer } from './layer.js';
import type { Weight } from './weight.js';

/**
 * Gives a layer a name that none of the others has: an automatic one gets _1, _2, …
 *
 * @throws INVALID_ARGUMENT for a name that was chosen
 */
export function nameApart(where: string, layer: Layer, others: readonly Layer[]): void {
  const taken = new Set(others.map(({ name }) => name));
  if (!taken.has(layer.name)) return;
  if (layer.named)
    throw new DownhillError('INVALID_ARGUMENT', `${where}: two layers are named "${layer.name}"; names must differ.`);
  let i = 1;
  while (taken.has(`${layer.place.kind}_${i}`)) i++;
  layer.rename(`${layer.place.kind}_${i}`);
}

/** The same for all layers of a model, in their order: chosen names come first, then those that other models know. */
export function nameAllApart(where: string, layers: readonly Layer[]): void {
  layers.forEach((layer, i) => {
    const comesFirst = (other: Layer, j: number) =>
      other.named ||
      (!layer.named && (j < i || (other.place.owned && !(layer.place.owned && other.name === layer.name))));
    nameApart(
      where,
      layer,
      layers.filter((other, j) => other !== layer && comesFirst(other, j)),
    );
  });
}

/** Names of a model's weights within it: dense/kernel; encoder/dense/kernel in a model that is one of its layers. */
export function weightNames(net: Layer): Map<Weight, string> {
  const names = new Map<Weight, string>();
  const visit = (layer: Layer, prefix: string) => {
    for (const weight of layer.ownWeights) if (!names.has(weight)) names.set(weight, `${prefix}${weight.name}`);
    for (const inner of layer.innerLayers) visit(inner, `${prefix}${inner.name}/`);
  };
  visit(net, '');
  return names;
}

/** The layers in a model, and those in them, with their paths. */
export function walkLayers(net: Layer, visit: (layer: Layer, path: string) => void, prefix = ''): void {
  for (const layer of net.innerLayers) {
    const path = `${prefix}${layer.name}`;
    visit(layer, path);
    walkLayers(layer, visit, `${path}/`);
  }
}
