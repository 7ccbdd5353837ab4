// The layers without weights, and what all layers share.
import { type DType, layers, seed, sequential, type Tensor, tensor } from 'downhill';
import { expect, test } from 'vitest';
import { close, throwsAtOnce } from '../support.js';

test('activation', () => {
  const net = sequential([layers.activation({ activation: 'relu', inputShape: [3] })]);
  close(net.apply([[-1, 0, 2]]), [[0, 0, 2]]);
  close(layers.activation('softplus').apply([[0]]), [[Math.LN2]]);
});

test('flatten', () => {
  const net = sequential([layers.flatten({ inputShape: [2, 3] })]);
  expect(net.outputShape).toEqual([6]);
  const out = net.apply(
    tensor(
      Float32Array.from({ length: 12 }, (_, i) => i),
      [2, 2, 3],
    ),
  );
  expect(out.arraySync()).toEqual([
    [0, 1, 2, 3, 4, 5],
    [6, 7, 8, 9, 10, 11],
  ]);
});

test('reshape, with an open dimension', () => {
  const net = sequential([layers.reshape({ targetShape: [3, -1], inputShape: [6] })]);
  expect(net.outputShape).toEqual([3, 2]);
  expect(net.apply([[1, 2, 3, 4, 5, 6]]).arraySync()).toEqual([
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
  ]);
  throwsAtOnce('SHAPE_MISMATCH', /"reshape".*\[4, 2\].*\[n, 6\]/, () =>
    sequential([layers.reshape({ targetShape: [4, 2], inputShape: [6] })]),
  );
  throwsAtOnce('SHAPE_MISMATCH', /fill \[4, -1\]/, () =>
    sequential([layers.reshape({ targetShape: [4, -1], inputShape: [6] })]),
  );
  throwsAtOnce('INVALID_ARGUMENT', /at most one of them -1/, () => layers.reshape({ targetShape: [-1, -1] }));
});

test('dropout: nothing without training, scaled zeros with it', () => {
  const net = sequential([layers.dropout({ rate: 0.25, seed: 3, inputShape: [10_000] })]);
  const ones = tensor(new Float32Array(10_000).fill(1), [1, 10_000]);
  expect([...net.apply(ones).dataSync()].every((value) => value === 1)).toBe(true);
  const dropped = [...net.apply(ones, { training: true }).dataSync()];
  expect(new Set(dropped.map((value) => value.toFixed(5)))).toEqual(new Set(['0.00000', '1.33333']));
  const share = dropped.filter((value) => value === 0).length / dropped.length;
  expect(share).toBeGreaterThan(0.23);
  expect(share).toBeLessThan(0.27);
  // Another call, another mask.
  expect([...net.apply(ones, { training: true }).dataSync()]).not.toEqual(dropped);
});

test('dropout: rates 0 and 1, and the seed', () => {
  const ones = tensor(new Float32Array(64).fill(1), [1, 64]);
  const first = (rate: number) => [...layers.dropout({ rate }).apply(ones, { training: true }).dataSync()];
  expect(first(0)).toEqual(Array.from({ length: 64 }, () => 1));
  expect(first(1)).toEqual(Array.from({ length: 64 }, () => 0));
  seed(5);
  const a = first(0.5);
  seed(5);
  expect(first(0.5)).toEqual(a);
  expect(first(0.5)).not.toEqual(a);
  throwsAtOnce('OUT_OF_RANGE', /rate must be .* at most 1; received 1\.5/, () => layers.dropout({ rate: 1.5 }));
  throwsAtOnce('INVALID_ARGUMENT', /needs the option "rate"/, () => layers.dropout({} as never));
});

test('of integers a layer gives the dtype that it declares, trained or not', () => {
  const rate = { rate: 0.5 };
  const units = { units: 2 };
  const sequences: [layers.Layer, DType?][] = [
    [layers.masking(), 'int32'],
    [layers.flatten(), 'int32'],
    [layers.reshape({ targetShape: [6] }), 'int32'],
    [layers.permute({ dims: [2, 1] }), 'int32'],
    [layers.concatenate(), 'int32'],
    [layers.add(), 'int32'],
    [layers.globalMaxPooling1d(), 'int32'],
    [layers.timeDistributed(layers.activation('relu'))],
    [layers.dropout(rate)],
    [layers.dropout({ rate: 1 })],
    [layers.spatialDropout1d(rate)],
    [layers.alphaDropout(rate)],
    [layers.gaussianNoise({ stddev: 0.5 })],
    [layers.gaussianDropout(rate)],
    [layers.relu()],
    [layers.relu({ maxValue: 2 })],
    [layers.leakyRelu()],
    [layers.prelu()],
    [layers.softmax()],
    [layers.dense(units)],
    [layers.gru(units)],
    [layers.attention()],
    [layers.conv1d({ filters: 1, kernelSize: 1 })],
    [layers.maxPooling1d()],
    [layers.globalAveragePooling1d()],
    [layers.batchNormalization()],
    [layers.unitNormalization()],
    [layers.rescaling({ scale: 2 })],
    [layers.positionEmbedding({ sequenceLength: 2 })],
  ];
  const images: [layers.Layer, DType?][] = [
    [layers.upSampling2d(), 'int32'],
    [layers.upSampling2d({ interpolation: 'bilinear' })],
    [layers.zeroPadding2d(), 'int32'],
    [layers.cropping2d(), 'int32'],
    [layers.globalMaxPooling2d(), 'int32'],
    [layers.averagePooling2d({ poolSize: 1 })],
  ];
  for (const [list, shape] of [
    [sequences, [2, 3]],
    [images, [1, 2, 3]],
  ] as const)
    for (const [layer, wanted = 'float32'] of list) {
      const x = tensor([1, 0, 2, -3, 0, 0], [1, ...shape], 'int32');
      const several = layer.severalInputs;
      expect(layer.computeOutputDtype(['int32'], several ? [shape] : shape), layer.type).toBe(wanted);
      for (const training of [false, true])
        expect((layer.apply(several ? [x] : x, { training }) as Tensor).dtype, layer.type).toBe(wanted);
    }
});

test('a list where one axis is allowed', () => {
  throwsAtOnce('INVALID_ARGUMENT', /from the end with −1; received \[1, 2\]\.$/, () =>
    layers.batchNormalization({ axis: [1, 2] as never }),
  );
  throwsAtOnce('INVALID_ARGUMENT', /−1, or a list of different ones; received \[1, 1\]\.$/, () =>
    layers.softmax({ axis: [1, 1] }),
  );
});

test('input states shape and dtype', () => {
  const net = sequential([layers.input({ shape: [4] }), layers.dense({ units: 2 })]);
  expect([net.inputShape, net.inputDtype, net.countParams()]).toEqual([[4], 'float32', 10]);
  throwsAtOnce('DTYPE_MISMATCH', /"float64"/, () => layers.input({ shape: [4], dtype: 'float64' as never }));
  throwsAtOnce('INVALID_ARGUMENT', /must come first/, () =>
    sequential([layers.dense({ units: 2, inputShape: [3] }), layers.input({ shape: [4] })]),
  );
});

test('names are unique in a model', () => {
  const net = sequential([
    layers.dense({ units: 4, inputShape: [3] }),
    layers.activation('relu'),
    layers.dense({ units: 4 }),
    layers.dense({ units: 4, name: 'last' }),
  ]);
  expect(net.layers.map(({ name }) => name)).toEqual(['dense', 'activation', 'dense_1', 'last']);
  expect(net.parameters.map(({ name }) => name)).toEqual([
    'dense/kernel',
    'dense/bias',
    'dense_1/kernel',
    'dense_1/bias',
    'last/kernel',
    'last/bias',
  ]);
  throwsAtOnce('INVALID_ARGUMENT', /two layers are named "last"/, () =>
    net.add(layers.dense({ units: 1, name: 'last' })),
  );
  throwsAtOnce('INVALID_ARGUMENT', /in the model already/, () => net.add(net.layers[0]));
  throwsAtOnce('INVALID_ARGUMENT', /must be a layer.*received "dense"/, () => sequential(['dense' as never]));
});
