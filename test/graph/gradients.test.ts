import { compile, grad, hvp, ops, type SymbolicTensor, tensor, valueAndGrad, variable } from 'downhill';
import { describe, expect, it } from 'vitest';
import { codeOf, rejection } from '../errors.js';

const cubes = (x: SymbolicTensor) => ops.sum(ops.pow(x, 3));

describe('grad', () => {
  it('differentiates by one argument or several', async () => {
    const f = (x: SymbolicTensor, y: SymbolicTensor) => ops.sum(ops.mul(ops.square(x), y));
    expect(await (await grad(f)([1, 2], [3, 4])).array()).toEqual([6, 16]);
    expect(await (await grad(f, 1)([1, 2], [3, 4])).array()).toEqual([1, 4]);
    const both = await grad(f, [1, 0])([1, 2], [3, 4]);
    expect(await Promise.all(both.map((g) => g.array()))).toEqual([
      [1, 4],
      [6, 16],
    ]);
    expect(await Promise.all((await grad(f, [0])([1, 2], [3, 4])).map((g) => g.array()))).toEqual([[6, 16]]);
  });

  it('gives zeros for arguments that do not matter', async () => {
    const [a, b] = await grad((x, _y) => ops.sum(x), [0, 1])([1, 2], [[3]]);
    expect([await a!.array(), await b!.array()]).toEqual([[1, 1], [[0]]]);
    expect(await (await grad((_x) => ops.sum([1, 2]))([1, 2])).array()).toEqual([0, 0]);
    expect(await (await grad((() => 5) as never)([1, 2])).array()).toEqual([0, 0]);
  });

  it('nests, also inside compile', async () => {
    const second = grad((x) => ops.sum(grad(cubes)(x)));
    expect(await (await second([1, 2])).array()).toEqual([6, 12]);
    const third = grad((x) => ops.sum(second(x)));
    expect(await (await third([1, 2])).array()).toEqual([6, 6]);
    const inside = compile((x) => ops.add(second(x), grad(cubes)(x)));
    expect(await (await inside([1, 2])).array()).toEqual([9, 24]);
  });

  it('of an inner function does not differentiate what it captures from the outer one', async () => {
    // d/dx [x · d/dy (x + y)] = 1, and 2 when perturbations are confused.
    const f = grad((x) => ops.mul(x, grad((y) => ops.add(x, y))(1) as never));
    expect(await (await f(3)).array()).toBe(1);
    // d/dx [d/dy (x · y) at y = x] = 1.
    expect(await (await grad((x) => grad((y) => ops.mul(x, y))(x))(5)).array()).toBe(1);
  });

  it('of an inner function with concrete arguments joins the outer trace', async () => {
    const f = compile((x) => ops.mul(x, grad(cubes)([1, 2]) as never));
    expect(await (await f([1, 10])).array()).toEqual([3, 120]);
  });

  it('captures Variables', async () => {
    const v = variable([2, 3]);
    const df = grad((x) => ops.sum(ops.mul(ops.square(x), v)));
    expect(await (await df([1, 1])).array()).toEqual([4, 6]);
    v.assign([5, 5]);
    expect(await (await df([1, 1])).array()).toEqual([10, 10]);
    expect(await (await df(v)).array()).toEqual([50, 50]);
  });

  it('adds up the uses of an argument', async () => {
    expect(await (await grad((x) => ops.sum(ops.concat([x, ops.mul(x, x), x])))([1, 4])).array()).toEqual([4, 10]);
  });

  it('rejects what has no gradient', async () => {
    expect(await rejection(grad((x) => ops.mul(x, 2))([1, 2]))).toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: expect.stringMatching(/scalar.*\[2\].*ops\.sum/),
    });
    expect(await rejection(grad((x) => [x] as never)([1]))).toMatchObject({ code: 'TRACE_ERROR' });
    expect(await rejection(grad(cubes, 1)([1]))).toMatchObject({
      code: 'OUT_OF_RANGE',
      message: expect.stringContaining('1 argument'),
    });
    expect(await rejection(grad(cubes)(Int32Array.of(1)))).toMatchObject({ code: 'NOT_DIFFERENTIABLE' });
    expect(await rejection(grad((x) => ops.argmax(x))([1, 2]))).toMatchObject({ code: 'NOT_DIFFERENTIABLE' });
    for (const argnums of [-1, 0.5, [], ['0']])
      expect(codeOf(() => grad(cubes, argnums as never))).toBe('INVALID_ARGUMENT');
  });
});

describe('valueAndGrad', () => {
  it('gives both', async () => {
    const [value, gradient] = await valueAndGrad(cubes)([1, 2]);
    expect([await value.array(), await gradient.array()]).toEqual([9, [3, 12]]);
    const [product, [dx, dy]] = await valueAndGrad((x, y) => ops.sum(ops.mul(x, y)), [0, 1])([2], [3]);
    expect([await product.array(), await dx!.array(), await dy!.array()]).toEqual([6, [3], [2]]);
  });

  it('is symbolic inside a traced function', async () => {
    const f = compile((x) => {
      const [value, gradient] = valueAndGrad(cubes)(x);
      return ops.mul(value, gradient);
    });
    expect(await (await f([1, 2])).array()).toEqual([27, 108]);
  });
});

describe('hvp', () => {
  it('multiplies the Hessian by vectors', async () => {
    const [hv] = await hvp(cubes)([[1, 2]], [[1, 10]]);
    expect(await hv!.array()).toEqual([6, 120]);
  });

  it('has the blocks between arguments', async () => {
    // f = Σ x² y: H = [[2y, 2x], [2x, 0]].
    const f = (x: SymbolicTensor, y: SymbolicTensor) => ops.sum(ops.mul(ops.square(x), y));
    const [hx, hy] = await hvp(f)([[3], [5]], [[1], [0]]);
    expect([await hx!.array(), await hy!.array()]).toEqual([[10], [6]]);
    const [gx, gy] = await hvp(f)([[3], [5]], [[0], [1]]);
    expect([await gx!.array(), await gy!.array()]).toEqual([[6], [0]]);
  });

  it('of a linear function is zero', async () => {
    const [hv] = await hvp((x) => ops.sum(x))([[1, 2]], [[1, 1]]);
    expect(await hv!.array()).toEqual([0, 0]);
  });

  it('nests', async () => {
    const f = compile((x) => {
      const [hv] = hvp(cubes)([x], [ops.mul(x, 0.5)]);
      return ops.add(hv!, 0);
    });
    expect(await (await f([1, 2])).array()).toEqual([3, 12]);
    expect(await (await grad((x) => ops.sum(hvp(cubes)([x], [[1, 1]])[0]!))([1, 2])).array()).toEqual([6, 6]);
  });

  it('rejects what does not fit', async () => {
    expect(await rejection(hvp(cubes)([[1, 2]], [[1]]))).toMatchObject({ code: 'SHAPE_MISMATCH' });
    expect(await rejection(hvp(cubes)([[1, 2]], []))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await rejection(hvp(cubes)([1, 2] as never, 3 as never))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await rejection(hvp((x) => x)([[1, 2]], [[1, 2]]))).toMatchObject({ code: 'SHAPE_MISMATCH' });
  });
});

it('gradients of a small network agree with those by hand', async () => {
  const [x, w, b] = [
    tensor([[0.5, -1]]),
    tensor([
      [0.1, 0.2],
      [-0.3, 0.4],
    ]),
    tensor([0.05, -0.05]),
  ];
  const loss = (k: SymbolicTensor, c: SymbolicTensor) => ops.sum(ops.square(ops.tanh(ops.add(ops.matmul(x, k), c))));
  const [dw, db] = await grad(loss, [0, 1])(w, b);
  const z = [0.5 * 0.1 + 0.3 + 0.05, 0.5 * 0.2 - 0.4 - 0.05];
  const dz = z.map((value) => 2 * Math.tanh(value) * (1 - Math.tanh(value) ** 2));
  const close = (actual: unknown, expected: number[]) =>
    expect((actual as number[]).flat().map((v, i) => Math.abs(v - expected[i]!) < 1e-6)).toEqual(
      expected.map(() => true),
    );
  close(await db.array(), dz);
  close(await dw.array(), [0.5 * dz[0]!, 0.5 * dz[1]!, -dz[0]!, -dz[1]!]);
});
