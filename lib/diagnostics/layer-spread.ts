// Statistics of each layer's output, and of the gradient with respect to it, inside a traced loss.
import * as ops from '../graph/ops.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import { type Layer, observeLayers } from '../layers/layer.js';
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

/** Outputs of all layers, in their order. The last one's gradient is another program's: see `last`. */
function everyLayer(seen: { layer: Layer; output: SymbolicTensor }[]): Kind {
  return {
    name: 'spread',
    extra: [],
    around: (trace) =>
      observeLayers((layer, output) => {
        seen.push({ layer, output });
        return output;
      }, trace),
    body: ({ trace, loss, logs }) => {
      const statistics = seen.flatMap(({ layer, output }) => statisticsOf(layer, output));
      // One after the other: a gradient with respect to several values stops at each of them.
      const gradients = seen.flatMap(({ output }) => trace.gradients(loss, [output]));
      return [together([...statistics, ...gradients.flatMap(momentsOf)]), logs[0], logs[1]];
    },
  };
}

/**
 * The gradient with respect to the model's output as it is. Where a cross-entropy follows a softmax, the loss is computed from the logits behind it,
 * and the probabilities have no part in it; behind an identity they do.
 */
function lastLayer(count: number): Kind {
  let seen = 0;
  let output: SymbolicTensor | null = null;
  return {
    name: 'spreadOfLast',
    extra: [],
    around: (trace) =>
      observeLayers((_, value) => {
        if (++seen < count) return value;
        output = ops.identity(value);
        return output;
      }, trace),
    body: ({ trace, loss }) => [together(trace.gradients(loss, [output!]).flatMap(momentsOf))],
  };
}

/** The spread in each layer that the model applies, on one batch, and the batch's loss. */
export async function layerSpreads(probe: Probe, batch: Batch): Promise<{ layers: LayerSpread[]; loss: number }> {
  const seen: { layer: Layer; output: SymbolicTensor }[] = [];
  const read = (tensor: Tensor) => [...tensor.dataSync()];
  const [statistics, sum, weight] = (await probe.run(everyLayer(seen), batch, [])).map(read);
  const [last] = (await probe.run(lastLayer(seen.length), batch, [])).map(read);
  const layers = seen.map(({ layer, output }, i): LayerSpread => {
    const [mean, standardDeviation, zeros, saturated] = statistics.slice(4 * i);
    const at = i === seen.length - 1 ? last : statistics.slice(4 * seen.length + 2 * i);
    return {
      name: layer.name,
      type: layer.type,
      activation: { mean, standardDeviation, zeros, saturated: rangeOf(layer) ? saturated : null },
      gradient: { mean: at[0], standardDeviation: sizeOf(output.shape) > 0 ? at[1] : 0 },
    };
  });
  return { layers, loss: sum[0] / weight[0] };
}
