// The language model of the case `transformer`.
import {
  input,
  initializers,
  layers,
  losses,
  type Model,
  type ModelOptions,
  model,
  optimizers,
  type Tensor,
  tensor,
} from 'downhill';
import type { TrainCase } from '../cases/index.js';

export function prepareTransformer(
  spec: TrainCase,
  { context, heads, blocks }: NonNullable<TrainCase['transformer']>,
  options: ModelOptions,
): { net: Model; x: Tensor; y: Tensor } {
  const [width, vocabulary] = spec.widths as [number, number];
  const norm = () => layers.layerNormalization({ epsilon: 1e-5 });
  const tokens = input({ shape: [context], dtype: 'int32' });
  const words = layers.embedding({ inputDim: vocabulary, outputDim: width }).apply(tokens);
  const places = { sequenceLength: context, initializer: initializers.randomNormal({ stddev: 0.02 }) };
  let x = layers.add().apply([words, layers.positionEmbedding(places).apply(words)]);
  for (let i = 0; i < blocks; i++) {
    const attention = layers.multiHeadAttention({ numHeads: heads, keyDim: width / heads, useCausalMask: true });
    x = layers.add().apply([x, attention.apply(norm().apply(x))]);
    const hidden = layers.dense({ units: 4 * width, activation: 'gelu' }).apply(norm().apply(x));
    x = layers.add().apply([x, layers.dense({ units: width }).apply(hidden)]);
  }
  const outputs = layers.dense({ units: vocabulary, activation: 'softmax' }).apply(norm().apply(x));
  const net = model({ inputs: tokens, outputs, ...(spec.precision && { precision: spec.precision }), ...options });
  net.compile({ optimizer: optimizers.adamw({ weightDecay: 0.01 }), loss: losses.sparseCategoricalCrossentropy() });
  const rows = spec.batchSize * spec.batches;
  const drawn = () => {
    const values = Int32Array.from({ length: rows * context }, () => Math.floor(Math.random() * vocabulary));
    return tensor(values, [rows, context], 'int32');
  };
  return { net, x: drawn(), y: drawn() };
}
