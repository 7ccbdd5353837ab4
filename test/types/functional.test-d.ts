import {
  type Functional,
  input,
  layers,
  type LayerOutput,
  type Model,
  model,
  ops,
  type StepBatch,
  sequential,
  type SymbolicTensor,
  type Tensor,
} from 'downhill';
import { describe, expectTypeOf, it } from 'vitest';

const [a, b] = [input({ shape: [3] }), input({ shape: [2], dtype: 'int32', name: 'b' })];
const [y, z] = [layers.dense({ units: 1 }).apply(a), layers.concatenate().apply([a, b])];
const one = model({ inputs: a, outputs: y });
const list = model({ inputs: [a, b], outputs: [y, z], name: 'list', device: 'cpu' });
const named = model({ inputs: { a, b }, outputs: { y, z } });
const x = new Float32Array(3);
declare const symbolic: SymbolicTensor;
declare const known: Functional;

describe('graphs of layers', () => {
  it('are made of symbolic values', () => {
    expectTypeOf(a).toEqualTypeOf<LayerOutput>();
    expectTypeOf(y).toEqualTypeOf<LayerOutput>();
    expectTypeOf(layers.add().apply<[LayerOutput, LayerOutput]>([a, b])).toEqualTypeOf<[LayerOutput, LayerOutput]>();
    expectTypeOf(named).toExtend<Model>();
    expectTypeOf(named.getLayer('dense')).toEqualTypeOf<layers.Layer>();
    // @ts-expect-error a layer is no value
    model({ inputs: a, outputs: layers.dense({ units: 1 }) });
    // @ts-expect-error unknown option
    model({ inputs: a, outputs: y, output: y });
  });

  it('give their outputs in their form', async () => {
    expectTypeOf(await one.predict(x)).toEqualTypeOf<Tensor>();
    expectTypeOf(await list.predict([x, x])).toEqualTypeOf<[Tensor, Tensor]>();
    expectTypeOf(await named.predict({ a: x, b: [[1, 2]] })).toEqualTypeOf<{ y: Tensor; z: Tensor }>();
    expectTypeOf(await known.predict(x)).toEqualTypeOf<Tensor>();
    expectTypeOf(await known.predict<Tensor[]>(x)).toEqualTypeOf<Tensor[]>();
    expectTypeOf(named.apply({ a: x, b: x })).toEqualTypeOf<{ y: Tensor; z: Tensor }>();
    expectTypeOf(list.apply([symbolic, symbolic])).toEqualTypeOf<[SymbolicTensor, SymbolicTensor]>();
    expectTypeOf(one.apply(a)).toEqualTypeOf<LayerOutput>();
    expectTypeOf(sequential([one]).apply(a)).toEqualTypeOf<LayerOutput>();
  });

  it('train by a function', () => {
    one.compile({ optimizer: 'sgd', trainStep: ({ x, y }, net) => ops.mean(ops.square(ops.sub(net.apply(x), y))) });
    named.compile({
      optimizer: 'sgd',
      logs: ['size'],
      trainStep(
        { x, y, training }: StepBatch<Record<'a' | 'b', SymbolicTensor>, { y: SymbolicTensor }>,
        net: typeof named,
      ) {
        const { y: p, z } = net.apply(x, { training });
        return { loss: ops.mean(ops.sub(p, y.y)), size: ops.mean(z) };
      },
    });
    one.fit(x, undefined, { epochs: 2 });
    // @ts-expect-error either a loss or a step
    one.compile({ optimizer: 'sgd' });
    // @ts-expect-error a string is no loss
    one.compile({ optimizer: 'sgd', trainStep: () => 'no' });
  });

  it('train on lists and objects', () => {
    named.compile({
      optimizer: 'sgd',
      loss: { y: 'mse', z: null },
      lossWeights: { y: 2 },
      metrics: { y: ['mae'], z: 'mse' },
    });
    list.compile({ optimizer: 'sgd', loss: ['mse', 'mae'], lossWeights: [1, 2], metrics: [['mae'], null] });
    list.fit([x, x], [x, null], {
      sampleWeight: [x, null],
      validationData: [
        [x, x],
        [x, x],
      ],
    });
    named.fit(
      { a: x, b: x },
      { y: x },
      { sampleWeight: { y: x }, validationData: [{ a: x, b: x }, { y: x }, { y: x }] },
    );
    // @ts-expect-error a string is no data
    named.fit({ a: 'x', b: x }, { y: x });
    // @ts-expect-error a weight is a number
    list.compile({ optimizer: 'sgd', loss: 'mse', lossWeights: ['1', 2] });
  });
});
