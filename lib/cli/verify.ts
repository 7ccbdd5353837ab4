// A small numeric self-test of a device: products and softmax against sums in float64, a training against the CPU's.
import type * as Library from '../index.js';

export interface Check {
  name: string;
  passed: boolean;
  /** The largest difference from what is expected, as a part of the largest value; null: there was an error. */
  difference: number | null;
  tolerance: number;
  error: string | null;
}

export interface Verification {
  device: string;
  passed: boolean;
  checks: Check[];
}

/** Numbers in [-1, 1) that look random, the same on every machine. */
function numbers(count: number, start: number): Float32Array {
  let state = start;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const [rows, inner, columns] = [37, 70, 19] as const; // no multiples of a tile

async function matmul({ compile, ops, tensor }: typeof Library, device: string) {
  const [a, b] = [numbers(rows * inner, 1), numbers(inner * columns, 2)];
  const expected = Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns];
    return Array.from({ length: inner }, (_, k) => a[i * inner + k]! * b[k * columns + j]!).reduce((x, y) => x + y, 0);
  });
  const product = compile((x: Library.SymbolicTensor, y: Library.SymbolicTensor) => ops.matmul(x, y), { device });
  const found = await product(tensor(a, [rows, inner]), tensor(b, [inner, columns]));
  return { expected, found: await found.data() };
}

async function softmax({ compile, ops, tensor }: typeof Library, device: string) {
  const x = numbers(rows * inner, 3).map((value) => 10 * value);
  const expected = Array.from({ length: rows }, (_, row) => {
    const powers = [...x.subarray(row * inner, (row + 1) * inner)].map(Math.exp);
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  }).flat();
  const found = await compile((input: Library.SymbolicTensor) => ops.softmax(input), { device })(
    tensor(x, [rows, inner]),
  );
  return { expected, found: await found.data() };
}

/** The loss of every epoch: 12 steps, the last batch of each epoch a smaller one. */
async function losses({ initializers, layers, optimizers, sequential }: typeof Library, device: string) {
  const dense = (units: number, seed: number, activation?: 'tanh') =>
    layers.dense({ units, activation, kernelInitializer: initializers.glorotUniform({ seed }) });
  const model = sequential([layers.input({ shape: [6] }), dense(16, 1, 'tanh'), dense(2, 2)], { device });
  model.compile({ optimizer: optimizers.adam({ learningRate: 0.01 }), loss: 'meanSquaredError' });
  const [x, y] = [numbers(rows * 6, 4), numbers(rows * 2, 5)];
  const { history } = await model.fit(x, y, { epochs: 4, batchSize: 16, shuffle: false, verbose: 0 });
  model.dispose();
  return history.loss!;
}

/** Compares results on a device with what they should be. */
export async function verifyDevice(library: typeof Library, device: string): Promise<Verification> {
  const training = async () => ({ expected: await losses(library, 'cpu'), found: await losses(library, device) });
  const checks = [
    await check('matmul', 1e-5, () => matmul(library, device)),
    await check('softmax', 1e-5, () => softmax(library, device)),
    await check('training', 1e-4, training),
  ];
  return { device, passed: checks.every(({ passed }) => passed), checks };
}

type Results = { expected: ArrayLike<number>; found: ArrayLike<number> };

/** Runs one of them; exported for its test. */
export async function check(name: string, tolerance: number, work: () => Promise<Results>): Promise<Check> {
  try {
    const { expected, found } = await work();
    if (found.length !== expected.length)
      throw new Error(`it gave ${found.length} values instead of ${expected.length}.`);
    const largest = Math.max(...Array.from(expected, Math.abs));
    const difference = Math.max(...Array.from(expected, (value, i) => Math.abs(value - found[i]!))) / largest;
    return { name, passed: difference <= tolerance, difference, tolerance, error: null };
  } catch (error) {
    return { name, passed: false, difference: null, tolerance, error: (error as Error).message };
  }
}
