import type { MatmulCase } from './case.js';

function matmul(m: number, k: number, n: number, calls: number): MatmulCase {
  const size = m === k && k === n ? `${m}` : `${m}x${k}x${n}`;
  return { kind: 'matmul', name: `matmul-${size}`, title: `matmul ${size}`, m, k, n, calls, samples: 5 };
}

/** Calls are chosen so that a sample takes a few tenths of a second. */
export const matmuls: MatmulCase[] = [
  matmul(256, 256, 256, 1000),
  matmul(512, 512, 512, 200),
  matmul(1024, 1024, 1024, 30),
  matmul(2048, 2048, 2048, 4),
  matmul(128, 784, 32, 4000),
  matmul(128, 1000, 1000, 200),
];
