import { ops, optimizers, tensor, variable } from 'downhill';
import { describe, expect, it } from 'vitest';
import { codeOf, failure, rejection } from '../errors.js';

const quadratic = (v: ReturnType<typeof variable>) => () => ops.sum(ops.square(v));

describe('minimize', () => {
  it('makes one update and gives the loss before it', async () => {
    const v = variable([1, -2]);
    const optimizer = optimizers.sgd({ learningRate: 0.25 });
    const loss = await optimizer.minimize(quadratic(v), [v]);
    expect(await loss.array()).toBe(5);
    expect(await v.array()).toEqual([0.5, -1]);
    expect(optimizer.iterations).toBe(1);
  });

  it('runs calls in their order', async () => {
    const v = variable([1]);
    const optimizer = optimizers.sgd({ learningRate: 0.25 });
    const losses = await Promise.all(Array.from({ length: 5 }, () => optimizer.minimize(quadratic(v), [v])));
    expect(await Promise.all(losses.map((loss) => loss.array()))).toEqual([1, 0.25, 0.0625, 0.015625, 0.00390625]);
    expect(await v.array()).toEqual([1 / 32]);
    expect(optimizer.iterations).toBe(5);
  });

  it('sees what the closure holds at each call', async () => {
    const v = variable([0]);
    const optimizer = optimizers.sgd({ learningRate: 0.5 });
    for (const target of [1, 2, 3]) {
      const batch = tensor([target]);
      await optimizer.minimize(() => ops.sum(ops.square(ops.sub(v, batch))), [v]);
      expect(await v.array()).toEqual([target]);
    }
    let factor = 1;
    for (factor of [2, 3]) {
      v.assign([1]);
      const loss = await optimizer.minimize(() => ops.sum(ops.mul(v, factor)), [v]);
      expect(await loss.array()).toBe(factor);
    }
  });

  it('leaves other Variables alone, and gives those that do not matter a gradient of zero', async () => {
    const [a, b, c] = [variable([1]), variable([1]), variable([1])];
    await optimizers.sgd({ learningRate: 0.5 }).minimize(() => ops.sum(ops.mul(a, b)), [a, c]);
    expect([await a.array(), await b.array(), await c.array()]).toEqual([[0.5], [1], [1]]);
  });

  it('fits a line', async () => {
    const x = tensor(Array.from({ length: 50 }, (_, i) => [i / 25 - 1]));
    const y = ops.add(ops.mul(x, 3), -1);
    const [w, b] = [variable([[0]]), variable([0])];
    const optimizer = optimizers.adam({ learningRate: 0.1 });
    for (let i = 0; i < 300; i++)
      await optimizer.minimize(() => ops.mean(ops.square(ops.sub(ops.add(ops.matmul(x, w), b), y))), [w, b]);
    expect(((await w.array()) as number[][])[0]![0]).toBeCloseTo(3, 2);
    expect(((await b.array()) as number[])[0]).toBeCloseTo(-1, 2);
  });

  it('rejects what cannot be minimized', async () => {
    const v = variable([1, 2]);
    const optimizer = optimizers.sgd();
    expect(await rejection(optimizer.minimize(() => ops.square(v), [v]))).toMatchObject({ code: 'SHAPE_MISMATCH' });
    expect(await rejection(optimizer.minimize(5 as never, [v]))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await rejection(optimizer.minimize(quadratic(v), [tensor([1])] as never))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(await rejection(optimizer.minimize(quadratic(v), v as never))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await rejection(optimizer.minimize(quadratic(v), [v, v]))).toMatchObject({
      message: expect.stringContaining('twice'),
    });
    const frozen = variable([1], { trainable: false });
    expect(await rejection(optimizer.minimize(quadratic(frozen), [frozen]))).toMatchObject({
      message: expect.stringContaining('trainable'),
    });
    const mine = new Error('mine');
    const thrown = optimizer.minimize(() => {
      throw mine;
    }, [v]);
    expect(await rejection(thrown)).toBe(mine);
    // The next call is not disturbed.
    await optimizer.minimize(quadratic(v), [v]);
    expect(optimizer.iterations).toBe(1);
  });
});

describe('applyGradients', () => {
  it('takes Tensors, arrays and generators', async () => {
    const [a, b] = [variable([1, 1]), variable(2)];
    const optimizer = optimizers.sgd({ learningRate: 1 });
    await optimizer.applyGradients([
      [tensor([0.5, 1]), a],
      [0.5, b],
    ]);
    expect([await a.array(), await b.array()]).toEqual([[0.5, 0], 1.5]);
    await optimizer.applyGradients(new Map([[[1, 1], a]]));
    expect(await a.array()).toEqual([-0.5, -1]);
    await optimizer.applyGradients([]);
    expect(optimizer.iterations).toBe(2);
  });

  it('waits for gradients that are being computed', async () => {
    const size = 300;
    const v = variable(new Float32Array(size * size), { shape: [size, size] });
    const ones = tensor(new Float32Array(size * size).fill(1), [size, size]);
    await optimizers.sgd({ learningRate: 1 }).applyGradients([[ops.matmul(ones, ones), v]]);
    expect((await v.data())[7]).toBe(-size);
  });

  it('keeps slots with the variables, whatever lists they come in', async () => {
    const run = async (lists: number[][]) => {
      const variables = [variable([1]), variable([2])];
      const optimizer = optimizers.sgd({ learningRate: 0.1, momentum: 0.5 });
      for (const list of lists) await optimizer.applyGradients(list.map((i) => [[1], variables[i]!]));
      return await Promise.all(variables.map((v) => v.array()));
    };
    expect(await run([[0, 1], [1, 0], [0], [1]])).toEqual(
      await run([
        [0, 1],
        [0, 1],
        [0, 1],
      ]),
    );
  });

  it('counts iterations over all lists, as Adam needs', async () => {
    const [a, b] = [variable([0]), variable([0])];
    const optimizer = optimizers.adam();
    await optimizer.applyGradients([[[1], a]]);
    await optimizer.applyGradients([[[1], b]]);
    expect(optimizer.iterations).toBe(2);
    optimizer.iterations = 10;
    await optimizer.applyGradients([[[1], a]]);
    expect(optimizer.iterations).toBe(11);
  });

  it('rejects what does not fit', async () => {
    const v = variable([1, 2]);
    const optimizer = optimizers.sgd();
    expect(await rejection(optimizer.applyGradients([[[1], v]]))).toMatchObject({ code: 'SHAPE_MISMATCH' });
    expect(await rejection(optimizer.applyGradients(3 as never))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await rejection(optimizer.applyGradients([v] as never))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    const whole = variable([1], { dtype: 'int32' });
    expect(await rejection(optimizer.applyGradients([[[1], whole]]))).toMatchObject({ code: 'DTYPE_MISMATCH' });
    v.dispose();
    expect(await rejection(optimizer.applyGradients([[[1, 2], v]]))).toMatchObject({ code: 'DISPOSED' });
    optimizer.dispose();
    expect(await rejection(optimizer.applyGradients([[[1], variable([1])]]))).toMatchObject({ code: 'DISPOSED' });
  });
});

describe('hyperparameters', () => {
  const step = async (options: optimizers.SgdOptions, gradients: number[][]) => {
    const variables = gradients.map((g) => variable(g.map(() => 1)));
    await optimizers.sgd({ learningRate: 1, ...options }).applyGradients(gradients.map((g, i) => [g, variables[i]!]));
    const values = (await Promise.all(variables.map((v) => v.array()))) as number[][];
    return values.map((list) => list.map((x) => Math.round((1 - x) * 1e5) / 1e5));
  };

  it('clip by value, by norm and by global norm', async () => {
    expect(await step({ clipValue: 0.5 }, [[3, -0.25], [-4]])).toEqual([[0.5, -0.25], [-0.5]]);
    expect(await step({ clipNorm: 1 }, [[3, 4], [0.5]])).toEqual([[0.6, 0.8], [0.5]]);
    expect(await step({ globalClipNorm: 1.3 }, [[3, 4], [12]])).toEqual([[0.3, 0.4], [1.2]]);
  });

  it('weight decay is decoupled, under torch coupled', async () => {
    expect(await step({ weightDecay: 0.1, learningRate: 0.5, clipValue: 0.01 }, [[1]])).toEqual([[0.055]]);
    expect(await step({ weightDecay: 0.1, learningRate: 0.5, preset: 'torch', momentum: 0.9 }, [[1]])).toEqual([
      [0.55],
    ]);
  });

  it('learningRate can be set between updates', async () => {
    const v = variable([1]);
    const optimizer = optimizers.sgd();
    expect(optimizer.learningRate).toBe(0.01);
    await optimizer.applyGradients([[[0], v]]);
    optimizer.learningRate = 0.5;
    await optimizer.applyGradients([[[1], v]]);
    expect(await v.array()).toEqual([0.5]);
    expect(codeOf(() => (optimizer.learningRate = -1))).toBe('OUT_OF_RANGE');
    expect(codeOf(() => (optimizer.learningRate = 'x' as never))).toBe('INVALID_ARGUMENT');
  });

  it('learningRate reaches every list of variables, however many there are', async () => {
    const variables = Array.from({ length: 12 }, () => variable([1]));
    const optimizer = optimizers.sgd({ learningRate: 1 });
    for (const v of variables) await optimizer.applyGradients([[[0], v]]);
    optimizer.learningRate = 0.25;
    for (const v of variables) await optimizer.applyGradients([[[1], v]]);
    expect(await Promise.all(variables.map((v) => v.array()))).toEqual(variables.map(() => [0.75]));
    expect(optimizer.iterations).toBe(24);
  });

  it('defaults follow the preset', () => {
    expect(optimizers.sgd({ preset: 'torch' }).learningRate).toBe(0.001);
    expect(optimizers.adam().learningRate).toBe(0.001);
    expect([optimizers.adam().name, optimizers.sgd({ name: 'mine' }).name]).toEqual(['adam', 'mine']);
  });

  it.each<[string, () => unknown, string]>([
    ['an unknown option', () => optimizers.sgd({ learningrate: 1 } as never), 'UNKNOWN_OPTION'],
    ['a negative rate', () => optimizers.sgd({ learningRate: -1 }), 'OUT_OF_RANGE'],
    ['a rate that is no number', () => optimizers.sgd({ learningRate: NaN }), 'OUT_OF_RANGE'],
    ['a rate of text', () => optimizers.sgd({ learningRate: '0.1' as never }), 'INVALID_ARGUMENT'],
    ['a momentum above 1', () => optimizers.sgd({ momentum: 1.5 }), 'OUT_OF_RANGE'],
    ['two clips', () => optimizers.sgd({ clipNorm: 1, clipValue: 1 }), 'INVALID_ARGUMENT'],
    ['a clip of 0', () => optimizers.sgd({ clipNorm: 0 }), 'OUT_OF_RANGE'],
    ['an unknown preset', () => optimizers.sgd({ preset: 'pytorch' as never }), 'INVALID_ARGUMENT'],
    ['dampening without torch', () => optimizers.sgd({ dampening: 0.1 }), 'INVALID_ARGUMENT'],
    [
      'nesterov without momentum under torch',
      () => optimizers.sgd({ preset: 'torch', nesterov: true }),
      'INVALID_ARGUMENT',
    ],
    ['a beta of 1', () => optimizers.adam({ beta1: 1 }), 'OUT_OF_RANGE'],
    ['a list of options', () => optimizers.adam([] as never), 'INVALID_ARGUMENT'],
  ])('refuses %s', (_, body, code) => {
    expect(codeOf(body)).toBe(code);
  });

  it('names the nearest option and optimizer', () => {
    expect(failure(() => optimizers.sgd({ learning_rate: 1 } as never)).message).toContain(
      'Did you mean "learningRate"?',
    );
    expect(failure(() => optimizers.get('adma')).message).toContain('Did you mean "adam"?');
    expect(codeOf(() => optimizers.get('zzzz'))).toBe('UNKNOWN_NAME');
    expect(optimizers.get('SGD').name).toBe('sgd');
    expect(optimizers.get('Adam').name).toBe('adam');
    const mine = optimizers.sgd();
    expect(optimizers.get(mine)).toBe(mine);
  });
});

describe('the learning rate', () => {
  const updateAll = async (optimizer: optimizers.Optimizer) => {
    const variables = Array.from({ length: 10 }, () => variable([1]));
    const one = tensor([1]);
    await optimizer.applyGradients([[one, variables[0]!]]);
    // More lists than are remembered; the first is used all along.
    for (const other of variables.slice(1)) {
      await optimizer.applyGradients([[one, other]]);
      await optimizer.applyGradients([[one, variables[0]!]]);
    }
    return { first: variables[0]!, one };
  };

  it('reaches variables that others were updated beside', async () => {
    const optimizer = optimizers.sgd({ learningRate: 0.5 });
    const { first, one } = await updateAll(optimizer);
    optimizer.learningRate = 8;
    const before = first.dataSync()[0]!;
    await optimizer.applyGradients([[one, first]]);
    expect(before - first.dataSync()[0]!).toBe(8);
  });

  it('of a schedule of one’s own, too', async () => {
    const optimizer = optimizers.sgd({ learningRate: (step: number) => step + 1 });
    const { first, one } = await updateAll(optimizer);
    const before = first.dataSync()[0]!;
    const step = optimizer.iterations;
    await optimizer.applyGradients([[one, first]]);
    expect(before - first.dataSync()[0]!).toBe(step + 1);
  });
});
