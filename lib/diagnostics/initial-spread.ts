// Whether the scale of the initial weights lets signals and gradients through.
import { walkLayers } from '../layers/names.js';
import { Options } from '../options.js';
import type { ByPort } from '../model/ports.js';
import type { Model } from '../model/model.js';
import type { InputLike, Targets } from '../training/columns.js';
import { compiledOf, Data } from './data.js';
import { type LayerSpread, layerSpreads } from './layer-spread.js';
import { type DataOptions, dataKeys, kBatchSize, probeOptions } from './options.js';
import { Probe } from './probe.js';

export interface InitialSpread {
  /** In the order in which the model applies them. */
  layers: LayerSpread[];
  /** Standard deviation of the last hidden layer's output over that of the first one's; 1 with fewer than two. */
  activationGrowth: number;
  /** Standard deviation of the gradient at the first hidden layer over that at the last one; 1 with fewer than two. */
  gradientGrowth: number;
  verdict: string;
  loss: number;
}

/** From the first hidden layer to the last: beyond this factor, or its inverse, spreads are said to explode or vanish. */
const kFactor = 100;

/** Part of a layer that is zero or saturated, above which the verdict names it. */
const kMost = 0.9;

function growthOf(name: string, growth: number): string[] {
  if (!Number.isFinite(growth) || growth > kFactor) return [`exploding ${name} (factor ${growth.toPrecision(3)})`];
  return growth < 1 / kFactor ? [`vanishing ${name} (factor ${growth.toPrecision(3)})`] : [];
}

function verdictOf(layers: readonly LayerSpread[], activationGrowth: number, gradientGrowth: number): string {
  const broken = layers.find(({ activation }) => !Number.isFinite(activation.standardDeviation));
  if (broken) return `exploding activations: not finite in layer "${broken.name}"`;
  const silent = layers.filter(({ activation }) => activation.zeros > kMost);
  const saturated = layers.filter(({ activation }) => (activation.saturated ?? 0) > kMost);
  const names = (list: readonly LayerSpread[]) => list.map(({ name }) => `"${name}"`).join(', ');
  const found = [
    ...growthOf('activations', activationGrowth),
    ...growthOf('gradients', gradientGrowth),
    ...(silent.length > 0 ? [`outputs are zero in ${names(silent)}`] : []),
    ...(saturated.length > 0 ? [`outputs are saturated in ${names(saturated)}`] : []),
  ];
  return found.length > 0 ? found.join('; ') : 'steady: activations and gradients keep their scale from layer to layer';
}

/**
 * Mean and standard deviation of each layer's outputs, and of the gradients with respect to them, on one minibatch: with weights that are too
 * large they explode from layer to layer, with weights that are too small they vanish. A quick way to choose initial scales. Also the
 * fractions of outputs that are zero (dead ReLUs) or saturated.
 *
 * The gradient at the last layer is that of the loss as a function of the model's outputs: of probabilities, clipped as in docs/numerics.md, also where
 * training goes by the logits behind them.
 *
 * @param x inputs, of which the first batchSize rows are taken
 * @param options batchSize (256), training (false), seed (0)
 * @returns layers: name, type, activation { mean, standardDeviation, zeros, saturated }, gradient { mean, standardDeviation }; activationGrowth,
 *   gradientGrowth (first to last hidden layer with weights, and back), verdict, loss
 * @throws (rejects) as gradientNorm
 * @example
 * const { layers, verdict } = await diagnostics.initialSpread(net, x, y);
 * @see Glorot and Bengio 2010, Understanding the Difficulty of Training Deep Feedforward Neural Networks
 */
export async function initialSpread(
  net: Model,
  x: ByPort<InputLike>,
  y: Targets,
  options?: DataOptions,
): Promise<InitialSpread> {
  const where = 'diagnostics.initialSpread';
  const read = new Options<DataOptions>(where, options, dataKeys);
  const batchSize = read.count('batchSize', kBatchSize);
  const chosen = probeOptions(read);
  const compiled = compiledOf(where, net);
  const data = await Data.of(where, net, compiled, x, y, read.raw);
  const probe = new Probe(where, net, compiled, data.types, chosen);
  const { layers, ends, loss } = await layerSpreads(probe, data.batch(0, Math.min(batchSize, data.rows)));
  const weighted = new Set<string>();
  walkLayers(net, (layer) => {
    if (layer.declaredWeights.length > 0) weighted.add(layer.path);
  });
  const hidden = layers.filter((layer, i) => !ends.has(i) && weighted.has(layer.name));
  const [first, last] = [hidden[0], hidden[hidden.length - 1]];
  const measured = hidden.length >= 2;
  const activationGrowth = measured ? last.activation.standardDeviation / first.activation.standardDeviation : 1;
  const gradientGrowth = measured ? first.gradient.standardDeviation / last.gradient.standardDeviation : 1;
  return {
    layers,
    activationGrowth,
    gradientGrowth,
    verdict: verdictOf(layers, activationGrowth, gradientGrowth),
    loss,
  };
}
