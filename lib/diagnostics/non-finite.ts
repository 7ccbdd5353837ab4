// Where NaN and infinity come from: the first layer whose output is not finite, and weights that are not.
import { compile } from '../graph/compile.js';
import * as ops from '../graph/ops.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import type { Layer } from '../layers/layer.js';
import { observeLayers } from '../layers/observe.js';
import type { Model } from '../model/model.js';
import { type Shape, sizeOf } from '../tensor/shape.js';
import { compiledOf, Data } from './data.js';
import { type Kind, Probe } from './probe.js';

export interface NonFiniteLayer {
  name: string;
  /** Keras's name of the class. */
  type: string;
  /** Whether its output is not finite, or the gradient with respect to it. */
  of: 'output' | 'gradient';
  /** Values that are NaN or infinite, of how many. */
  count: number;
  size: number;
}

export interface NonFinite {
  /**
   * The first whose output is not finite, in the order in which the model applies its layers. Null where all outputs are finite but the loss is not;
   * where the loss is, too, the last layer whose gradient is not.
   */
  layer: NonFiniteLayer | null;
  /** Names of weights that hold NaN or infinity. */
  weights: string[];
  /** The same in words. */
  text: string;
}

/** Number of values that are NaN or infinite. */
const bad = (x: SymbolicTensor): SymbolicTensor =>
  ops.sum(ops.sub(1, ops.cast(ops.less(ops.abs(ops.cast(x, 'float32')), Infinity), 'float32')));

interface Seen {
  layer: Layer;
  shape: Shape;
}

/** Bad values of each layer's output, then of the gradients with respect to them, then of the loss; last the largest magnitude of the model's outputs. */
function counts(seen: Seen[]): Kind {
  const outputs: SymbolicTensor[] = [];
  return {
    name: 'nonFinite',
    extra: [],
    around: (trace) =>
      observeLayers((layer, output) => {
        seen.push({ layer, shape: output.shape });
        outputs.push(output);
        return output;
      }, trace),
    body: ({ trace, loss, predictions }) => {
      const gradients = outputs.flatMap((output) => trace.gradients(loss, [output]));
      const ends = predictions.length > 0 ? predictions : outputs.slice(-1);
      const largest = ends
        .map((output) => ops.max(ops.abs(ops.cast(output, 'float32'))))
        .reduce((a, b) => ops.maximum(a, b));
      const numbers = [...[...outputs, ...gradients, loss].map(bad), largest];
      return [ops.concat(numbers.map((value) => ops.reshape(value, [1])))];
    },
  };
}

function layerOf(seen: readonly Seen[], found: ArrayLike<number>): NonFiniteLayer | null {
  const entry = (i: number, of: NonFiniteLayer['of'], count: number): NonFiniteLayer => ({
    name: seen[i].layer.path,
    type: seen[i].layer.type,
    of,
    count,
    size: sizeOf(seen[i].shape),
  });
  for (let i = 0; i < seen.length; i++) if (found[i] > 0) return entry(i, 'output', found[i]);
  if (found[2 * seen.length] > 0) return null;
  for (let i = seen.length - 1; i >= 0; i--)
    if (found[seen.length + i] > 0) return entry(i, 'gradient', found[seen.length + i]);
  return null;
}

async function badWeights(net: Model): Promise<string[]> {
  const values = net.getWeights();
  const count = compile((...weights: SymbolicTensor[]) => weights.map(bad), { device: net.device });
  const found = (await count(...values)).map((value) => value.dataSync()[0]);
  count.dispose();
  for (const value of values) value.dispose();
  return net.parameters.filter((_, i) => found[i] > 0).map(({ name }) => name);
}

function textOf(layer: NonFiniteLayer | null, weights: readonly string[], largest: number): string {
  const where = layer
    ? layer.of === 'output'
      ? `The first layer whose output is not finite is "${layer.name}" (${layer.type}): ${layer.count} of ${layer.size} values.`
      : `All layers' outputs are finite; the gradient at the output of "${layer.name}" (${layer.type}) is not: ${layer.count} of ${layer.size} values.`
    : `All layers' outputs are finite (the model's are at most ${largest.toPrecision(3)} in magnitude): it is the loss itself, or a regularizer's penalty, that is not.`;
  return weights.length > 0 ? `${where} Weights that hold NaN or infinity: ${weights.join(', ')}.` : where;
}

/**
 * Runs a batch of the training in progress again, with the weights at hand, and looks at each layer. Null where there is no such batch.
 *
 * @param back 0: the batch that failed, 1: the one before it
 */
export async function findNonFinite(net: Model, back = 0): Promise<NonFinite | null> {
  const batch = net.trainingBatch(back);
  if (!batch) return null;
  const data = Data.ofBatch(net, batch);
  const compiled = compiledOf('fit', net);
  // Dropout draws what it drew in that step.
  const options = { training: true, seed: compiled.optimizer.steps };
  const probe = new Probe('fit', net, compiled, data.types, options);
  const seen: Seen[] = [];
  const [found] = await probe.run(counts(seen), data.batch(0, data.rows), []);
  const values = found.dataSync();
  const layer = layerOf(seen, values);
  const weights = await badWeights(net);
  return { layer, weights, text: textOf(layer, weights, values[values.length - 1]) };
}
