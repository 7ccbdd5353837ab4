import { compile, DownhillError, grad, ops, type SymbolicTensor, tensor, variable } from 'downhill';
import { describe, expect, it } from 'vitest';
import { codeOf, rejection } from '../errors.js';

describe('compile', () => {
  it('keeps the structure of the outputs', async () => {
    const single = compile((x: SymbolicTensor) => ops.mul(x, 2));
    const list = compile((x: SymbolicTensor) => [ops.sum(x), ops.max(x)]);
    const object = compile((x: SymbolicTensor, y: SymbolicTensor) => ({ sum: ops.add(x, y), first: x }));
    expect(await (await single([1, 2])).array()).toEqual([2, 4]);
    const [sum, max] = await list([1, 5]);
    expect([await sum!.array(), await max!.array()]).toEqual([6, 5]);
    const result = await object([1, 2], 10);
    expect(Object.keys(result)).toEqual(['sum', 'first']);
    expect(await result.sum.array()).toEqual([11, 12]);
    expect(await result.first.array()).toEqual([1, 2]);
  });

  it('returns arguments, equal outputs, numbers and captured Tensors', async () => {
    const captured = tensor([7, 8]);
    const f = compile((x: SymbolicTensor) => {
      const y = ops.reshape(x, [2, 1]);
      return [x, y, y, 3, captured, ops.transpose(y)];
    });
    const results = await f([1, 2]);
    expect(await Promise.all(results.map((r) => r.array()))).toEqual([
      [1, 2],
      [[1], [2]],
      [[1], [2]],
      3,
      [7, 8],
      [[1, 2]],
    ]);
  });

  it('plans once per shapes and dtypes, and takes the arity from the call', async () => {
    let traces = 0;
    const f = compile((...xs: SymbolicTensor[]) => {
      traces++;
      return xs.reduce((a, b) => ops.add(a, b));
    });
    expect(await (await f([1, 2])).array()).toEqual([1, 2]);
    expect(await (await f([3, 4])).array()).toEqual([3, 4]);
    expect(traces).toBe(1);
    expect(await (await f([1, 2], [10, 20], 100)).array()).toEqual([111, 122]);
    expect(traces).toBe(2);
    await f([1, 2, 3]);
    await f(Int32Array.of(1, 2));
    expect(traces).toBe(4);
    await f([1, 2]);
    expect(traces).toBe(4);
  });

  it('keeps the last plans only', async () => {
    let traces = 0;
    const f = compile((x: SymbolicTensor) => {
      traces++;
      return ops.sum(x);
    });
    for (let n = 1; n <= 70; n++) await f(new Float32Array(n));
    expect(traces).toBe(70);
    await f(new Float32Array(70));
    expect(traces).toBe(70);
    await f(new Float32Array(1));
    expect(traces).toBe(71);
  });

  it('reads Variables at every call, and Tensors as they were', async () => {
    const v = variable([1, 2]);
    const f = compile((x: SymbolicTensor) => ops.mul(x, v));
    expect(await (await f(10)).array()).toEqual([10, 20]);
    v.assign([3, 4]);
    expect(await (await f(10)).array()).toEqual([30, 40]);
  });

  it('assigns to Variables when the call ends', async () => {
    const count = variable(0);
    const step = compile((x: SymbolicTensor) => {
      const before = ops.mul(count, 1);
      count.assign(ops.add(count, x));
      return [before, ops.mul(count, 1)];
    });
    const [before, after] = await step(5);
    expect([await before!.array(), await after!.array(), await count.array()]).toEqual([0, 5, 5]);
    await step(2);
    expect(await count.array()).toBe(7);
    expect(codeOf(() => count.assign([1, 2]))).toBe('SHAPE_MISMATCH');
    const bad = compile((x: SymbolicTensor) => {
      count.assign(ops.reshape(x, [1]));
      return x;
    });
    expect(await rejection(bad(1))).toMatchObject({ code: 'SHAPE_MISMATCH' });
  });

  it('is inlined inside another traced function', async () => {
    const square = compile((x: SymbolicTensor) => ({ y: ops.mul(x, x) }));
    const f = compile((x: SymbolicTensor) => ops.add(square(x).y, 1));
    expect(await (await f([3])).array()).toEqual([10]);
    expect(await (await grad((x) => ops.sum(square(x).y))([3])).array()).toEqual([6]);
  });

  it('runs calls that overlap', async () => {
    const f = compile((x: SymbolicTensor) => ops.sum(ops.matmul(x, x)));
    const size = 200;
    const inputs = Array.from({ length: 8 }, (_, i) => tensor(new Float32Array(size * size).fill(i), [size, size]));
    const results = await Promise.all(inputs.map((x) => f(x)));
    expect(await Promise.all(results.map((r) => r.array()))).toEqual(inputs.map((_, i) => i * i * size ** 3));
  });

  it('describes its plan', async () => {
    const f = compile((x: SymbolicTensor, w: SymbolicTensor) => ops.relu(ops.matmul(x, w)));
    expect(f.describe([[1, 2]], [[3], [4]])).toContain('matmul');
  });

  it('dispose releases it', async () => {
    const f = compile((x: SymbolicTensor) => x);
    await f(1);
    f.dispose();
    expect(await rejection(f(1))).toMatchObject({ code: 'DISPOSED' });
  });
});

describe('errors of traced functions', () => {
  it('a symbolic value kept after its trace', async () => {
    let kept: SymbolicTensor | undefined;
    await compile((x: SymbolicTensor) => {
      kept = x;
      return x;
    })(1);
    expect(codeOf(() => ops.add(kept!, 1))).toBe('TRACE_ERROR');
    const error = await rejection(compile((x: SymbolicTensor) => ops.add(x, kept!))(1));
    expect(error).toMatchObject({ code: 'TRACE_ERROR', message: expect.stringContaining('had returned') });
    expect(await rejection(compile((x: SymbolicTensor) => x)(kept as never))).toMatchObject({ code: 'TRACE_ERROR' });
  });

  it('values inside a trace have no numbers', async () => {
    const error = await rejection(
      compile((x: SymbolicTensor) => {
        (ops.add(x, 1) as never as { dataSync(): void }).dataSync();
        return x;
      })(1),
    );
    expect(error).toMatchObject({ code: 'TRACE_ERROR', message: expect.stringContaining('no numbers yet') });
  });

  it('results that are not tensors', async () => {
    for (const result of [undefined, 'x', [1, 'x'], { a: null }, () => 1])
      expect(await rejection(compile(() => result as never)())).toMatchObject({ code: 'TRACE_ERROR' });
    const promised = compile((async (x: SymbolicTensor) => x) as never) as unknown as (x: number) => Promise<unknown>;
    expect(await rejection(promised(1))).toMatchObject({ message: expect.stringContaining('promise') });
  });

  it('errors of the function itself pass unchanged, and tracing goes on', async () => {
    const mine = new Error('mine');
    const f = compile((): SymbolicTensor => {
      throw mine;
    });
    expect(await rejection(f())).toBe(mine);
    expect(await ops.add(1, 2).array()).toBe(3);
  });

  it('wrong shapes name op and shapes', async () => {
    const error = await rejection(
      compile((a: SymbolicTensor, b: SymbolicTensor) => ops.matmul(a, b))([[1, 2]], [[1, 2]]),
    );
    expect(error).toBeInstanceOf(DownhillError);
    expect(error).toMatchObject({ code: 'SHAPE_MISMATCH', message: expect.stringMatching(/matmul.*\[1, 2\]/) });
  });

  it('Variables that are gone', async () => {
    const v = variable([1]);
    const f = compile((x: SymbolicTensor) => ops.add(x, v));
    await f(1);
    v.dispose();
    expect(await rejection(f(1))).toMatchObject({ code: 'DISPOSED' });
  });

  it('wrong arguments of compile', () => {
    expect(codeOf(() => compile(3 as never))).toBe('INVALID_ARGUMENT');
    expect(codeOf(() => compile((x: SymbolicTensor) => x, { devise: 'cpu' } as never))).toBe('UNKNOWN_OPTION');
    expect(codeOf(() => compile((x: SymbolicTensor) => x, { device: 'cuda' }))).toBe('DEVICE_UNAVAILABLE');
  });
});
