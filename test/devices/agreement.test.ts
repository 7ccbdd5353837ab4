// What every device computes to the same bits as the CPU, and what within a tolerance: docs/numerics.md.
import { compile, grad, layers, ops, seed, sequential, type Tensor, tensor } from 'downhill';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { cases } from '../conformance/cases.js';
import { byName, type Case, type Computed, fill, float32, type Problem } from '../conformance/problems.js';
import { bitsOf, goHome, goTo, idOf, isEmulated, testDevices } from '../support-devices.js';

afterAll(goHome);

const kinds = new Map(binding.ops().map(({ name, kind }) => [name, kind]));
const isElementwise = ({ op }: Case) => ['unary', 'binary', 'ternary'].includes(kinds.get(op)!);
/** Without arithmetic, or with integers, or with additions in an order that is the CPU's. */
const moving = ['identity', 'stopGradient', 'reshape', 'transpose', 'broadcastTo', 'concat', 'slice', 'pad'];
const picking = ['gather', 'scatterAdd', 'oneHot', 'cast', 'max', 'min', 'argmax'];
const isExact = (item: Case) =>
  isElementwise(item) || [...moving, ...picking].includes(item.op) || item.variant === 'int32';

/** Values and shape of what `body` computes on a device. */
async function on(device: string, body: () => Tensor | Promise<Tensor>) {
  goTo({ device, isa: null });
  const result = await body();
  const data = (await result.data()) as Float32Array;
  return { shape: result.shape, data, bits: bitsOf(data), device: result.device };
}

/** The same bits on both; NaN is NaN. */
async function expectSame(device: string, body: () => Tensor | Promise<Tensor>) {
  const [here, there] = [await on('cpu', body), await on(device, body)];
  expect(there.shape).toEqual(here.shape);
  const at = there.bits.findIndex((bits, i) => bits !== here.bits[i]);
  if (at >= 0) throw new Error(`element ${at} of [${here.shape}]: ${there.data[at]} instead of ${here.data[at]}`);
}

/** |found − expected| ≤ tolerance · scale, everywhere. */
async function expectNear(device: string, tolerance: number, body: () => Tensor | Promise<Tensor>, scale?: number) {
  const [here, there] = [await on('cpu', body), await on(device, body)];
  expect(there.shape).toEqual(here.shape);
  const most = scale ?? here.data.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-30);
  const worst = there.data.reduce((max, value, i) => {
    const off = Math.abs(value - here.data[i]!) / most;
    return Number.isNaN(off) ? Infinity : Math.max(max, off);
  }, 0);
  expect(worst).toBeLessThanOrEqual(tolerance);
}

const named = (items: Case[]) =>
  items.map((item) => ({ title: [item.op, item.variant].filter(Boolean).join(', '), item }));

/** Bit patterns from the whole range of float32: normal, denormal, infinite, NaN. */
function anyFloats(count: number): Tensor {
  const words = Uint32Array.from({ length: count }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 0);
  const special = Uint32Array.of(
    0,
    0x80000000,
    1,
    0x80000001,
    0x7f800000,
    0xff800000,
    0x7fc00000,
    0x007fffff,
    0x7f7fffff,
  );
  words.set(special);
  return tensor(new Float32Array(words.buffer));
}

describe.each(testDevices)('%s beside the CPU', (device) => {
  const isGpu = device !== 'cpu' && !isEmulated(device);
  const runs = { numRuns: isGpu ? 20 : 4, seed: 3 };
  const samples = (item: Case): Problem[] => fc.sample(item.problems, runs);
  const sameShapes = ({ inputs }: Problem) => inputs.every((x) => x.shape.join() === inputs[0]!.shape.join());

  it('computes there', async () => {
    expect((await on(device, () => ops.exp(tensor([1, 2])))).device).toBe(idOf(device));
    const twice = compile((x) => ops.mul(x, 2));
    expect((await on(device, () => twice(tensor([1, 2])))).device).toBe(idOf(device));
  });

  it.each(named(cases.filter(isExact)))('the same bits: $title', async ({ item }) => {
    for (const problem of samples(item)) {
      const inputs = problem.inputs.map(float32);
      await expectSame(device, () => problem.call(inputs) as Tensor);
      // Gradients of broadcast operands are sums; those of equal shapes are elementwise.
      if (!isElementwise(item) || item.gradient !== 'check' || problem.inputs.length === 0 || !sameShapes(problem))
        continue;
      const weights = tensor(
        Float32Array.from({ length: problem.inputs[0]!.data.length }, (_, i) => Math.sin(i)),
        problem.inputs[0]!.shape,
      );
      const weighted = (...xs: Computed[]) => ops.sum(ops.mul(problem.call(xs), weights));
      const gradient = grad(weighted as (x: Computed) => Computed as never, inputs.map((_, i) => i) as never);
      for (let i = 0; i < inputs.length; i++)
        await expectSame(device, async () => ((await gradient(...(inputs as [Tensor]))) as unknown as Tensor[])[i]!);
    }
  });

  const unary = cases.filter((item) => kinds.get(item.op) === 'unary' && item.variant !== 'int32').map(({ op }) => op);
  it.each([...new Set(unary)])('the same bits over the whole range of float32: %s', async (op) => {
    const x = anyFloats(isGpu ? 1 << 20 : 4099);
    await expectSame(device, () => (op === 'clip' ? ops.clip(x, -2, 1e10) : (byName[op]!(x) as Tensor)));
    if (['cast', 'sign'].includes(op)) return;
    const f = (v: Computed) => (op === 'clip' ? ops.clip(v, -2, 1e10) : byName[op]!(v));
    const gradient = grad((v) => ops.sum(f(v)) as never);
    await expectSame(device, () => gradient(x));
  });

  it('the same bits: casts to int32 of what does not fit', async () => {
    const x = tensor([3e9, -3e9, NaN, Infinity, -Infinity, 2147483520, -2147483648, 0.9, -0.9]);
    await expectSame(device, () => ops.cast(x, 'int32'));
  });

  it('the same dropout masks and noise', async () => {
    const x = tensor(
      Float32Array.from({ length: 3 * 517 }, (_, i) => i / 7),
      [3, 517],
    );
    const inputShape = [517];
    const makers = [
      ...[0.1, 0.5, 0.75].map((rate) => () => layers.dropout({ rate, inputShape })),
      () => layers.gaussianDropout({ rate: 0.3, inputShape }),
      () => layers.gaussianNoise({ stddev: 2, inputShape }),
    ];
    for (const make of makers) {
      await expectSame(device, async () => {
        seed(8);
        const net = sequential([make()]);
        const drop = compile((v) => net.apply(v, { training: true }) as never);
        await drop(x);
        return drop(x); // the second draw
      });
    }
  });

  it('the same initial values', async () => {
    await expectSame(device, () => {
      seed(5);
      return sequential([layers.dense({ units: 33, inputShape: [40] })]).getWeights()[0]!;
    });
  });

  const [a, b] = fill(
    [
      [70, 61],
      [61, 45],
    ],
    'smooth',
    1,
  ).map(float32) as [Tensor, Tensor];
  it.each([
    ['sum of all', () => ops.sum(a)],
    ['sum of rows', () => ops.sum(a, 1)],
    ['sum of columns', () => ops.sum(a, 0)],
    ['mean', () => ops.mean(a, 0)],
    ['variance', () => ops.variance(a, 1)],
    ['norm', () => ops.norm(a, 1)],
    ['softmax', () => ops.softmax(a)],
    ['softmax, axis 0', () => ops.softmax(a, 0)],
    ['logSoftmax', () => ops.logSoftmax(a)],
    ['logSumExp', () => ops.logSumExp(a)],
  ] as [string, () => Tensor][])('within 1e-6 of the largest: %s', async (_, body) => {
    await expectNear(device, 1e-6, body);
  });

  it('matrix products: within 2e-6 of Σ|a·b|', async () => {
    const scale = Math.max(...(await ops.matmul(ops.abs(a), ops.abs(b)).data()));
    await expectNear(device, 2e-6, () => ops.matmul(a, b), scale);
    await expectNear(device, 2e-6, () => ops.matmul(b, a, { transposeA: true, transposeB: true }), scale);
  });

  it.runIf(isGpu)('large operands', async () => {
    const x = ops.reshape(anyFinite(1 << 24), [256, 65536]);
    await expectNear(device, 2e-6, () => ops.sum(x, 0));
    await expectNear(device, 2e-6, () => ops.sum(x, 1), 65536);
    await expectNear(device, 2e-6, () => ops.softmax(x));
    await expectNear(device, 2e-6, () => ops.softmax(ops.reshape(x, [65536, 256])));
    await expectSame(device, () => ops.transpose(x));
    await expectSame(device, () => ops.max(x, 0));
    await expectSame(device, () => ops.argmax(x, 1));
    const [m, n] = [ops.reshape(anyFinite(1 << 20), [1024, 1024]), ops.reshape(anyFinite(1 << 20), [1024, 1024])];
    await expectNear(device, 2e-6, () => ops.matmul(m, n), 1024);
    await expectNear(
      device,
      2e-6,
      () => ops.matmul(ops.slice(m, [0, 0], [127, 999]), ops.slice(n, [0, 0], [999, 33])),
      999,
    );
  });
});

/** In [-1, 1). */
function anyFinite(count: number): Tensor {
  return tensor(Float32Array.from({ length: count }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >> 8) / 2 ** 23));
}
