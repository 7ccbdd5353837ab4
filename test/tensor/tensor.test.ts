import { inspect } from 'node:util';
import { DownhillError, ops, Tensor, tensor, Variable, variable } from 'downhill';
import { describe, expect, it } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { codeOf, failure, rejection } from '../errors.js';

/** A list that contains itself. */
function endless(): never {
  const list: unknown[] = [];
  list.push(list);
  return list as never;
}

describe('tensor', () => {
  it('takes nested arrays, typed arrays, numbers and Tensors', async () => {
    const t = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect([t.shape, t.dtype, t.size, t.device]).toEqual([[2, 3], 'float32', 6, 'cpu']);
    expect(await t.array()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(await t.data()).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
    expect(tensor(5).shape).toEqual([]);
    expect(await tensor(5).array()).toBe(5);
    expect(await tensor(t).array()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(await tensor(t, [3, 2], 'int32').array()).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(await tensor([Float32Array.of(1, 2), Float32Array.of(3, 4)]).array()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(await tensor(new Float32Array(6), [2, 3]).array()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(await tensor([1, 2, 3, 4], [2, 2]).array()).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it.each([
    [new Float64Array([0.5, 2]), 'float32'],
    [new Uint8Array([0, 255]), 'float32'],
    [new Uint8ClampedArray([0, 255]), 'float32'],
    [new Int32Array([-5, 5]), 'int32'],
    [new Int8Array([-5, 5]), 'int32'],
    [new Int16Array([-500, 500]), 'int32'],
    [new Uint16Array([0, 65535]), 'int32'],
    [new Uint32Array([0, 7]), 'float32'],
  ])('%o becomes %s', async (values, dtype) => {
    const t = tensor(values);
    expect([t.dtype, Array.from(await t.data())]).toEqual([dtype, Array.from(values)]);
  });

  it('copies, subarrays with their offset', async () => {
    const all = Float32Array.of(0, 1, 2, 3, 4);
    const t = tensor(all.subarray(1, 4));
    all.fill(9);
    expect(await t.array()).toEqual([1, 2, 3]);
    const data = await t.data();
    data[0] = 100;
    expect(await t.array()).toEqual([1, 2, 3]);
    const bytes = Buffer.from([7, 8, 9]);
    expect(await tensor(bytes.subarray(1)).array()).toEqual([8, 9]);
  });

  it('holds nothing, ones and NaN', async () => {
    expect(tensor([]).shape).toEqual([0]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(await tensor([[], []]).array()).toEqual([[], []]);
    expect(tensor([[[[1]]]]).shape).toEqual([1, 1, 1, 1]);
    expect(await tensor([NaN, Infinity]).array()).toEqual([NaN, Infinity]);
  });

  it.each<[string, () => unknown, string, RegExp]>([
    ['ragged nesting', () => tensor([[1, 2], [3]]), 'SHAPE_MISMATCH', /ragged.*2 items at \[1\].*received 1/],
    ['a number beside lists', () => tensor([[1], 2] as never), 'SHAPE_MISMATCH', /ragged/],
    ['a list beside numbers', () => tensor([1, [2]] as never), 'SHAPE_MISMATCH', /ragged/],
    ['text inside', () => tensor([1, 'x'] as never), 'INVALID_ARGUMENT', /"x" at \[1\]/],
    ['null inside', () => tensor([[1], [null]] as never), 'INVALID_ARGUMENT', /null at \[1\]\[0\]/],
    [
      'a shape that does not fit',
      () => tensor([1, 2, 3], [2, 2]),
      'SHAPE_MISMATCH',
      /\[2, 2\] needs 4 values; received 3/,
    ],
    ['a bad shape', () => tensor([1], [0.5]), 'INVALID_ARGUMENT', /shape/],
    ['a negative shape', () => tensor([1], [-1]), 'INVALID_ARGUMENT', /shape/],
    [
      'an unknown dtype',
      () => tensor([1], [1], 'bfloat16' as never),
      'DTYPE_MISMATCH',
      /"float32", "int32"; received "bfloat16"/,
    ],
    ['big integers', () => tensor(new BigInt64Array(2) as never), 'DTYPE_MISMATCH', /Int32Array\.from/],
    ['fractions as int32', () => tensor([1, 0.5], [2], 'int32'), 'INVALID_ARGUMENT', /0\.5 at element 1/],
    ['NaN as int32', () => tensor([NaN], [1], 'int32'), 'INVALID_ARGUMENT', /NaN/],
    ['more than int32 holds', () => tensor([2 ** 31], [1], 'int32'), 'INVALID_ARGUMENT', /2147483648/],
    ['nothing', () => tensor(undefined as never), 'INVALID_ARGUMENT', /undefined/],
    ['an object', () => tensor({} as never), 'INVALID_ARGUMENT', /object/],
    ['endless nesting', () => tensor(endless()), 'INVALID_ARGUMENT', /at most 8 dimensions/],
    ['nine dimensions', () => tensor([1], [1, 1, 1, 1, 1, 1, 1, 1, 1]), 'INVALID_ARGUMENT', /dimensions/],
  ])('refuses %s', (_, body, code, message) => {
    const error = failure(body);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('prints itself', () => {
    expect(
      String(
        tensor([
          [1, 0.1],
          [NaN, -Infinity],
        ]),
      ),
    ).toBe('Tensor(shape=[2, 2], dtype=float32, values=[[1, 0.1], [NaN, -Infinity]])');
    expect(inspect(tensor(new Int32Array(200)))).toBe('Tensor(shape=[200], dtype=int32, 200 values)');
    const gone = tensor([1]);
    gone.dispose();
    expect(String(gone)).toContain('disposed');
  });
});

describe('dispose', () => {
  it('releases memory at once, and using the tensor afterwards is an error', async () => {
    const before = binding.memory().bytes;
    const t = tensor(new Float32Array(1_000_000));
    expect(binding.memory().bytes - before).toBeGreaterThanOrEqual(4_000_000);
    t.dispose();
    expect(binding.memory().bytes - before).toBeLessThan(1_000_000);
    t.dispose();
    expect(t.disposed).toBe(true);
    expect(await rejection(t.data())).toMatchObject({ code: 'DISPOSED' });
    expect(codeOf(() => t.dataSync())).toBe('DISPOSED');
    expect(codeOf(() => ops.add(t, 1))).toBe('DISPOSED');
    expect(failure(() => t.arraySync())).toBeInstanceOf(DownhillError);
  });

  it('is done by using', () => {
    const t = tensor([1]);
    {
      using scoped = t;
      expect(scoped.disposed).toBe(false);
    }
    expect(t.disposed).toBe(true);
  });

  it('of an input does not disturb work that is queued', async () => {
    const size = 400;
    const a = tensor(new Float32Array(size * size).fill(1), [size, size]);
    const y = ops.matmul(a, a);
    a.dispose();
    expect((await y.data())[0]).toBe(size);
  });
});

describe('Variable', () => {
  it('is a Tensor with a name and assign', async () => {
    const v = variable([1, 2], { name: 'w' });
    expect(v).toBeInstanceOf(Tensor);
    expect(v).toBeInstanceOf(Variable);
    expect([v.name, v.trainable, v.shape, v.dtype]).toEqual(['w', true, [2], 'float32']);
    v.assign([3, 4]);
    expect(await v.array()).toEqual([3, 4]);
    v.assign(Float64Array.of(5, 6));
    v.assign(ops.add(v, 1));
    expect(await v.array()).toEqual([6, 7]);
    v.assign(tensor([8, 9], [2], 'int32'));
    expect(await v.array()).toEqual([8, 9]);
    expect(String(v)).toBe('Variable "w"(shape=[2], dtype=float32, values=[8, 9])');
    expect(variable(0, { trainable: false }).trainable).toBe(false);
    expect(variable([1, 2], { shape: [2, 1], dtype: 'int32' }).shape).toEqual([2, 1]);
  });

  it('starts with a copy', async () => {
    const t = tensor([1]);
    const v = variable(t);
    v.assign([2]);
    expect(await t.array()).toEqual([1]);
  });

  it.each<[string, () => unknown, string]>([
    ['another shape', () => variable([1, 2]).assign([1]), 'SHAPE_MISMATCH'],
    ['another count', () => variable([1, 2]).assign(Float32Array.of(1)), 'SHAPE_MISMATCH'],
    ['fractions for int32', () => variable([1], { dtype: 'int32' }).assign([0.5]), 'INVALID_ARGUMENT'],
    ['an unknown option', () => variable([1], { trainabel: true } as never), 'UNKNOWN_OPTION'],
    ['a bad name', () => variable([1], { name: '' }), 'INVALID_ARGUMENT'],
  ])('refuses %s', (_, body, code) => {
    expect(codeOf(body)).toBe(code);
  });
});
