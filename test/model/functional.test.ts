// Graphs of layers: how they are built, what they compute, and what is wrong with those that cannot be.
import {
  type Functional,
  initializers,
  input,
  layers,
  type LayerOutput,
  model,
  ops,
  sequential,
  setDevice,
  tensor,
  type Tensor,
} from 'downhill';
import { afterEach, describe, expect, test } from 'vitest';
import { close, fails, randomArray, throwsAtOnce } from '../support.js';
import { testDevices } from '../support-devices.js';

afterEach(() => setDevice('cpu'));

const { dense, concatenate, add, dropout } = layers;
const matrix = (rows: number, columns: number, seed: number) =>
  tensor(randomArray(rows * columns, seed), [rows, columns]);

/** Two inputs, a shared layer, a model as a layer, two outputs. */
function twoByTwo() {
  const left = input({ shape: [4], name: 'left' });
  const right = input({ shape: [3], name: 'right' });
  const shared = dense({ units: 5, activation: 'tanh', name: 'shared' });
  const a = shared.apply(dense({ units: 6 }).apply(left));
  const b = shared.apply(dense({ units: 6 }).apply(right));
  const both = concatenate().apply([a, b]);
  const x = input({ shape: [10] });
  const sub = model({
    inputs: x,
    outputs: dense({ units: 7, activation: 'relu' }).apply(dense({ units: 8 }).apply(x)),
    name: 'sub',
  });
  const h = sub.apply(both);
  const kind = dense({ units: 3, activation: 'softmax', name: 'kind' }).apply(h);
  const size = dense({ units: 1, name: 'size' }).apply(add().apply([dense({ units: 5 }).apply(h), a]));
  return { left, right, shared, a, b, sub, kind, size, net: model({ inputs: [left, right], outputs: [kind, size] }) };
}

const textOf = (net: { summary(print: (text: string) => void): void }) => {
  let text = '';
  net.summary((part) => {
    text += part;
  });
  return text;
};

describe('building', () => {
  test('layers, weights and names stand in Keras’s order', () => {
    const { net, sub, shared } = twoByTwo();
    expect(net.layers.map(({ name }) => name)).toEqual([
      'left',
      'right',
      'dense',
      'dense_1',
      'shared',
      'concatenate',
      'sub',
      'dense_2',
      'add',
      'kind',
      'size',
    ]);
    expect(net.parameters.map(({ name }) => name)).toEqual(
      ['dense', 'dense_1', 'shared', 'sub/dense', 'sub/dense_1', 'dense_2', 'kind', 'size'].flatMap((name) => [
        `${name}/kernel`,
        `${name}/bias`,
      ]),
    );
    expect(net.countParams()).toBe(310);
    expect(net.getLayer('sub')).toBe(sub);
    expect(net.getLayer(4)).toBe(shared);
    expect(net.getLayer(-1).name).toBe('size');
    throwsAtOnce('UNKNOWN_NAME', /Did you mean "shared"/, () => net.getLayer('sharde'));
    throwsAtOnce('OUT_OF_RANGE', /11 layers/, () => net.getLayer(11));
    expect([net.name, sub.name]).toEqual(['functional', 'sub']);
    expect(net.inputs.map(({ shape }) => shape)).toEqual([[4], [3]]);
    expect(net.outputs.map(({ shape }) => shape)).toEqual([[3], [1]]);
    expect([sub.inputShape, sub.outputShape, sub.inputDtype]).toEqual([[10], [7], 'float32']);
    throwsAtOnce('UNSUPPORTED', /2 inputs \(left, right\).*net\.inputs/, () => net.inputShape);
    throwsAtOnce('UNSUPPORTED', /2 outputs \(kind, size\)/, () => net.outputShape);
  });

  test('summary says what is connected to what, as Keras’s', () => {
    const { net } = twoByTwo();
    const rows = textOf(net)
      .split('\n')
      .filter((line) => line.startsWith('│'))
      .map((line) =>
        line
          .split('│')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );
    expect(rows).toEqual([
      ['left (InputLayer)', '(None, 4)', '0', '-'],
      ['right (InputLayer)', '(None, 3)', '0', '-'],
      ['dense (Dense)', '(None, 6)', '30', 'left[0][0]'],
      ['dense_1 (Dense)', '(None, 6)', '24', 'right[0][0]'],
      ['shared (Dense)', '(None, 5)', '35', 'dense[0][0], dense_1[0][0]'],
      ['concatenate (Concatenate)', '(None, 10)', '0', 'shared[0][0], shared[1][0]'],
      ['sub (Functional)', '(None, 7)', '151', 'concatenate[0][0]'],
      ['dense_2 (Dense)', '(None, 5)', '40', 'sub[0][0]'],
      ['add (Add)', '(None, 5)', '0', 'dense_2[0][0], shared[0][0]'],
      ['kind (Dense)', '(None, 3)', '24', 'sub[0][0]'],
      ['size (Dense)', '(None, 1)', '6', 'add[0][0]'],
    ]);
    expect(textOf(net)).toMatch(/Connected to/);
    const x = input({ shape: [2] });
    const stack = textOf(model({ inputs: x, outputs: dense({ units: 3 }).apply(dense({ units: 2 }).apply(x)) }));
    expect(stack).not.toMatch(/Connected to/);
    expect(stack).toMatch(/input \(InputLayer\)/);
  });

  test('forms of inputs and outputs; objects are sorted by name', () => {
    const [b, a] = [input({ shape: [2], name: 'b' }), input({ shape: [3], name: 'a' })];
    const joined = concatenate().apply([b, a]);
    const net = model({ inputs: { b, a }, outputs: { z: dense({ units: 1 }).apply(joined), y: joined } });
    expect(net.inputs.map(({ name }) => name)).toEqual(['a', 'b']);
    const result = net.apply<Record<string, Tensor>>({ b: matrix(2, 2, 1), a: matrix(2, 3, 2) });
    expect(Object.entries(result).map(([name, { shape }]) => [name, shape])).toEqual([
      ['y', [2, 5]],
      ['z', [2, 1]],
    ]);
    const list = model({ inputs: [a], outputs: [dense({ units: 1 }).apply(a)] });
    expect(list.apply<Tensor[]>([[[1, 2, 3]]] as never).map(({ shape }) => shape)).toEqual([[1, 1]]);
    expect(list.apply<Tensor[]>([[1, 2, 3]] as never).map(({ shape }) => shape)).toEqual([[1, 1]]);
    expect(list.apply<Tensor[]>([matrix(2, 3, 2)]).map(({ shape }) => shape)).toEqual([[2, 1]]);
    expect(list.apply<Tensor[]>(matrix(2, 3, 2)).length).toBe(1);
  });

  test('a value may be input and output at once, and any value may be an input', () => {
    const x = input({ shape: [3] });
    const hidden = dense({ units: 4 }).apply(x);
    const y = dense({ units: 2 }).apply(hidden);
    const whole = model({ inputs: x, outputs: [y, hidden, x] });
    const head = model({ inputs: hidden, outputs: y });
    expect(head.layers.map(({ name }) => name)).toEqual(['dense_input', 'dense_1']);
    const data = matrix(5, 3, 4);
    const [out, middle, same] = whole.apply<Tensor[]>(data);
    expect([...same.dataSync()]).toEqual([...data.dataSync()]);
    close(head.apply(middle), out);
    expect(head.parameters).toEqual(whole.parameters.slice(2));
  });

  test('names of layers that other models know', () => {
    const branch = () => {
      const x = input({ shape: [2] });
      return model({ inputs: x, outputs: dense({ units: 2 }).apply(dense({ units: 2 }).apply(x)) });
    };
    const [a, b] = [branch(), branch()];
    const joined = model({ inputs: [...a.inputs, ...b.inputs], outputs: add().apply([...a.outputs, ...b.outputs]) });
    const names = joined.layers.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(a.layers.map(({ name }) => name)).toEqual(['input', 'dense', 'dense_1']);
    expect(new Set(joined.parameters.map(({ name }) => name)).size).toBe(8);
  });

  test('models within models: names of weights', () => {
    const inner = sequential([dense({ units: 2, inputShape: [3] })], { name: 'inner' });
    const x = input({ shape: [3] });
    const middle = model({ inputs: x, outputs: dense({ units: 3 }).apply(inner.apply(x)), name: 'middle' });
    const outer = sequential([dense({ units: 3, inputShape: [4] }), middle, dense({ units: 1 })]);
    expect(outer.parameters.filter((_, i) => i % 2 === 0).map(({ name }) => name)).toEqual([
      'dense/kernel',
      'middle/inner/dense/kernel',
      'middle/dense/kernel',
      'dense_1/kernel',
    ]);
    expect(outer.outputShape).toEqual([1]);
    const unbuilt = sequential([dense({ units: 2 })]);
    expect((unbuilt.apply(input({ shape: [5] })) as LayerOutput).shape).toEqual([2]);
    expect(unbuilt.inputShape).toEqual([5]);
  });

  test('what cannot be', async () => {
    const { net, left, right, shared, a, sub, kind } = twoByTwo();
    const refused = (message: RegExp, work: () => unknown) => throwsAtOnce('INVALID_ARGUMENT', message, work);
    refused(/disconnected: LayerOutput\("right", shape=\[n, 3\].*layer "dense_1" needs it.*Reached so far: left/s, () =>
      model({ inputs: left, outputs: kind }),
    );
    const other = input({ shape: [2], name: 'other' });
    refused(/disconnected: LayerOutput\("other".*it is an output/, () => model({ inputs: left, outputs: other }));
    refused(/inputs has LayerOutput\("left".*twice/, () => model({ inputs: [left, left], outputs: a }));
    refused(/inputs must not be empty/, () => model({ inputs: [], outputs: a }));
    refused(/outputs\[1\] must be a symbolic value.*received an object of type Dense.*apply it/s, () =>
      model({ inputs: left, outputs: [a, shared as never] }),
    );
    refused(/needs the option "inputs"/, () => model({ outputs: a } as never));
    throwsAtOnce('UNKNOWN_OPTION', /model: unknown option "output"/, () => model({ inputs: left, output: a } as never));
    refused(/two layers are named "same"/, () => {
      const x = input({ shape: [2] });
      return model({
        inputs: x,
        outputs: dense({ units: 1, name: 'same' }).apply(dense({ units: 1, name: 'same' }).apply(x)),
      });
    });
    refused(/Layer "shared" \(Dense\) takes one input; received 2/, () => shared.apply([a, a]));
    throwsAtOnce('SHAPE_MISMATCH', /Layer "shared".*6 features.*received \[n, 4\]/, () => shared.apply(left));
    throwsAtOnce('SHAPE_MISMATCH', /Layer "add".*\(Add\) expects inputs of one shape.*\[n, 4\] and \[n, 3\]/, () =>
      add().apply([left, right]),
    );
    throwsAtOnce('SHAPE_MISMATCH', /Layer "sub" \(Functional\) expects "input" \[n, 10\]; received \[n, 4\]/, () =>
      sub.apply(left),
    );
    refused(/all inputs are symbolic values of layers or none/, () => add().apply([left, matrix(1, 4, 1)] as never));
    refused(/takes several inputs/, () => sequential([layers.input({ shape: [2] }), add()]));
    refused(/takes several inputs/, () => sequential([layers.input({ shape: [2] }), net]));
    refused(/model "functional" lacks input "right".*list of 2 \(left, right\)/, () =>
      net.apply({ left: matrix(1, 4, 1) }),
    );
    refused(/expected a list of 2 \(left, right\)/, () => net.apply(matrix(1, 4, 1)));
    throwsAtOnce('SHAPE_MISMATCH', /the input "right" must have shape \[n, 3\]; received \[2, 4\]/, () =>
      net.apply([matrix(2, 4, 1), matrix(2, 4, 1)]),
    );
    throwsAtOnce('INVALID_ARGUMENT', /"shared" has 2 symbolic outputs, not one/, () => shared.output);
    await fails('INVALID_ARGUMENT', /must be a Tensor.*apply layers to it, and layers\.lambda/, () =>
      ops.add(left as never, 1),
    );
  });
});

describe.each(testDevices)('computing on %s', (device) => {
  test('a graph, on values and in a function', () => {
    setDevice(device);
    const { net } = twoByTwo();
    const x = [matrix(6, 4, 1), matrix(6, 3, 2)];
    const [kind, size] = net.apply<Tensor[]>(x);
    const at = (name: string, values: Tensor) => (net.getLayer(name) as layers.Dense).apply(values) as Tensor;
    const a = at('shared', at('dense', x[0]));
    const b = at('shared', at('dense_1', x[1]));
    const h = (net.getLayer('sub') as Functional).apply(ops.concat([a, b], 1) as Tensor);
    close(kind, at('kind', h));
    close(size, at('size', ops.add(at('dense_2', h), a)));
    expect(kind.shape).toEqual([6, 3]);
  });

  test('predict gives the outputs in their form, batch by batch', async () => {
    setDevice(device);
    const { left, right, kind, size } = twoByTwo();
    const x = [matrix(7, 4, 1), matrix(7, 3, 2)];
    for (const outputs of [[kind, size], { size, kind }, kind]) {
      const net = model({ inputs: { left, right }, outputs: outputs as LayerOutput[], device });
      const found = await net.predict<never>({ right: x[1], left: x[0] }, { batchSize: 4 });
      const expected = net.apply<never>({ left: x[0], right: x[1] });
      expect(Object.keys(found)).toEqual(Object.keys(expected));
      const each = (given: unknown) =>
        (given instanceof Object && 'shape' in given ? [given] : Object.values(given as object)) as Tensor[];
      for (const [i, value] of each(found).entries()) close(value, each(expected)[i]);
    }
  });
});

test('a model of the layers of a stack', () => {
  const stack = sequential([dense({ units: 4, activation: 'tanh' }), dense({ units: 2 })]);
  throwsAtOnce('NOT_BUILT', /no input shape/, () => stack.inputs);
  throwsAtOnce('NOT_BUILT', /no input shape/, () => stack.getLayer('dense').output);
  stack.build([3]);
  const features = model({ inputs: stack.inputs, outputs: stack.layers.map(({ output }) => output) });
  const x = matrix(5, 3, 1);
  const [middle, end] = features.apply([x]);
  close(end, stack.apply(x));
  close(middle, (stack.getLayer('dense') as layers.Dense).apply(x) as Tensor);
  expect(features.parameters).toEqual(stack.parameters);
  expect(stack.outputs[0]).toBe(stack.outputs[0]);
  expect(stack.outputs[0]).toBe(stack.getLayer(-1).output);
  stack.add(dense({ units: 1 }));
  const head = dense({ units: 3 });
  const longer = model({ inputs: stack.inputs, outputs: head.apply(stack.outputs[0]!) });
  close(longer.apply([x]), head.apply(stack.apply(x)) as Tensor);
  expect(longer.layers.map(({ name }) => name)).toEqual(['input', 'dense', 'dense_1', 'dense_2', 'dense_3']);
});

test('a lambda of several values, of one, and of a shape that it does not keep', () => {
  const [a, b] = [input({ shape: [3] }), input({ shape: [1] })];
  const scaled = ([x, by]: [Tensor, Tensor]) => ops.mul(x, by);
  const sums = (x: Tensor) => ops.sum(x, 1, { keepDims: true });
  const product = layers.lambda(scaled).apply([a, b]);
  const net = model({
    inputs: [a, b],
    outputs: [product, layers.lambda({ function: sums, name: 'sums' }).apply(product)],
  });
  const [x, y] = [matrix(4, 3, 1), matrix(4, 1, 2)];
  const [found, total] = net.apply([x, y]);
  close(found, ops.mul(x, y));
  close(total, ops.sum(ops.mul(x, y), 1, { keepDims: true }));
  throwsAtOnce('SHAPE_MISMATCH', /must keep the axis of the batch.*of \[n, \d+\] it made a scalar/, () =>
    layers.lambda((v: Tensor) => ops.sum(v)).apply(a),
  );
  throwsAtOnce('INVALID_ARGUMENT', /must return a value made by ops; it returned 3/, () =>
    layers.lambda((() => 3) as never).apply(a),
  );
});

test('a lambda of integers is called once to be connected, and once for each value', async () => {
  const seen: string[] = [];
  const table = tensor(randomArray(10, 4), [5, 2]);
  const lookUp = (x: Tensor) => {
    seen.push(x.dtype);
    return ops.gather(table, x);
  };
  const next = (x: Tensor) => ops.add(x, tensor(1, [], 'int32'));
  const ids = input({ shape: [3], dtype: 'int32' });
  const found = layers.lambda(lookUp).apply(layers.lambda(next).apply(ids));
  expect([found.shape, found.dtype, seen]).toEqual([[3, 2], 'float32', ['int32']]);
  const net = model({ inputs: ids, outputs: found });
  const values = tensor([[0, 1, 2]], [1, 3], 'int32');
  const expected = ops.gather(table, tensor([[1, 2, 3]], [1, 3], 'int32'));
  close(net.apply(values), expected);
  expect(seen).toEqual(['int32', 'int32']);
  close(layers.lambda(lookUp).apply(values) as Tensor, ops.gather(table, values));
  expect(seen.length).toBe(3);
  close(await net.predict(values), expected);
  // A stack, and a stack as a layer.
  const stack = sequential([layers.input({ shape: [3], dtype: 'int32' }), layers.lambda(next), layers.lambda(lookUp)]);
  close(stack.apply(values), expected);
  const outer = model({ inputs: ids, outputs: stack.apply(ids) });
  expect(outer.outputs.map(({ shape, dtype }) => [shape, dtype])).toEqual([[[3, 2], 'float32']]);
  // Integers at the end are what they are.
  const end = layers.lambda(next).apply(ids);
  expect(end.dtype).toBe('int32');
  expect([...model({ inputs: ids, outputs: end }).apply(values).dataSync()]).toEqual([1, 2, 3]);
});

test('a lambda gives what outputShape says', () => {
  const wide = layers.lambda({ function: (x: Tensor) => ops.concat([x, x], 1), outputShape: [5] });
  throwsAtOnce('SHAPE_MISMATCH', /must give \[n, 5\], as outputShape says; it gave \[n, 6\]/, () =>
    wide.apply(matrix(4, 3, 1)),
  );
  throwsAtOnce('SHAPE_MISMATCH', /must keep the axis of the batch.*of \[n, 3\] it made \[m, 3\], and m is not n/, () =>
    layers.lambda((x: Tensor) => ops.sum(x, 0, { keepDims: true })).apply(matrix(4, 3, 1)),
  );
});

test('names of inputs and outputs follow layers that other models rename', async () => {
  const [a, b] = [input({ shape: [2] }), input({ shape: [2] })];
  const [left, right] = [dense({ units: 1 }), dense({ units: 1 })];
  const first = model({ inputs: a, outputs: left.apply(a) });
  const second = model({ inputs: b, outputs: right.apply(b) });
  expect(second.outputPorts.names).toEqual(['dense']);
  model({ inputs: [a, b], outputs: [left.apply(a), right.apply(b)] });
  expect([first.outputPorts.names, second.outputPorts.names]).toEqual([['dense'], ['dense_1']]);
  expect(second.inputPorts.names).toEqual([second.inputs[0]!.name]);
  second.compile({ optimizer: 'sgd', loss: { dense_1: 'mse' } });
  await second.fit(matrix(4, 2, 1), { dense_1: matrix(4, 1, 2) });
  await fails('UNKNOWN_NAME', /no output "dense". Did you mean "dense_1"/, () =>
    second.fit(matrix(4, 2, 1), { dense: matrix(4, 1, 2) } as never, {}),
  );
});

test('disposing of a model leaves what others have', async () => {
  const { net, sub, left, right, a, kind } = twoByTwo();
  const head = model({ inputs: [left, right], outputs: kind });
  const x = [matrix(2, 4, 1), matrix(2, 3, 2)];
  const first = net.parameters;
  head.dispose();
  head.dispose();
  await net.predict(x);
  const early = model({ inputs: left, outputs: a });
  net.dispose();
  await fails('DISPOSED', /model/, () => net.predict(x));
  await early.predict(x[0]);
  await sub.predict(matrix(2, 10, 3));
  const state = (name: string) => {
    try {
      return first.find((parameter) => parameter.name === name)!.dataSync().length;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  expect(['dense/bias', 'dense_1/bias', 'shared/bias', 'sub/dense/bias', 'size/bias'].map(state)).toEqual([
    6,
    'DISPOSED',
    5,
    8,
    'DISPOSED',
  ]);
  sub.dispose();
  expect(state('sub/dense/bias')).toBe('DISPOSED');
});

test('a model that is a layer of another does not grow', () => {
  const inner = sequential([dense({ units: 2, inputShape: [3] })]);
  sequential([inner, dense({ units: 1 })]);
  throwsAtOnce('INVALID_ARGUMENT', /"sequential" is a layer of another one/, () => inner.add(dense({ units: 1 })));
});

test('dropout that is called twice draws twice, and training may be said in the graph', async () => {
  const x = input({ shape: [200] });
  const drop = dropout({ rate: 0.5, seed: 3 });
  const [a, b] = [drop.apply(x), drop.apply(x)];
  const net = model({ inputs: x, outputs: [a, b] });
  const ones = tensor(new Float32Array(200).fill(1), [1, 200]);
  const always = model({ inputs: x, outputs: [drop.apply(x, { training: true }), drop.apply(x, { training: true })] });
  const [quiet] = await net.predict<Tensor[]>(ones);
  expect([...quiet.dataSync()].every((value) => value === 1)).toBe(true);
  const [first, second] = (await always.predict<Tensor[]>(ones)).map((value) => [...value.dataSync()]);
  for (const found of [first, second]) {
    expect(new Set(found)).toEqual(new Set([0, 2]));
  }
  expect(first).not.toEqual(second);
});

describe('a layer of the user’s own', () => {
  class Gate extends layers.Layer {
    override readonly type = 'Gate';
    override readonly severalInputs = true;
    #strength!: { variable: Tensor };
    constructor(options?: layers.LayerOptions) {
      super('gate', options);
    }
    override computeOutputShape([x]: readonly (readonly number[])[]) {
      return [x, x];
    }
    protected override declareWeights([x]: readonly (readonly number[])[]) {
      this.#strength = this.addWeight('strength', [x.at(-1)!], initializers.constant({ value: 2 }));
    }
    override call([x, gate]: readonly layers.Computed[]) {
      const opened = ops.sigmoid(ops.mul(gate, this.#strength.variable));
      return [ops.mul(x, opened), ops.mul(x, ops.sub(1, opened))];
    }
  }

  test('of several inputs and outputs', () => {
    const [a, b] = [input({ shape: [3] }), input({ shape: [3] })];
    const gate = new Gate();
    const [open, closed] = gate.apply<LayerOutput[]>([a, b]);
    const net = model({ inputs: [a, b], outputs: add().apply([open, closed]) });
    const [x, y] = [matrix(4, 3, 5), matrix(4, 3, 6)];
    close(net.apply([x, y]), x);
    expect(net.parameters.map(({ name }) => name)).toEqual(['gate/strength']);
    const [opened] = gate.apply([x, y]) as unknown as Tensor[];
    close(opened, ops.mul(x, ops.sigmoid(ops.mul(y, 2))));
    expect(textOf(model({ inputs: [a, b], outputs: [open, closed] }))).toMatch(/\[\(None, 3\), \(None, 3\)\]/);
  });

  test('with layers in it', () => {
    class Block extends layers.Layer {
      override readonly type = 'Block';
      readonly #inner = this.addLayer(dense({ units: 3 }));
      constructor(options?: layers.LayerOptions) {
        super('block', options);
      }
      override computeOutputShape(shape: readonly number[]) {
        return shape;
      }
      protected override declareWeights(shape: readonly number[]) {
        this.#inner.build(shape);
      }
      override call(x: layers.Computed) {
        return ops.add(x, this.#inner.apply(x));
      }
    }
    const net = sequential([layers.input({ shape: [3] }), new Block(), new Block()]);
    expect(net.parameters.map(({ name }) => name)).toEqual([
      'block/dense/kernel',
      'block/dense/bias',
      'block_1/dense/kernel',
      'block_1/dense/bias',
    ]);
    net.getLayer('block').trainable = false;
    expect(net.weights.map(({ trainable }) => trainable)).toEqual([false, false, true, true]);
    expect(net.parameters.map(({ trainable }) => trainable)).toEqual([false, false, true, true]);
    net.parameters[2]!.trainable = false;
    net.getLayer('block').trainable = true;
    expect(net.parameters.map(({ trainable }) => trainable)).toEqual([true, true, false, true]);
  });
});
