// What ops accept and refuse; their values are tested in test/conformance.
import { compile, grad, ops, SymbolicTensor, Tensor, tensor, variable } from 'downhill';
import { describe, expect, it } from 'vitest';
import { codeOf, failure, rejection } from '../errors.js';

describe('operands', () => {
  it('are Tensors, numbers, typed and nested arrays', async () => {
    expect(await ops.add(tensor([1, 2]), [10, 20]).array()).toEqual([11, 22]);
    expect(await ops.add(Float64Array.of(1, 2), 0.5).array()).toEqual([1.5, 2.5]);
    expect(await ops.add(1, 2).array()).toBe(3);
    expect(await ops.mul(variable([2]), variable([3])).array()).toEqual([6]);
  });

  it('may change between calls of one op: shapes, dtypes, options', async () => {
    const [a, b] = [
      tensor([
        [1, 2],
        [3, 4],
      ]),
      tensor([
        [5, 6],
        [7, 8],
      ]),
    ];
    const wide = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const whole = tensor([1, 2], [2], 'int32');
    for (let repeat = 0; repeat < 2; repeat++) {
      expect(await ops.matmul(a, b).array()).toEqual([
        [19, 22],
        [43, 50],
      ]);
      expect(await ops.matmul(a, b, { transposeA: true }).array()).toEqual([
        [26, 30],
        [38, 44],
      ]);
      expect(await ops.matmul(a, wide).array()).toEqual([
        [9, 12, 15],
        [19, 26, 33],
      ]);
      expect(await ops.add(whole, whole).array()).toEqual([2, 4]);
      expect(ops.add(whole, whole).dtype).toBe('int32');
      expect(await ops.add(tensor([0.5, 1]), whole).array()).toEqual([1.5, 3]);
      expect(await ops.add(whole, tensor([0.5, 1])).array()).toEqual([1.5, 3]);
      expect(await ops.matmul(b, a).array()).toEqual([
        [23, 34],
        [31, 46],
      ]);
    }
  });

  it('of a Variable are read now', async () => {
    const v = variable([1]);
    const y = ops.add(v, 1);
    v.assign([100]);
    expect(await y.array()).toEqual([2]);
  });

  it('that are numbers take the dtype of their partner', async () => {
    const i = tensor([1, 2, 3], [3], 'int32');
    expect(ops.add(i, 1).dtype).toBe('int32');
    expect(ops.add(i, 0.5).dtype).toBe('float32');
    expect(await ops.add(i, 0.5).array()).toEqual([1.5, 2.5, 3.5]);
    expect(ops.add(1, tensor([1.5])).dtype).toBe('float32');
    expect(ops.add(1, 2).dtype).toBe('float32');
    expect(ops.add(i, tensor([1, 2, 3])).dtype).toBe('float32');
    expect(await ops.div(i, 2).array()).toEqual([0.5, 1, 1.5]);
    expect(await ops.less(i, 2.5).array()).toEqual([1, 1, 0]);
    expect(ops.where(ops.less(i, 2), 1, 0).dtype).toBe('float32');
    expect(await ops.where(ops.less(i, 2), i, 0).array()).toEqual([1, 0, 0]);
    const traced = compile((x) => [ops.add(x, 1), ops.add(x, 0.5)]);
    expect((await traced(i)).map((t) => t.dtype)).toEqual(['int32', 'float32']);
  });

  it('of indices and labels are integers', async () => {
    expect(await ops.gather([10, 20, 30], [2, 0]).array()).toEqual([30, 10]);
    expect(await ops.oneHot([1, 0], 2).array()).toEqual([
      [0, 1],
      [1, 0],
    ]);
    expect(codeOf(() => ops.gather([1, 2], tensor([0.5])))).toBe('DTYPE_MISMATCH');
    expect(codeOf(() => ops.oneHot([0.5], 2))).toBe('INVALID_ARGUMENT');
  });
});

describe('results', () => {
  it('are Tensors outside, symbolic inside traced functions', async () => {
    expect(ops.exp([1])).toBeInstanceOf(Tensor);
    let inside: unknown;
    await compile((x) => {
      inside = ops.exp(x);
      return x;
    })(1);
    expect(inside).toBeInstanceOf(SymbolicTensor);
  });

  it('of concrete operands join a running trace', async () => {
    const v = variable(2);
    let inside: unknown;
    const f = compile((x) => {
      inside = ops.square(v);
      return ops.add(x, inside as SymbolicTensor);
    });
    expect(await (await f(1)).array()).toBe(5);
    expect(inside).toBeInstanceOf(SymbolicTensor);
    v.assign(3);
    expect(await (await f(1)).array()).toBe(10);
  });
});

describe('errors', () => {
  it.each<[string, () => unknown, string]>([
    ['shapes that do not broadcast', () => ops.add([1, 2], [1, 2, 3]), 'SHAPE_MISMATCH'],
    ['an axis too many', () => ops.sum([1, 2], 1), 'OUT_OF_RANGE'],
    ['an axis twice', () => ops.sum([[1]], [0, 0]), 'INVALID_ARGUMENT'],
    ['an axis that is no integer', () => ops.sum([1], 'x' as never), 'INVALID_ARGUMENT'],
    ['an empty list of axes', () => ops.sum([1], []), 'INVALID_ARGUMENT'],
    ['an unknown option', () => ops.sum([1], 0, { keepdims: true } as never), 'UNKNOWN_OPTION'],
    ['an option of the wrong type', () => ops.matmul([[1]], [[1]], { transposeA: 1 as never }), 'INVALID_ARGUMENT'],
    ['the largest of nothing', () => ops.max([]), 'INVALID_ARGUMENT'],
    ['a reshape that does not fit', () => ops.reshape([1, 2, 3], [2, 2]), 'SHAPE_MISMATCH'],
    ['a slice that leaves', () => ops.slice([1, 2, 3], [1], [3]), 'OUT_OF_RANGE'],
    ['bounds in the wrong order', () => ops.clip([1], 2, 1), 'INVALID_ARGUMENT'],
    ['an unknown dtype', () => ops.cast([1], 'float16' as never), 'DTYPE_MISMATCH'],
    ['a list of nothing', () => ops.concat([]), 'INVALID_ARGUMENT'],
    ['a depth of zero', () => ops.oneHot([0], 0), 'OUT_OF_RANGE'],
    ['text', () => ops.exp('1' as never), 'INVALID_ARGUMENT'],
    ['undefined', () => ops.add([1], undefined as never), 'INVALID_ARGUMENT'],
  ])('%s', (_, body, code) => {
    expect(codeOf(body)).toBe(code);
  });

  it('name op and shapes', () => {
    expect(failure(() => ops.matmul([[1, 2]], [[1, 2]])).message).toMatch(/^matmul: .*\[1, 2\] and \[1, 2\]/);
    expect(failure(() => ops.sum([1], 0, { keepdims: true } as never)).message).toContain('Did you mean "keepDims"?');
  });

  it('of values are raised by the call or where they are read', async () => {
    const read = async () => await ops.oneHot([0, 5], 3).data();
    expect(await rejection(read())).toMatchObject({
      code: 'LABEL_OUT_OF_RANGE',
      message: expect.stringContaining('5'),
    });
    const compiled = compile((x) => ops.gather([1, 2, 3], ops.cast(x, 'int32')));
    expect(await rejection(compiled([7]))).toMatchObject({
      code: 'OUT_OF_RANGE',
      message: expect.stringContaining('7'),
    });
    // A failed run leaves the program usable.
    expect(await (await compiled([1])).array()).toEqual([2]);
  });

  it('of queued work reach the reader, and what depends on it', async () => {
    const labels = new Int32Array(400_000).fill(1);
    labels[399_999] = 9;
    const bad = ops.oneHot(labels, 4);
    const after = ops.sum(bad);
    expect(await rejection(bad.data())).toMatchObject({ code: 'LABEL_OUT_OF_RANGE' });
    expect(await rejection(after.data())).toMatchObject({ code: 'LABEL_OUT_OF_RANGE' });
  });
});

it('a gradient of a float cast to integers and back is zero', async () => {
  expect(await (await grad((x) => ops.sum(ops.cast(ops.cast(x, 'int32'), 'float32')))([1.5])).array()).toEqual([0]);
});
