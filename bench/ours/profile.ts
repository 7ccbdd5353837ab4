// Where the time of our side goes, as text.
import { compile, ops, type SymbolicTensor } from 'downhill';
import type { Case } from '../cases/index.js';
import { matrix } from './matmul.js';
import { prepare } from './train.js';

export async function profile(one: Case): Promise<string> {
  if (one.kind === 'train') {
    const { net, x, y } = prepare(one);
    const { batchSize, shuffle } = one;
    return String(await net.program('train').profile({ x, y, batchSize, shuffle, runs: 50 }));
  }
  if (one.kind === 'update') return 'an update is one pass: npm run bench -- --case, and bench_update, measure it\n';
  const product = compile((a: SymbolicTensor, b: SymbolicTensor) => ops.matmul(a, b));
  return String(await product.program(matrix(one.m, one.k), matrix(one.k, one.n)).profile({ runs: 50 }));
}
