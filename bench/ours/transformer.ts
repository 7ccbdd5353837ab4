// The language model of the case `transformer`.
import {
  input,
  initializers,
  layers,
  losses,
  type Model,
  type ModelOptions,
  model,
  ops,
  optimizers,
  type Tensor,
  tensor,
} from 'downhill';
import type { TrainCase } from '../cases/index.js';

/** Adds a learned vector to each position. */
class Positions extends layers.Layer {
  override readonly type = 'Positions';
  #table!: layers.Layer['weights'][number];

  constructor() {
    super('positions');
  }
  override computeOutputShape(inputShape: readonly number[]): readonly number[] {
    return inputShape;
  }
  protected override declareWeights(inputShape: readonly number[]): void {
    this.#table = this.addWeight('table', inputShape, initializers.randomNormal({ stddev: 0.02 }));
  }
  override call(x: layers.Computed): layers.Computed {
    return ops.add(x, this.#table.variable);
  }
}

export function prepareTransformer(
  spec: TrainCase,
  { context, heads, blocks }: NonNullable<TrainCase['transformer']>,
  options: ModelOptions,
): { net: Model; x: Tensor; y: Tensor } {
  const [width, vocabulary] = spec.widths as [number, number];
  const norm = () => layers.layerNormalization({ epsilon: 1e-5 });
  const tokens = input({ shape: [context], dtype: 'int32' });
  let x = new Positions().apply(layers.embedding({ inputDim: vocabulary, outputDim: width }).apply(tokens));
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
