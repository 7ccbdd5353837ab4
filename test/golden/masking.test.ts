// Masks beside Keras: outputs, gradients and masks of layers, trainings with masked losses and metrics, an encoder with its decoder.
import {
  grad,
  input,
  layers,
  type LayerOutput,
  model,
  type Model,
  ops,
  sequential,
  setDevice,
  tensor,
  type Tensor,
} from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maskOf } from '../../lib/layers/mask.js';
import { goHome, testDevices } from '../support-devices.js';
import { expectClose, flat, makeOptimizer, type OptimizerSpec, read, type Values } from './golden.js';
import { expectGradients } from './layer-runs.js';

type Spec = [factory: string, options: Record<string, unknown>];

interface Case {
  layer: string;
  options: Record<string, unknown>;
  x: Values;
  y: Values[];
  outputShapes: number[][];
  mask: Values | null;
  weights: Values[];
  names: string[];
  factors: Values[];
  gradientOfInput: Values;
  gradients: (Values | null)[];
}

interface Training {
  start: Values[];
  names: string[];
  evaluate: Record<string, number>;
  losses: number[];
  history: Record<string, number[]>;
  weights: Values[];
  predict: Values;
}

interface Network extends Training, OptimizerSpec {
  name: string;
  words: boolean;
  layers: Spec[];
  loss: string;
  metrics: string[];
  x: Values;
  y: Values;
  sampleWeight: Values | null;
}

interface Golden {
  shape: [number, number];
  masked: number;
  batchSize: number;
  epochs: number;
  words: number;
  optimizer: { learningRate: number };
  cases: Case[];
  merged: { layer: string; options: Record<string, unknown>; masks: (number[] | null)[]; mask: Values | null }[];
  networks: Network[];
  translations: (Training & { kind: 'lstm' | 'gru'; units: number; x: Values[]; y: Values })[];
}

const golden = read<Golden>('masking');
const floats = (values: Values, shape: readonly number[]) => tensor(Float32Array.from(flat(values)), shape);
const integers = (values: Values, shape: readonly number[]) => tensor(Int32Array.from(flat(values)), shape);
const isSpec = (value: unknown): value is Spec => Array.isArray(value) && typeof value[0] === 'string';

function make([factory, options]: Spec): layers.Layer {
  const own = Object.entries(options).map(([key, value]) => [key, isSpec(value) ? make(value) : value]);
  return layers[factory as 'lstm'](Object.fromEntries(own) as layers.LSTMOptions);
}

/** Of the paths of Keras, which names the cells, too. */
const plain = (path: string) => path.replace(/^sequential\//, '').replace(/\w+_cell\//, '');
const renamed = (key: string) => key.replace('mean_absolute_error', 'meanAbsoluteError');
const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

async function expectTraining(
  net: Model,
  x: Tensor | Tensor[],
  y: Tensor,
  row: Training,
  spec: OptimizerSpec,
  more: { loss: string; metrics: string[]; sampleWeight?: Tensor },
) {
  const near = { relative: 1e-4, absolute: 2e-6 };
  expect(net.parameters.map(({ name }) => name)).toEqual(row.names.map(plain));
  net.setWeights(row.start as number[][]);
  const metrics = more.metrics.map(camel);
  net.compile({
    optimizer: makeOptimizer(spec),
    loss: camel(more.loss) as 'huber',
    metrics,
    weightedMetrics: metrics,
  } as never);
  const weights = more.sampleWeight ? { sampleWeight: more.sampleWeight } : {};
  const scores = await net.evaluate(x as Tensor, y, { batchSize: golden.batchSize, verbose: 0, ...weights });
  for (const [key, value] of Object.entries(row.evaluate))
    expectClose(scores[renamed(key)]!, value, `evaluate ${key}`, near);
  const losses: number[] = [];
  const { history } = await net.fit(x as Tensor, y, {
    batchSize: golden.batchSize,
    epochs: golden.epochs,
    shuffle: false,
    verbose: 0,
    validationData: [x as Tensor, y],
    ...weights,
    callbacks: [{ onTrainBatchEnd: (_, logs) => void losses.push(logs!.loss!) }],
  });
  expectClose(losses, row.losses, 'losses', near);
  for (const [key, values] of Object.entries(row.history))
    expectClose(history[renamed(key)]!, values, `history ${key}`, near);
  for (const [i, weight] of net.getWeights().entries())
    expectClose(weight.dataSync(), row.weights[i], row.names[i]!, { relative: 1e-4, absolute: 2e-5 });
  const predicted: Tensor = await net.predict(x as Tensor, { batchSize: golden.batchSize });
  expectClose(predicted.dataSync(), row.predict, 'predict', { relative: 1e-4, absolute: 1e-5 });
}

describe.each(testDevices)('masks beside Keras, on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it.each(golden.cases.map((row, i) => ({ ...row, title: `${i}: ${row.layer} ${JSON.stringify(row.options)}` })))(
    '$title',
    async (row) => {
      const sequence = input({ shape: golden.shape });
      const layer = make([row.layer, row.options]);
      const given = layer.apply<LayerOutput | LayerOutput[]>(
        layers.masking({ maskValue: golden.masked }).apply(sequence),
      );
      const outputs = [given].flat();
      expect(outputs.map(({ shape }) => shape)).toEqual(row.outputShapes);
      const net = model({ inputs: sequence, outputs, device });
      const last = (path: string) => path.split('/').at(-1)!;
      expect(net.parameters.map(({ name }) => last(name))).toEqual(row.names.map(last));
      net.setWeights(row.weights as number[][]);
      const x = floats(row.x, [4, ...golden.shape]);
      const context = { training: true };
      const y = net.apply<Tensor[]>(x, context);
      for (const [i, value] of y.entries())
        expectClose(await value.data(), row.y[i], `output ${i}`, { relative: 1e-5, absolute: 5e-6 });
      const mask = maskOf(y[0]);
      expect(mask === null).toBe(row.mask === null);
      if (mask) expect([...(mask as Tensor).dataSync()]).toEqual(flat(row.mask!));

      const factors = row.factors.map((values, i) => floats(values, y[i]!.shape));
      const loss = (sequences: Tensor) =>
        net
          .apply<Tensor[]>(sequences, context)
          .map((value, i) => ops.sum(ops.mul(value, factors[i]!)))
          .reduce((a, b) => ops.add(a, b));
      net.setWeights(row.weights as number[][]);
      const [ofInput] = await grad(loss as never, [0])(x);
      expectClose(await ofInput!.data(), row.gradientOfInput, 'gradient of the input', {
        relative: 1e-4,
        absolute: 2e-5,
      });
      net.setWeights(row.weights as number[][]);
      await expectGradients(net, x, factors, row, row.names, 5e-5);
    },
  );

  it.each(golden.merged)('$layer $options of $masks', ({ layer, options, masks, mask }) => {
    const values = masks.map((own) => {
      const x = ops.broadcastTo(1, [1, 3, 2]);
      return own ? layers.activation({ activation: 'linear' }).apply(x, { mask: integers(own, [1, 3]) }) : x;
    });
    const found = maskOf(make([layer, options]).apply(values as Tensor[]));
    expect(found && [...(found as Tensor).dataSync()]).toEqual(mask && flat(mask));
  });

  it.each(golden.networks)('$name', async (row) => {
    const { shape } = golden;
    const begin = row.words ? layers.input({ shape: [shape[0]], dtype: 'int32' }) : layers.input({ shape });
    const net = sequential([begin, ...row.layers.map(make)], { device });
    const rows = (row.x as Values[]).length;
    const x = row.words ? integers(row.x, [rows, shape[0]]) : floats(row.x, [rows, ...shape]);
    const steps = net.outputShape.slice(0, -1);
    const y =
      row.loss === 'mean_squared_error' ? floats(row.y, [rows, ...steps, 1]) : integers(row.y, [rows, ...steps]);
    const { sampleWeight } = row;
    const weights =
      sampleWeight && floats(sampleWeight, Array.isArray((sampleWeight as Values[])[0]) ? [rows, ...steps] : [rows]);
    await expectTraining(net, x, y, row, row, {
      loss: row.loss,
      metrics: row.metrics,
      ...(weights ? { sampleWeight: weights } : {}),
    });
  });

  it.each(golden.translations)('an encoder and a decoder of $kind', async (row) => {
    const question = input({ shape: [6], dtype: 'int32', name: 'question' });
    const answer = input({ shape: [4], dtype: 'int32', name: 'answer' });
    const embed = (name: string) => layers.embedding({ inputDim: golden.words, outputDim: 3, maskZero: true, name });
    const { kind, units } = row;
    const encoder = layers[kind]({ units, returnState: true, name: 'encoder' });
    const [, ...states] = encoder.apply<LayerOutput[]>(embed('from').apply(question));
    const decoder = layers[kind]({ units, returnSequences: true, name: 'decoder' });
    const hidden = decoder.apply(embed('to').apply(answer), { initialState: states });
    const outputs = layers.dense({ units: golden.words, activation: 'softmax', name: 'next' }).apply(hidden);
    const net = model({ inputs: [question, answer], outputs, device });
    const rows = (row.y as Values[]).length;
    const x = [integers(row.x[0]!, [rows, 6]), integers(row.x[1]!, [rows, 4])];
    await expectTraining(
      net,
      x,
      integers(row.y, [rows, 4]),
      row,
      { optimizer: 'adam', options: golden.optimizer },
      {
        loss: 'sparse_categorical_crossentropy',
        metrics: ['accuracy'],
      },
    );
  });
});
