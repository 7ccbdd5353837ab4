// Statistics of each layer's output, and of the gradient with respect to it, inside a traced loss.
import * as ops from '../graph/ops.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import type { Layer } from '../layers/layer.js';
import { observeLayers } from '../layers/observe.js';
import type { Tensor } from '../tensor/tensor.js';
import { sizeOf } from '../tensor/shape.js';
import type { Batch } from './data.js';
import type { Kind, Probe } from './probe.js';

export interface Spread {
  mean: number;
  standardDeviation: number;
}

export interface LayerSpread {
  name: string;
  /** Keras's name of the class. */
  type: string;
  /** Of the layer's output. */
  activation: Spread & {
    /** Fraction that is exactly 0: of a ReLU layer, its silent part. */
    zeros: number;
    /** Fraction within a hundredth of the ends of the activation's range (sigmoid, softmax, tanh, softsign); null for others. */
    saturated: number | null;
  };
  /** Of the derivative of the mean loss with respect to the output, one number per element. */
  gradient: Spread;
}

/** Ranges of activations that have two ends. */
const ranges: Readonly<Record<string, readonly [low: number, high: number]>> = {
  sigmoid: [0, 1],
  hardSigmoid: [0, 1],
  softmax: [0, 1],
  tanh: [-1, 1],
  softsign: [-1, 1],
};

/** Part of a range's length that counts as its end. */
const kEnd = 0.01;

function rangeOf(layer: Layer): readonly [number, number] | null {
  const { activation } = layer.getConfig();
  return typeof activation === 'string' && Object.hasOwn(ranges, activation) ? ranges[activation] : null;
}

const fraction = (condition: SymbolicTensor) => ops.mean(ops.cast(condition, 'float32'));

function momentsOf(x: SymbolicTensor): SymbolicTensor[] {
  return [ops.mean(x), ops.sqrt(ops.variance(x))];
}

function statisticsOf(layer: Layer, output: SymbolicTensor): SymbolicTensor[] {
  const x = ops.cast(output, 'float32');
  const range = rangeOf(layer);
  const [low, high] = range ?? [0, 0];
  const end = (high - low) * kEnd;
  const inside = ops.mul(ops.greater(x, low + end), ops.less(x, high - end));
  const saturated = range ? ops.sub(1, fraction(inside)) : ops.mul(ops.mean(x), 0);
  return [...momentsOf(x), fraction(ops.equal(x, 0)), saturated];
}

/** Values next to each other, [count]. */
const together = (values: readonly SymbolicTensor[]) => ops.concat(values.map((value) => ops.reshape(value, [1])));

interface Seen {
  layer: Layer;
  output: SymbolicTensor;
}

/** Outputs of all layers, in their order; `ends` receives the places of those that are the model's, whose gradients are another program's. */
function everyLayer(seen: Seen[], ends: Set<number>): Kind {
  return {
    name: 'spread',
    extra: [],
    around: (trace) =>
      observeLayers((layer, output) => {
        seen.push({ layer, output });
        return output;
      }, trace),
    body: ({ trace, loss, logs, predictions }) => {
      seen.forEach(({ output }, i) => {
        if (predictions.some(({ node }) => node === output.node)) ends.add(i);
      });
      const statistics = seen.flatMap(({ layer, output }) => statisticsOf(layer, output));
      // One after the other: a gradient with respect to several values stops at each of them.
      const gradients = seen.flatMap(({ output }) => trace.gradients(loss, [output]));
      return [together([...statistics, ...gradients.flatMap(momentsOf)]), logs[0], logs[1]];
    },
  };
}

/**
 * The gradients with respect to the model's outputs as they are. Where a cross-entropy follows a softmax, the loss is computed from the logits behind it,
 * and the probabilities have no part in it; behind an identity they do.
 */
function lastLayers(ends: ReadonlySet<number>): Kind {
  let seen = 0;
  const outputs: SymbolicTensor[] = [];
  return {
    name: 'spreadOfLast',
    extra: [],
    around: (trace) =>
      observeLayers((_, value) => {
        if (!ends.has(seen++)) return value;
        outputs.push(ops.identity(value));
        return outputs[outputs.length - 1];
      }, trace),
    body: ({ trace, loss }) => [
      together(outputs.flatMap((output) => trace.gradients(loss, [output])).flatMap(momentsOf)),
    ],
  };
}

/** `ends`: places of the layers whose outputs are the model's. */
interface Spreads {
  layers: LayerSpread[];
  ends: ReadonlySet<number>;
  loss: number;
}

/** The spread in each layer that the model applies, on one batch, and the batch's loss. */
export async function layerSpreads(probe: Probe, batch: Batch): Promise<Spreads> {
  const seen: Seen[] = [];
  const ends = new Set<number>();
  const read = (tensor: Tensor) => [...tensor.dataSync()];
  const [statistics, sum, weight] = (await probe.run(everyLayer(seen, ends), batch, [])).map(read);
  const last = ends.size > 0 ? (await probe.run(lastLayers(ends), batch, [])).map(read)[0] : [];
  const order = [...ends];
  const layers = seen.map(({ layer, output }, i): LayerSpread => {
    const [mean, standardDeviation, zeros, saturated] = statistics.slice(4 * i);
    const at = ends.has(i) ? last.slice(2 * order.indexOf(i)) : statistics.slice(4 * seen.length + 2 * i);
    return {
      name: layer.path,
      type: layer.type,
      activation: { mean, standardDeviation, zeros, saturated: rangeOf(layer) ? saturated : null },
      gradient: { mean: at[0], standardDeviation: sizeOf(output.shape) > 0 ? at[1] : 0 },
    };
  });
  return { layers, ends, loss: sum[0] / weight[0] };
}
