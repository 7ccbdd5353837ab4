// Our side of one case, in a process of its own: worker.ts CASE THREADS. Prints an Outcome.
import { createRequire } from 'node:module';
import { setThreads } from 'downhill';
import type { Case, Outcome } from '../cases/index.js';
import { matmul } from './matmul.js';
import { train } from './train.js';
import { update } from './update.js';

const [json, threads] = process.argv.slice(2) as [string, string];
const one = JSON.parse(json) as Case;
setThreads(Number(threads));
const run = () => {
  if (one.kind === 'train') return train(one);
  return one.kind === 'matmul' ? matmul(one) : update(one, Number(threads));
};
const samples = await run();
const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
const { user, system } = process.cpuUsage();
const outcome: Outcome = {
  versions: { downhill: version, node: process.version },
  samples,
  cpuSeconds: (user + system) / 1e6,
};
console.log(JSON.stringify(outcome));
