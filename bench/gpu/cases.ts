// What is measured on a GPU, and what it should reach. The kernels' cases are those of bench/native/gpu_kernels.cpp.
import type { TrainCase } from '../cases/index.js';
import { networks } from '../cases/networks.js';

export interface NetworkCase extends TrainCase {
  precision: 'float32' | 'tf32';
}

const named = (name: string) => networks.find((one) => one.name === name)!;

/** Data sets that stay on the device; samples of about half a second on an H100. */
function networkCase(name: string, precision: 'float32' | 'tf32'): NetworkCase {
  const one = named(name);
  return { ...one, name: `${name}-${precision}`, precision, batches: 200, epochs: 10, samples: 5 };
}

export const networkCases: NetworkCase[] = [
  networkCase('lecture-net', 'float32'),
  networkCase('mlp', 'float32'),
  networkCase('mlp', 'tf32'),
  networkCase('mlp-dropout', 'float32'),
  // A step that computes next to nothing: what is left is the launch.
  { ...networkCase('lecture-net', 'float32'), name: 'smallest-step', widths: [8, 8], batchSize: 8 },
];

/** For trying things out on the emulator. */
export const tiny = (one: NetworkCase): NetworkCase => ({
  ...one,
  widths: one.widths.map((width) => Math.min(width, 12)),
  batchSize: 8,
  batches: 2,
  epochs: 1,
  samples: 2,
});

/** Goals of a case: against whom, and the ratios to reach, first and at best. Ratios are their time ÷ ours; for `copy` the share of its rate. */
interface Goal {
  cases: RegExp;
  against: string;
  first: number;
  best: number;
}

export const goals: Goal[] = [
  { cases: /^matmul-(4096|8192)x\d+x\d+-bfloat16$/, against: 'torch', first: 0.5, best: 1.03 },
  { cases: /^matmul-4096x\d+x\d+-tf32$/, against: 'torch', first: 0.5, best: 0.95 },
  { cases: /^matmul-4096x\d+x\d+-float32$/, against: 'torch', first: 1.2, best: 2.3 },
  { cases: /^matmul-128x.*-bias-relu-/, against: 'torch', first: 1.2, best: 2 },
  { cases: /^mlp-(float32|tf32)$/, against: 'torch eager', first: 6, best: 20 },
  { cases: /^mlp-(float32|tf32)$/, against: 'torch compiled, graph', first: 1.1, best: 2.5 },
  { cases: /^mlp-(float32|tf32)$/, against: 'jax', first: 2, best: 6 },
  { cases: /^lecture-net-/, against: 'torch eager', first: 8, best: 25 },
  { cases: /^lecture-net-/, against: 'torch compiled, graph', first: 1.5, best: 4 },
  { cases: /^lecture-net-/, against: 'jax', first: 3, best: 8 },
  { cases: /^update-adam$/, against: 'copy', first: 0.92, best: 0.98 },
  { cases: /^(softmax|cross-entropy)-/, against: 'copy', first: 0.8, best: 0.92 },
];
