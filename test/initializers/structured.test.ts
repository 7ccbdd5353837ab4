// Initial values with a structure: orthogonal, identity, sparse, constants along an axis; and why they must differ.
import { initializers, layers, sequential } from 'downhill';
import { describe, expect, it, test } from 'vitest';
import { codeOf } from '../errors.js';

const close = (actual: number, expected: number, tolerance: number, where: string) => {
  if (!(Math.abs(actual - expected) <= tolerance))
    throw new Error(`${where}: expected ${expected}, received ${actual}`);
};

/** Rows of a matrix of any shape, flattened but for its last axis. */
function matrix(sample: { dataSync(): ArrayLike<number> }, columns: number): number[][] {
  const values = Array.from(sample.dataSync());
  return Array.from({ length: values.length / columns }, (_, i) => values.slice(i * columns, (i + 1) * columns));
}

const transposed = (rows: number[][]) => rows[0]!.map((_, j) => rows.map((row) => row[j]!));
const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

/** Q of A = QR with a positive diagonal of R, by columns: Gram and Schmidt, twice, in double. */
function orthonormal(columns: number[][]): number[][] {
  const done: number[][] = [];
  for (const column of columns) {
    let v = column.slice();
    for (let pass = 0; pass < 2; pass++)
      for (const q of done) {
        const along = dot(q, v);
        v = v.map((x, i) => x - along * q[i]!);
      }
    const norm = Math.sqrt(dot(v, v));
    done.push(v.map((x) => x / norm));
  }
  return done;
}

describe('orthogonal', () => {
  it.each([[[40, 40]], [[97, 33]], [[33, 97]], [[3, 3, 5, 20]], [[2, 3, 70]], [[1, 8]], [[8, 1]], [[1, 1]]])(
    '%o: QᵀQ is gain² times the identity',
    (shape) => {
      const gain = -1.7;
      const columns = shape.at(-1)!;
      const rows = matrix(initializers.orthogonal({ gain, seed: 5 }).sample(shape), columns);
      const vectors = rows.length < columns ? rows : transposed(rows);
      vectors.forEach((a, i) => {
        vectors.forEach((b, j) => {
          close(dot(a, b), i === j ? gain * gain : 0, 1e-6, `${i}, ${j}`);
        });
      });
    },
  );

  it.each([
    [60, 60],
    [80, 37],
    [37, 80],
  ])('%i × %i is Q of the normal matrix of the same seed, with the signs of a positive R', (rows, columns) => {
    const [m, n] = [Math.max(rows, columns), Math.min(rows, columns)];
    const drawn = matrix(initializers.randomNormal({ stddev: 1, seed: 9 }).sample([m, n]), n);
    const q = orthonormal(transposed(drawn)); // columns
    const made = matrix(initializers.orthogonal({ seed: 9 }).sample([rows, columns]), columns);
    const ours = rows < columns ? made : transposed(made);
    ours.forEach((column, j) => {
      column.forEach((value, i) => {
        close(value, q[j]![i]!, 2e-6, `${i}, ${j}`);
      });
    });
  });

  it('is uniformly distributed: the first entry of 2 × 2 is a cosine, of either sign', () => {
    const entries = Array.from({ length: 4000 }, (_, seed) =>
      initializers.orthogonal({ seed }).sample([2, 2]).dataSync(),
    );
    const determinants = entries.map(([a, b, c, d]) => a! * d! - b! * c!);
    expect(Math.abs(determinants.filter((value) => value > 0).length / 4000 - 0.5)).toBeLessThan(0.04);
    for (const [at, expected] of [
      [-0.5, 1 / 3],
      [0, 1 / 2],
      [0.5, 2 / 3],
    ] as const)
      expect(Math.abs(entries.filter(([a]) => a! < at).length / 4000 - expected)).toBeLessThan(0.04);
  });

  it('takes empty shapes and refuses vectors', () => {
    expect(initializers.orthogonal().sample([0, 5]).shape).toEqual([0, 5]);
    expect(codeOf(() => initializers.orthogonal().sample([5]))).toBe('SHAPE_MISMATCH');
  });
});

test('identity', () => {
  expect(initializers.identity({ gain: 2 }).sample([2, 3]).arraySync()).toEqual([
    [2, 0, 0],
    [0, 2, 0],
  ]);
  expect(initializers.identity().sample([3, 2]).arraySync()).toEqual([
    [1, 0],
    [0, 1],
    [0, 0],
  ]);
  expect(codeOf(() => initializers.identity().sample([2, 2, 2]))).toBe('SHAPE_MISMATCH');
});

describe('sparse', () => {
  const counts = (columns: number[][]) => columns.map((column) => column.filter((value) => value !== 0).length);

  it('gives every unit as many inputs as asked for', () => {
    const of = (options: initializers.SparseOptions, shape: number[]) =>
      new Set(counts(transposed(matrix(initializers.sparse({ seed: 3, ...options }).sample(shape), shape.at(-1)!))));
    expect(of({}, [100, 70])).toEqual(new Set([15]));
    expect(of({}, [8, 70])).toEqual(new Set([8]));
    expect(of({ connections: 3 }, [2, 5, 33])).toEqual(new Set([3]));
    expect(of({ sparsity: 0.25 }, [41, 33])).toEqual(new Set([30])); // ⌈10.25⌉ zeros, as PyTorch
    expect(of({ sparsity: 1 }, [41, 33])).toEqual(new Set([0]));
    expect(of({ sparsity: 0 }, [41, 33])).toEqual(new Set([41]));
  });

  it('chooses each set of inputs equally often', () => {
    const rows = matrix(initializers.sparse({ connections: 2, seed: 1 }).sample([4, 30000]), 30000);
    const sets = new Map<string, number>();
    for (const column of transposed(rows)) {
      const set = column.map((value) => (value === 0 ? '.' : 'x')).join('');
      sets.set(set, (sets.get(set) ?? 0) + 1);
    }
    expect(sets.size).toBe(6);
    const chi = [...sets.values()].reduce((sum, found) => sum + (found - 5000) ** 2 / 5000, 0);
    expect(chi).toBeLessThan(20.5); // of 5 degrees: once in a thousand
  });

  it('draws normal weights', () => {
    const deviation = (options: initializers.SparseOptions) => {
      const values = Array.from(
        initializers
          .sparse({ seed: 2, ...options })
          .sample([100, 4000])
          .dataSync(),
      ).filter(Boolean);
      expect(Math.abs(values.reduce((a, b) => a + b, 0) / values.length)).toBeLessThan(0.02);
      return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
    };
    expect(deviation({})).toBeCloseTo(1, 1);
    expect(deviation({ stddev: 0.5 })).toBeCloseTo(0.5, 1);
    expect(deviation({ sparsity: 0.5 })).toBeCloseTo(0.01, 3);
  });

  it('refuses what contradicts itself', () => {
    expect(codeOf(() => initializers.sparse({ connections: 3, sparsity: 0.5 }))).toBe('INVALID_ARGUMENT');
    expect(codeOf(() => initializers.sparse({ connections: 0 }))).toBe('OUT_OF_RANGE');
    expect(codeOf(() => initializers.sparse({ sparsity: 1.5 }))).toBe('OUT_OF_RANGE');
    expect(codeOf(() => initializers.sparse().sample([5]))).toBe('SHAPE_MISMATCH');
  });
});

test('constants along the last axis', () => {
  const made = initializers.constant({ value: [1, 2, 3] });
  expect(made.sample([3]).arraySync()).toEqual([1, 2, 3]);
  expect(made.sample([2, 3]).arraySync()).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
  expect(codeOf(() => made.sample([2]))).toBe('SHAPE_MISMATCH');
  expect(codeOf(() => made.sample([]))).toBe('SHAPE_MISMATCH');
  expect(codeOf(() => initializers.constant({ value: [1, Number.NaN] }))).toBe('OUT_OF_RANGE');
});

it.each([
  ['fan_in', 'normal'],
  ['fanIn', 'truncatedNormal'],
])('varianceScaling takes Keras’s spelling: %s, %s', (mode, distribution) => {
  const made = initializers.varianceScaling({ mode, distribution } as initializers.VarianceScalingOptions);
  expect(made.getConfig()).toEqual({ scale: 1, mode: 'fanIn', distribution: 'truncatedNormal', seed: null });
  expect(codeOf(() => initializers.varianceScaling({ mode: 'fan' as never }))).toBe('INVALID_ARGUMENT');
  expect(codeOf(() => initializers.varianceScaling({ distribution: 'cauchy' as never }))).toBe('INVALID_ARGUMENT');
  expect(codeOf(() => initializers.varianceScaling({ scale: 0 }))).toBe('OUT_OF_RANGE');
});

test('axes that are given come in pairs, and must be there', () => {
  const made = initializers.heNormal({ inputAxes: [0], outputAxes: [1, 2] });
  expect(made.getConfig()).toEqual({ seed: null, inputAxes: [0], outputAxes: [1, 2] });
  expect(initializers.heNormal().getConfig()).toEqual({ seed: null });
  expect(codeOf(() => made.sample([3, 4]))).toBe('SHAPE_MISMATCH');
  expect(codeOf(() => initializers.heNormal({ inputAxes: [0] }))).toBe('INVALID_ARGUMENT');
  expect(codeOf(() => initializers.heNormal({ inputAxes: 0 as never, outputAxes: [1] }))).toBe('INVALID_ARGUMENT');
  expect(codeOf(() => initializers.heNormal({ inputAxes: [0.5], outputAxes: [1] }))).toBe('OUT_OF_RANGE');
});

describe('units that begin alike stay alike', () => {
  const x = Array.from({ length: 12 }, (_, i) => [Math.sin(i), Math.cos(3 * i), i / 12]);
  const y = x.map(([a, b, c]) => [a! * b! + c!]);

  async function hidden(kernelInitializer: initializers.InitializerLike): Promise<number[][]> {
    const net = sequential([
      layers.dense({ units: 4, activation: 'tanh', inputShape: [3], kernelInitializer, biasInitializer: 'zeros' }),
      layers.dense({ units: 1, kernelInitializer: initializers.constant({ value: 0.3 }) }),
    ]);
    net.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
    await net.fit(x, y, { epochs: 30, batchSize: 5, verbose: 0 });
    return transposed(net.getWeights()[0]!.arraySync() as number[][]);
  }

  it.each(['zeros', 'ones'])('%s: for ever', async (initializer) => {
    const [first, ...others] = await hidden(initializer);
    expect(Math.max(...first!.map((w) => Math.abs(w - (initializer === 'ones' ? 1 : 0))))).toBeGreaterThan(1e-3);
    for (const other of others) expect(other).toEqual(first);
  });

  it('random ones do not', async () => {
    const units = await hidden(initializers.glorotUniform({ seed: 1 }));
    for (let i = 0; i < 4; i++) for (let j = 0; j < i; j++) expect(units[i]).not.toEqual(units[j]);
  });
});
