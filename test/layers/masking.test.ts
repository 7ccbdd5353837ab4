// Masks beyond what the golden numbers show: layers of one's own, models as layers, metrics, files; layers for steps and places.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  callbacks,
  input,
  layers,
  type LayerOutput,
  loadModel,
  losses,
  metrics,
  model,
  type Model,
  ops,
  seed,
  sequential,
  type SymbolicTensor,
  type Tensor,
  tensor,
} from 'downhill';
import { afterAll, describe, expect, it } from 'vitest';
import { maskOf } from '../../lib/layers/mask.js';
import { goHome } from '../support-devices.js';
import { randomArray, throwsAtOnce } from '../support.js';

afterAll(goHome);

const words = tensor(
  [
    [1, 2, 0, 0],
    [3, 0, 2, 1],
  ],
  [2, 4],
  'int32',
); // prettier-ignore
const counts = [1, 1, 0, 0, 1, 0, 1, 1];
const table = () => layers.embedding({ inputDim: 4, outputDim: 3, maskZero: true });
const numbers = (value: unknown) => [...(value as Tensor).dataSync()];
const masked = () => table().apply(words) as Tensor;

class Seen extends layers.Layer {
  override readonly type = 'Seen';
  received: unknown;

  override computeOutputShape(inputShape: layers.OneOrMore<readonly number[]>): readonly number[] {
    return inputShape as readonly number[];
  }
  override call(x: layers.Computed, { mask }: layers.CallContext): layers.Computed {
    this.received = mask;
    return ops.mul(x, 2);
  }
}
class Passing extends Seen {
  override readonly supportsMasking = true;
}
class First extends Seen {
  override computeMask(_: layers.OneOrMore<layers.Computed>, mask: layers.OneOrMore<layers.Mask>): layers.Mask {
    return ops.sub(1, mask as Tensor);
  }
}

describe('layers of one’s own', () => {
  it('receive the mask of their input, and end it unless they say otherwise', () => {
    const [seen, passing, first] = [Seen, Passing, First].map((Kind) => new Kind('seen', {})) as [Seen, Seen, Seen];
    const x = masked();
    expect(maskOf(seen.apply(x))).toBe(null);
    expect(numbers(seen.received)).toEqual(counts);
    expect(numbers(maskOf(passing.apply(x)))).toEqual(counts);
    expect(numbers(maskOf(first.apply(x)))).toEqual(counts.map((one) => 1 - one));
    seen.apply(tensor([[1]]));
    expect(seen.received).toBe(null);
  });

  it('are given one with values, also where a model is the layer', () => {
    const mask = tensor(
      [
        [0, 1, 1, 1],
        [1, 1, 1, 0],
      ],
      [2, 4],
      'int32',
    ); // prettier-ignore
    const x = tensor(randomArray(24, 3), [2, 4, 3]);
    const layer = layers.lstm({ units: 2 });
    const alone = layer.apply(x, { mask }) as Tensor;
    expect(numbers(alone)).not.toEqual(numbers(layer.apply(x)));
    const net = sequential([new Passing('seen', {}), layers.lstm({ units: 2 })]);
    net.build([4, 3]);
    net.setWeights(layer.weights.map(({ variable }) => variable));
    expect(numbers(net.apply(ops.mul(x, 0.5), { mask } as never))).toEqual(numbers(alone));
    expect(() => layer.apply(input({ shape: [4, 3] }), { mask })).toThrowError(
      expect.objectContaining({ code: 'UNSUPPORTED' }) as Error,
    );
  });
});

it('mask: null counts every step, whatever the input brings', () => {
  const x = masked();
  const pool = layers.globalAveragePooling1d();
  const whole = numbers(pool.apply(ops.mul(x, 1)));
  expect(numbers(pool.apply(x))).not.toEqual(whole);
  expect(numbers(pool.apply(x, { mask: null }))).toEqual(whole);
  const through = layers.dropout({ rate: 0.5 });
  expect(numbers(pool.apply(through.apply(x, { mask: null }) as Tensor))).toEqual(whole);
  const net = sequential([layers.dropout({ rate: 0.5, inputShape: [4, 3] }), layers.globalAveragePooling1d()]);
  expect(numbers(net.apply(x, { mask: null }))).toEqual(whole);
  expect(numbers(net.apply(x))).not.toEqual(whole);
  for (const layer of [layers.gru({ units: 2 }), layers.bidirectional({ layer: layers.gru({ units: 2 }) })]) {
    expect(numbers(layer.apply(x, { mask: null }))).toEqual(numbers(layer.apply(ops.mul(x, 1))));
    expect(numbers(layer.apply(x, { mask: null }))).not.toEqual(numbers(layer.apply(x)));
  }
  const sum = layers.add();
  expect(maskOf(sum.apply([x, x]))).not.toBe(null);
  for (const mask of [null, [null], [null, maskOf(x)]]) expect(maskOf(sum.apply([x, x], { mask }))).toBe(null);
  expect(numbers(maskOf(x))).toEqual(counts);
  expect(() => pool.apply(input({ shape: [4, 3] }), { mask: null })).toThrowError(
    expect.objectContaining({ code: 'UNSUPPORTED', message: expect.stringContaining('layers.lambda') }) as Error,
  );
});

describe('layers within layers', () => {
  const pool = layers.globalAveragePooling1d();

  class Wrap extends layers.Layer {
    override readonly type: string = 'Wrap';
    readonly #inner = this.addLayer(layers.globalAveragePooling1d());
    override computeOutputShape(shape: layers.OneOrMore<readonly number[]>) {
      return [(shape as readonly number[])[1]!];
    }
    override call(x: layers.OneOrMore<layers.Computed>, { training }: layers.CallContext) {
      return this.#inner.apply(x as Tensor, { training });
    }
  }

  it('see the mask that the outer one was given', () => {
    const [layer, x] = [new Wrap('wrap'), masked()];
    const whole = numbers(pool.apply(ops.mul(x, 1)));
    expect(numbers(layer.apply(x))).toEqual(numbers(pool.apply(x)));
    expect(numbers(layer.apply(x, { mask: null }))).toEqual(whole);
    const mask = tensor([1, 0, 0, 0, 1, 0, 1, 0], [2, 4], 'int32');
    expect(numbers(layer.apply(x, { mask }))).toEqual(numbers(pool.apply(x, { mask })));
  });

  it('keep masks made within, where a context is passed on', () => {
    class Reader extends Wrap {
      override readonly type = 'Reader';
      readonly #words = this.addLayer(table());
      readonly #mean = this.addLayer(layers.globalAveragePooling1d());
      override computeOutputShape() {
        return [3];
      }
      override call(x: layers.OneOrMore<layers.Computed>, context: layers.CallContext) {
        return this.#mean.apply(this.#words.apply(x as Tensor, context) as Tensor, context);
      }
    }
    const reader = new Reader('reader');
    const given = numbers(reader.apply(words));
    const [embedded] = reader.weights;
    const alone = table();
    alone.build([4]);
    alone.weights[0]!.variable.assign(embedded!.variable);
    expect(given).toEqual(numbers(pool.apply(alone.apply(words) as Tensor)));
    expect(given).not.toEqual(numbers(pool.apply(ops.mul(alone.apply(words) as Tensor, 1))));
  });

  it('of several inputs hand no list of masks to layers of one', () => {
    const dense = layers.dense({ units: 2 });
    const both = layers.lambda(([a, b]: Tensor[], context: layers.CallContext) =>
      ops.add(dense.apply(a!, context) as Tensor, dense.apply(b!, context) as Tensor),
    );
    const [a, b] = [tensor(randomArray(6, 1), [3, 2]), tensor(randomArray(6, 2), [3, 2])];
    expect(numbers(both.apply([a, b]))).toEqual(numbers(ops.add(dense.apply(a) as Tensor, dense.apply(b) as Tensor)));
  });

  it('want masks of steps', () => {
    for (const mask of [tensor([1, 1], [2]), tensor(1)])
      expect(() => pool.apply(masked(), { mask })).toThrowError(
        expect.objectContaining({ code: 'SHAPE_MISMATCH' }) as Error,
      );
  });
});

it('LastStep of docs/masking.md gives the last step that counts', () => {
  class LastStep extends layers.Layer {
    override readonly type = 'LastStep';
    override computeOutputShape([, features]: layers.OneOrMore<readonly number[]>) {
      return [features as number];
    }
    override call(given: layers.OneOrMore<layers.Computed>, { mask: masks }: layers.CallContext) {
      const [x, mask] = [given as layers.Computed, masks as layers.Mask];
      const [n, steps, features] = x.shape as [number, number, number];
      if (!mask) return ops.reshape(ops.slice(x, [0, steps - 1, 0], [-1, 1, -1]), [n, features]);
      const places = Float32Array.from({ length: steps }, (_, t) => t + 1);
      const last = ops.argmax(ops.mul(mask, places), 1); // [n]
      const picked = ops.reshape(ops.oneHot(last, steps), [n, steps, 1]);
      return ops.sum(ops.mul(x, picked), 1);
    }
  }
  const layer = new LastStep('last_step');
  const x = masked();
  const rows = numbers(x);
  const step = (row: number, t: number) => rows.slice((4 * row + t) * 3, (4 * row + t + 1) * 3);
  expect(numbers(layer.apply(x))).toEqual([...step(0, 1), ...step(1, 3)]);
  expect(numbers(layer.apply(x, { mask: null }))).toEqual([...step(0, 3), ...step(1, 3)]);
  const mask = tensor([1, 0, 0, 0, 1, 0, 1, 0], [2, 4], 'int32');
  expect(numbers(layer.apply(x, { mask }))).toEqual([...step(0, 0), ...step(1, 2)]);
  const net = sequential([table(), new LastStep('last_step')]);
  net.build([4]);
  expect((net.apply(words) as Tensor).shape).toEqual([2, 3]);
});

it('masks pass models that are layers', async () => {
  const inner = sequential([table(), layers.dense({ units: 3 })], { name: 'inner' });
  inner.build([4]);
  const x = input({ shape: [4], dtype: 'int32' });
  const net = model({ inputs: x, outputs: layers.globalAveragePooling1d().apply(inner.apply(x)) });
  const rows = (inner.apply(words) as Tensor).dataSync();
  const expected = [0, 1].flatMap((row) =>
    [0, 1, 2].map((k) => {
      const own = [0, 1, 2, 3].filter((t) => counts[4 * row + t]);
      return own.reduce((sum, t) => sum + rows[(4 * row + t) * 3 + k]!, 0) / own.length;
    }),
  );
  for (const [i, value] of (await net.predict(words)).dataSync().entries()) expect(value).toBeCloseTo(expected[i]!, 5);
});

it('a sequence of which nothing counts has the mean 0', () => {
  const x = table().apply(tensor([[0, 0]], [1, 2], 'int32')) as Tensor;
  expect(numbers(layers.globalAveragePooling1d().apply(x))).toEqual([0, 0, 0]);
});

it('a softmax leaves out what does not count, if its mask speaks of elements', () => {
  const mask = tensor(
    [
      [1, 0, 1],
      [0, 0, 0],
    ],
    [2, 3],
    'int32',
  ); // prettier-ignore
  const x = tensor([
    [1, 5, 1],
    [1, 2, 3],
  ]); // prettier-ignore
  expect(numbers(layers.softmax().apply(x, { mask }))).toEqual([0.5, 0, 0.5, 0, 0, 0]);
  expect(numbers(layers.softmax().apply(masked())).every((value) => value > 0)).toBe(true);
});

describe('losses and metrics', () => {
  const network = () => {
    const net = sequential([
      table(),
      layers.dense({ units: 1, activation: 'sigmoid', kernelInitializer: 'ones', biasInitializer: 'ones' }),
    ]);
    net.build([4]);
    return net;
  };
  const y = tensor([
    [1, 0, 1, 1],
    [0, 1, 1, 1],
  ]); // prettier-ignore
  const right = 3 / 5;

  it('of all kinds count the steps that have weight', async () => {
    const net = network();
    const hits = {
      name: 'hits',
      sums: 2,
      update: (t: SymbolicTensor, p: SymbolicTensor, w: SymbolicTensor) => [
        ops.sum(ops.mul(w, ops.mul(t, ops.greater(p, 0.5)))),
        ops.sum(w),
      ],
      result: ([a, b]: Float64Array) => a! / b!,
    };
    const half = (t: SymbolicTensor, p: SymbolicTensor) => ops.mul(ops.square(ops.sub(t, p)), 0.5);
    net.compile({
      optimizer: 'sgd',
      loss: half,
      metrics: [metrics.precision(), hits, 'binaryAccuracy', 'meanSquaredError'],
    });
    const scores = await net.evaluate(words, y, { verbose: 0 });
    // All outputs are above one half.
    for (const key of ['precision', 'hits', 'binaryAccuracy']) expect(scores[key]).toBeCloseTo(right, 6);
    expect(scores.loss).toBeCloseTo(scores.meanSquaredError! / 2, 6);
    const p = net.apply(words) as Tensor;
    const own = p.dataSync();
    const errors = numbers(y).map((t, i) => (t - own[i]!) ** 2);
    const mean = errors.reduce((sum, error, i) => sum + error * counts[i]!, 0) / 5;
    expect(scores.meanSquaredError).toBeCloseTo(mean, 6);
    expect(numbers(losses.meanSquaredError()(y, p))[0]).toBeCloseTo(mean, 6);
  });

  it('a step of one’s own has masked losses, too', async () => {
    const [a, b] = [network(), network()];
    b.setWeights(a.getWeights());
    a.compile({ optimizer: 'sgd', loss: 'binaryCrossentropy' });
    const loss = losses.binaryCrossentropy();
    b.compile({
      optimizer: 'sgd',
      trainStep: ({ x, y: targets, training }, net) => loss(targets, net.apply(x, { training })),
    });
    expect(await b.trainOnBatch(words, y)).toEqual(await a.trainOnBatch(words, y));
    expect(b.getWeights().map(numbers)).toEqual(a.getWeights().map(numbers));
  });
});

function translation(): Model {
  const [question, answer] = ['question', 'answer'].map((name) => input({ shape: [4], dtype: 'int32', name })) as [
    LayerOutput,
    LayerOutput,
  ];
  const [, ...states] = layers
    .bidirectional({ layer: layers.lstm({ units: 2, returnState: true, dropout: 0.25 }) })
    .apply<LayerOutput[]>(table().apply(question));
  const both = (i: number) => layers.concatenate().apply([states[i]!, states[i + 2]!]);
  const hidden = layers
    .lstm({ units: 4, returnSequences: true })
    .apply(table().apply(answer), { initialState: [both(0), both(1)] });
  const placed = layers.add().apply([hidden, layers.positionEmbedding({ sequenceLength: 6 }).apply(hidden)]);
  const outputs = layers.timeDistributed({ layer: layers.dense({ units: 4, activation: 'softmax' }) }).apply(placed);
  const net = model({ inputs: [question, answer], outputs });
  net.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  return net;
}

it('an encoder and a decoder are saved, loaded and resumed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'masking-'));
  try {
    const [x, other] = [1, 2].map((draw) =>
      tensor(Int32Array.from(randomArray(48, draw, 0, 4), Math.floor), [12, 4], 'int32'),
    ) as [Tensor, Tensor];
    const options = { batchSize: 4, epochs: 2, verbose: 0 } as const;
    const values = (net: Model) => net.getWeights().map(numbers);
    seed(3);
    const net = translation();
    const path = join(folder, 'step-{step}');
    await net.fit([x, other], other, { ...options, callbacks: [callbacks.modelCheckpoint({ path, everySteps: 2 })] });
    seed(8);
    const again = translation();
    await again.fit([x, other], other, { ...options, resume: path.replace('{step}', '2') });
    expect(values(again)).toEqual(values(net));
    await net.save(join(folder, 'net'));
    const loaded = await loadModel(join(folder, 'net'));
    expect(numbers(await loaded.predict([x, other]))).toEqual(numbers(await net.predict([x, other])));
    expect(net.parameters.map(({ name }) => name)).toContain('time_distributed/dense/kernel');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('initial states are what the steps before would have left', async () => {
  for (const kind of ['simpleRNN', 'lstm', 'gru'] as const) {
    const layer = layers[kind]({ units: 3, returnState: true, returnSequences: true });
    const x = tensor(randomArray(30, 4), [2, 5, 3]);
    const [whole] = layer.apply(x) as unknown as Tensor[];
    const [, ...states] = layer.apply(ops.slice(x, [0, 0, 0], [-1, 2, -1])) as unknown as Tensor[];
    const rest = ops.slice(x, [0, 2, 0], [-1, 3, -1]);
    const [after] = layer.apply(rest, { initialState: states }) as unknown as Tensor[];
    const [listed] = layer.apply([rest, ...states]) as unknown as Tensor[];
    expect(numbers(listed)).toEqual(numbers(after));
    const expected = numbers(ops.slice(whole!, [0, 2, 0], [-1, 3, -1]));
    for (const [i, value] of numbers(after).entries()) expect(value).toBeCloseTo(expected[i]!, 5);
  }
});

it('initial states as nested arrays, and those with too few rows', () => {
  const x = tensor(randomArray(24, 4), [2, 4, 3]);
  const rows = [
    [0.1, 0.2],
    [0.3, 0.4],
  ]; // prettier-ignore
  const gru = layers.gru({ units: 2 });
  expect(numbers(gru.apply(x, { initialState: rows }))).toEqual(numbers(gru.apply([x, tensor(rows)])));
  const lstm = layers.lstm({ units: 2 });
  const state = tensor(rows);
  expect(numbers(lstm.apply(x, { initialState: [rows, rows] }))).toEqual(numbers(lstm.apply([x, state, state])));
  const single = tensor([rows[0]!]);
  for (const layer of [
    layers.gru({ units: 2 }),
    layers.gru({ units: 2, resetAfter: false }),
    layers.simpleRNN({ units: 2, recurrentDropout: 0.5 }),
    layers.bidirectional({ layer: layers.simpleRNN({ units: 1, activation: 'relu' }) }),
  ])
    throwsAtOnce(
      'SHAPE_MISMATCH',
      /expects initial states with a row for each of the 2 sequences; received \[1, \d\]/,
      () =>
        layer.apply(x, {
          initialState: layer.type === 'Bidirectional' ? [tensor([[1]]), tensor([[1]])] : single,
          training: true,
        }),
    );
  throwsAtOnce('SHAPE_MISMATCH', /one initial state, \[n, 2\]; received \[n, 4, 3\] and \[n, 3\]/, () =>
    gru.apply(x, { initialState: tensor([[1, 2, 3]]) }),
  );
});

it('a bidirectional layer begins each direction with states of its own', () => {
  const both = layers.bidirectional({ layer: layers.lstm({ units: 2 }) });
  const x = tensor(randomArray(12, 4), [1, 4, 3]);
  const states = Array.from({ length: 4 }, () => ops.broadcastTo(0, [1, 2]) as Tensor);
  const outputs = [null, 0, 1, 2, 3].map((changed) =>
    numbers(both.apply(x, { initialState: states.map((state, i) => (i === changed ? ops.add(state, 1) : state)) })),
  );
  for (const [i, output] of outputs.slice(1).entries()) {
    const same = output.map((value, k) => value === outputs[0]![k]);
    expect(same).toEqual(i < 2 ? [false, false, true, true] : [true, true, false, false]);
  }
});

describe('timeDistributed', () => {
  it('gives masks within steps to its layer, and passes on which steps have any', () => {
    const ids = tensor([1, 2, 0, 3, 0, 0, 2, 2, 1, 0, 0, 0], [2, 2, 3], 'int32');
    const x = table().apply(ids) as Tensor;
    const inner = layers.lstm({ units: 2 });
    const y = layers.timeDistributed(inner).apply(x) as Tensor;
    expect(y.shape).toEqual([2, 2, 2]);
    const flat = inner.apply(ops.reshape(x, [4, 3, 3]), { mask: ops.reshape(maskOf(x) as Tensor, [4, 3]) }) as Tensor;
    expect(numbers(y)).toEqual(numbers(flat));
    expect(numbers(maskOf(y))).toEqual([1, 1, 1, 0]);
    const none = table().apply(tensor(new Int32Array(6), [1, 2, 3], 'int32')) as Tensor;
    expect(numbers(maskOf(layers.timeDistributed(layers.flatten()).apply(none)))).toEqual([0, 0]);
  });

  it('takes a model', () => {
    const net = sequential([layers.dense({ units: 2, inputShape: [3] }), layers.relu()]);
    const each = layers.timeDistributed({ layer: net, inputShape: [4, 3] });
    const outer = sequential([each]);
    expect(outer.outputShape).toEqual([4, 2]);
    expect(outer.parameters.map(({ name }) => name)).toEqual(
      ['kernel', 'bias'].map((name) => `time_distributed/sequential/dense/${name}`),
    );
    const x = tensor(randomArray(24, 5, -1, 1), [2, 4, 3]);
    expect(numbers(outer.apply(x))).toEqual(numbers(net.apply(ops.reshape(x, [8, 3]))));
  });
});

it('vectors of places', () => {
  const x = ops.broadcastTo(1, [2, 3, 4]) as Tensor;
  const learned = layers.positionEmbedding({ sequenceLength: 5 });
  learned.build([3, 4]);
  const vectors = randomArray(20, 6);
  learned.weights[0]!.variable.assign(tensor(vectors, [5, 4]));
  expect(numbers(learned.apply(x))).toEqual([...vectors.slice(0, 12), ...vectors.slice(0, 12)]);
  const sines = numbers(layers.sinePositionEncoding({ maxWavelength: 100 }).apply(x)).slice(0, 12);
  const expected = [0, 1, 2].flatMap((t) => [Math.sin(t), Math.cos(t), Math.sin(t / 10), Math.cos(t / 10)]);
  for (const [i, value] of sines.entries()) expect(value).toBeCloseTo(expected[i]!, 6);
});

describe('errors', () => {
  const two = () => layers.lstm({ units: 2 });
  const sequence = () => input({ shape: [3, 2] });
  const state = (units: number) => input({ shape: [units] });
  it.each([
    ['stateful layers', () => layers.gru({ units: 1, stateful: true } as never), 'UNSUPPORTED'],
    ['one state of two', () => two().apply(sequence(), { initialState: state(2) }), 'SHAPE_MISMATCH'],
    ['states of other units', () => two().apply([sequence(), state(3), state(3)]), 'SHAPE_MISMATCH'],
    ['no states', () => two().apply(sequence(), { initialState: [] }), 'INVALID_ARGUMENT'],
    [
      'states in sequential',
      () => sequential([layers.input({ shape: [3, 2] }), layers.lstm({ units: 2, returnState: true })]),
      'INVALID_ARGUMENT',
    ],
    [
      'a mask that does not fit',
      () => two().apply(ops.broadcastTo(1, [1, 3, 2]), { mask: tensor([[1, 1]]) }),
      'SHAPE_MISMATCH',
    ],
    [
      'a mask as nested arrays',
      () => two().apply(ops.broadcastTo(1, [1, 3, 2]), { mask: [[1, 1, 0]] as never }),
      'INVALID_ARGUMENT',
    ],
    [
      'a mask too many',
      () => two().apply(ops.broadcastTo(1, [1, 3, 2]), { mask: [null, tensor([[1, 1, 0]])] }),
      'INVALID_ARGUMENT',
    ],
    [
      'one mask for several rows, without the op',
      () =>
        layers.gru({ units: 2, resetAfter: false }).apply(ops.broadcastTo(1, [2, 3, 2]), { mask: tensor([[1, 1, 0]]) }),
      'SHAPE_MISMATCH',
    ],
    ['no layer for steps', () => layers.timeDistributed({ layer: 'dense' as never }), 'INVALID_ARGUMENT'],
    ['a layer of several inputs for steps', () => layers.timeDistributed(layers.add()), 'INVALID_ARGUMENT'],
    [
      'steps without features',
      () => layers.timeDistributed(layers.flatten()).computeOutputShape([4]),
      'SHAPE_MISMATCH',
    ],
    [
      'more places than there are',
      () => layers.positionEmbedding({ sequenceLength: 2 }).computeOutputShape([3, 4]),
      'SHAPE_MISMATCH',
    ],
    ['no length', () => layers.positionEmbedding({} as never), 'INVALID_ARGUMENT'],
  ])('%s', (_, body, code) => {
    expect(body).toThrowError(expect.objectContaining({ code }) as Error);
  });
});

it('a layer that gives back its input marks the output alone', async () => {
  const x = tensor([1, 2, 3, 4, 5, 6], [2, 3, 1]);
  const lengths = [tensor([1, 0, 0, 1, 1, 0], [2, 3]), tensor([1, 1, 0, 1, 0, 0], [2, 3])];
  const pool = layers.globalAveragePooling1d();
  const through = layers.dropout({ rate: 0.5 });
  const [first, second] = lengths.map((mask) => pool.apply(through.apply(x, { mask }) as Tensor) as Tensor);
  expect([...(await first!.data()), ...(await second!.data())]).toEqual([1, 4.5, 1.5, 4]);
  expect([...(await (pool.apply(x) as Tensor).data())]).toEqual([2, 5]);
  const ended = layers.lambda((value) => value).apply(through.apply(x, { mask: lengths[0]! }) as Tensor);
  expect([...(await (pool.apply(ended as Tensor) as Tensor).data())]).toEqual([2, 5]);
});

it('steps that do not count may hold anything in batch normalization', async () => {
  const x = tensor([1, 3, Number.NaN, 5, 7, Number.POSITIVE_INFINITY], [2, 3, 1]);
  const mask = tensor([1, 1, 0, 1, 1, 0], [2, 3]);
  const y = await (layers.batchNormalization().apply(x, { training: true, mask }) as Tensor).data();
  expect(y[0]).toBeCloseTo(-3 / Math.sqrt(5.001), 4);
});

it('timeDistributed hands the dtype of its input to its layer', async () => {
  const rows = tensor([1, 2, 3, 4], [2, 2]);
  const look = layers.timeDistributed({ layer: layers.lambda((ids) => ops.gather(rows, ids as Tensor)) });
  const y = look.apply(tensor([0, 1, 1, 0], [1, 2, 2], 'int32')) as Tensor;
  expect(y.shape).toEqual([1, 2, 2, 2]);
  expect([...(await y.data())]).toEqual([1, 2, 3, 4, 3, 4, 1, 2]);
});
