import { ops, type Tensor, tensor } from 'downhill';
import type { MatmulCase } from '../cases/index.js';

export function matrix(rows: number, columns: number): Tensor {
  return tensor(
    Float32Array.from({ length: rows * columns }, () => Math.random() - 0.5),
    [rows, columns],
  );
}

export async function matmul({ m, k, n, calls, samples }: MatmulCase): Promise<number[]> {
  const a = matrix(m, k);
  const b = matrix(k, n);
  /** Queued one behind the other; reading one element of the last waits for all. */
  const run = async (count: number) => {
    let last: Tensor | undefined;
    for (let i = 0; i < count; i++) {
      last?.dispose();
      last = ops.matmul(a, b);
    }
    await ops.slice(last!, [0, 0], [1, 1]).data();
    last!.dispose();
  };

  await run(Math.ceil(calls / 4));
  const times: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const start = performance.now();
    await run(calls);
    times.push(((performance.now() - start) * 1000) / calls);
  }
  for (const made of [a, b]) made.dispose();
  return times;
}
