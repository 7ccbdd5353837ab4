// Every op of the table: values beside a double-precision reference, gradients and second derivatives beside finite differences of it, on
// random shapes, on every device and instruction set of this machine, on the CPU at 1, 2 and 3 threads.
import { compile, grad, hvp, ops, setThreads, type Tensor, tensor } from 'downhill';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { goHome, goTo, isEmulated, places } from '../support-devices.js';
import { cases } from './cases.js';
import { expectNear } from './compare.js';
import { type Nd, nd, sizeOf } from './nd.js';
import { type Case, type Computed, float32, generator, type Problem } from './problems.js';

/** Coordinates of each operand whose derivatives are checked. */
const kProbes = 5;
const kRuns = Number(process.env.CONFORMANCE_RUNS ?? 12);
const kEmulatedRuns = Math.max(4, Math.ceil(kRuns / 3));
const seed = Number(process.env.CONFORMANCE_SEED ?? 1);

async function read(t: Tensor): Promise<Nd> {
  return nd(t.shape, await t.data());
}

let threads: readonly number[] = [1];

/** Runs `body` at every thread count and checks that the bits agree; gives the result. */
async function atAllThreads(body: () => Promise<Tensor[]>): Promise<Nd[]> {
  let first: Nd[] | undefined;
  for (const count of threads) {
    setThreads(count);
    const result = await Promise.all((await body()).map(read));
    if (!first) first = result;
    else expect(result, `${count} threads`).toEqual(first);
  }
  return first!;
}

/** Σ weights · f, and its derivatives by central differences in double. */
function differences(problem: Problem, weights: Nd) {
  const value = (xs: Nd[]) => {
    const y = problem.reference(xs);
    return y.data.reduce((sum, element, i) => sum + element * weights.data[i]!, 0);
  };
  const moved = (xs: Nd[], operand: number, i: number, by: number) =>
    xs.map((x, j) =>
      j === operand
        ? nd(
            x.shape,
            x.data.map((e, k) => (k === i ? e + by : e)),
          )
        : x,
    );
  const along = (xs: Nd[], vs: Nd[], by: number) =>
    xs.map((x, j) =>
      nd(
        x.shape,
        x.data.map((e, k) => e + by * vs[j]!.data[k]!),
      ),
    );
  const slope = (xs: Nd[], operand: number, i: number, h: number) =>
    (value(moved(xs, operand, i, h)) - value(moved(xs, operand, i, -h))) / (2 * h);
  return {
    first: (operand: number, i: number) => slope(problem.inputs, operand, i, 1e-5),
    second: (vs: Nd[], operand: number, i: number) => {
      const h = 1e-3;
      const change = (by: number) => slope(along(problem.inputs, vs, by), operand, i, h);
      return (change(h) - change(-h)) / (2 * h);
    },
  };
}

function probes(size: number, random: () => number): number[] {
  if (size <= kProbes) return Array.from({ length: size }, (_, i) => i);
  return Array.from({ length: kProbes }, () => Math.floor(random() * size));
}

/** Largest magnitude, at least 1: what absolute tolerances are relative to. */
const scaleOf = (x: Nd) => x.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);

async function checkValues(item: Case, problem: Problem): Promise<Nd> {
  const expected = problem.reference(problem.inputs);
  const inputs = problem.inputs.map(float32);
  const tolerance = item.exact ? { relative: 0, absolute: 0 } : { relative: 4e-6, absolute: 3e-6 * scaleOf(expected) };
  const [eager] = await atAllThreads(async () => [problem.call(inputs) as Tensor]);
  expectNear('value', eager!, expected, tolerance);
  const compiled = compile((...xs) => problem.call(xs));
  const [planned] = await atAllThreads(async () => [await compiled(...inputs)]);
  expectNear('compiled value', planned!, expected, tolerance);
  return expected;
}

async function checkGradients(item: Case, problem: Problem, expected: Nd): Promise<void> {
  if (problem.inputs.length === 0) return;
  const random = generator(problem.inputs[0]!.data.length + 17);
  const draw = (shape: readonly number[]) =>
    nd(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => random() * 2 - 1),
    );
  const weights = draw(expected.shape);
  const vectors = problem.inputs.map((x) => draw(x.shape));
  const total = (...xs: Computed[]) =>
    ops.sum(ops.mul(problem.call(xs), tensor(Float32Array.from(weights.data), weights.shape)));
  const argnums = problem.inputs.map((_, i) => i);
  const inputs = problem.inputs.map(float32);

  const gradient = grad(total, argnums);
  const found = await atAllThreads(async () => await gradient(...inputs));
  const times = hvp(total);
  const second = await atAllThreads(async () => await times(inputs, vectors.map(float32)));
  const numeric = differences(problem, weights);
  for (const operand of argnums) {
    const shape = problem.inputs[operand]!.shape;
    expect(found[operand]!.shape).toEqual(shape);
    expect(second[operand]!.shape).toEqual(shape);
    for (const i of probes(sizeOf(shape), random)) {
      const one = (x: Nd, wanted: number, what: string, relative: number) =>
        expectNear(`${what} for operand ${operand} [${shape}] at ${i}`, nd([], [x.data[i]!]), nd([], [wanted]), {
          relative,
          absolute: relative * scaleOf(x),
        });
      one(found[operand]!, item.gradient === 'zero' ? 0 : numeric.first(operand, i), 'gradient', 1e-4);
      one(
        second[operand]!,
        item.gradient === 'zero' ? 0 : numeric.second(vectors, operand, i),
        'second derivative',
        5e-4,
      );
    }
  }
}

describe.each(places)('ops on $title', (place) => {
  beforeAll(() => {
    goTo(place);
    threads = place.threads;
  });
  afterAll(goHome);
  const runs = { numRuns: isEmulated(place.device) ? kEmulatedRuns : kRuns, seed };

  it.each(cases.map((item) => ({ title: [item.op, item.variant].filter(Boolean).join(', '), item })))(
    '$title',
    async ({ item }) => {
      if (place.isa) expect(binding.isa()).toBe(place.isa);
      await fc.assert(
        fc.asyncProperty(item.problems, async (problem) => {
          const expected = await checkValues(item, problem);
          if (item.gradient !== 'none') await checkGradients(item, problem, expected);
        }),
        runs,
      );
    },
  );
});
