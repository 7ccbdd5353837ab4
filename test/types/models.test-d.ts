import {
  callbacks,
  data,
  type History,
  layers,
  losses,
  type Model,
  metrics,
  ops,
  type SymbolicTensor,
  sequential,
  type Tensor,
  tensor,
  type Variable,
} from 'downhill';
import { describe, expectTypeOf, it } from 'vitest';

declare const net: Model;
declare const symbolic: SymbolicTensor;
const [x, y] = [new Float32Array(4), [0, 1]];

describe('models', () => {
  it('take data in every form', () => {
    expectTypeOf(net.fit(x, y)).toEqualTypeOf<Promise<History>>();
    net.fit([[1, 2]], tensor([1]), {
      batchSize: 2,
      validationData: [x, y],
      signal: AbortSignal.timeout(1),
      verbose: 'auto',
    });
    net.fit([[x, y]] as Iterable<[Float32Array, number[]]>, { epochs: 2 });
    net.fit((async function* () {})(), undefined, { stepsPerEpoch: 3 });
    // @ts-expect-error unknown option
    net.fit(x, y, { batchsize: 2 });
    // @ts-expect-error no data
    net.fit('digits', y);
  });

  it('give results of known types', async () => {
    expectTypeOf(net.predict(x)).toEqualTypeOf<Promise<Tensor>>();
    expectTypeOf(net.getWeights()).toEqualTypeOf<Tensor[]>();
    expectTypeOf(net.parameters).toEqualTypeOf<Variable[]>();
    const { loss, accuracy } = await net.evaluate(x, y, { verbose: 0 });
    expectTypeOf(loss).toEqualTypeOf<number>();
    expectTypeOf(accuracy).toEqualTypeOf<number>();
    const { history, epoch } = await net.fit(x, y);
    expectTypeOf(history.val_loss).toEqualTypeOf<number[]>();
    expectTypeOf(epoch).toEqualTypeOf<number[]>();
    expectTypeOf(data.toCategorical([1], 2)).toEqualTypeOf<Tensor>();
  });

  it('apply to symbolic and concrete batches', () => {
    expectTypeOf(net.apply(symbolic)).toEqualTypeOf<SymbolicTensor>();
    expectTypeOf(net.apply([[1]], { training: true })).toEqualTypeOf<Tensor>();
    expectTypeOf(losses.meanSquaredError()([1], [2])).toEqualTypeOf<Tensor>();
    expectTypeOf(losses.meanSquaredError().perExample(symbolic, [2])).toEqualTypeOf<SymbolicTensor>();
  });

  it('compile by name, object and function', () => {
    net.compile({
      optimizer: 'sgd',
      loss: 'mse',
      metrics: ['accuracy', metrics.zeroOneLoss(), losses.meanSquaredError()],
    });
    net.compile({ optimizer: 'sgd', loss: (t, p) => ops.square(ops.sub(t, p)) });
    // @ts-expect-error no loss
    net.compile({ optimizer: 'sgd' });
    // @ts-expect-error unknown option
    net.compile({ optimizer: 'sgd', loss: 'mse', metric: [] });
  });

  it('weigh rows and classes, and take metrics of every kind', () => {
    net.compile({
      optimizer: 'sgd',
      loss: losses.huber({ delta: 2 }),
      metrics: [
        'auc',
        metrics.auc({ curve: 'PR', labelWeights: [1, 2] }),
        metrics.precision({ thresholds: [0.2, 0.5] }),
        metrics.f1Score({ average: 'macro' }),
        {
          name: 'mine',
          sums: 2,
          update: (t, p, w) => {
            expectTypeOf(t).toEqualTypeOf<SymbolicTensor>();
            return [ops.sum(ops.mul(p, w)), ops.sum(w)];
          },
          result: ([total, weight]) => total / weight,
        },
      ],
      weightedMetrics: [metrics.topKCategoricalAccuracy({ k: 3 }), (t, p) => ops.mul(t, p)],
    });
    expectTypeOf(metrics.auc()([1], [0.5])).toEqualTypeOf<Tensor>();
    net.fit(x, y, { sampleWeight: [1, 2], classWeight: { 0: 1, 1: 5 }, validationData: [x, y, tensor([1])] });
    net.evaluate(x, y, { sampleWeight: new Float32Array(2) });
    net.trainOnBatch(x, y, { sampleWeight: [1], classWeight: { 1: 2 } });
    // @ts-expect-error weights by class
    net.fit(x, y, { classWeight: 'balanced' });
    // @ts-expect-error no such average
    metrics.f1Score({ average: 'mean' });
    // @ts-expect-error no result
    net.compile({ optimizer: 'sgd', loss: 'mse', metrics: [{ name: 'a', sums: 1, update: () => tensor([1]) }] });
    // @ts-expect-error classes are for training
    net.evaluate(x, y, { classWeight: { 1: 2 } });
  });

  it('call hooks with what they receive', () => {
    callbacks.lambda({
      onEpochEnd: (epoch, logs) => {
        expectTypeOf(epoch).toEqualTypeOf<number>();
        expectTypeOf(logs.loss).toEqualTypeOf<number>();
      },
    });
    net.fit(x, y, {
      callbacks: [
        {
          onTrainBegin() {
            expectTypeOf(this.model).toEqualTypeOf<Model | undefined>();
          },
        },
      ],
    });
    // @ts-expect-error no such hook
    callbacks.lambda({ onEpochFinish: () => {} });
  });
});

describe('layers', () => {
  it('check their options', () => {
    sequential([layers.dense({ units: 2, activation: 'relu', inputShape: [3] }), layers.dropout({ rate: 0.5 })], {
      name: 'n',
    });
    layers.dense({ units: 2, activation: (z) => ops.relu(z) });
    // @ts-expect-error no units
    layers.dense({ activation: 'relu' });
    // @ts-expect-error unknown option
    layers.dense({ units: 2, use_bias: false });
    // @ts-expect-error a list of layers
    sequential(layers.dense({ units: 2 }));
  });
});
