// Our side, in a process of its own: worker.ts THREADS [profile]. Takes cases on standard input, a JSON line each, and prints an Outcome for
// each, or a profile.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { DownhillError, setThreads } from 'downhill';
import type { Case, Outcome, Refusal } from '../cases/index.js';
import { matmul } from './matmul.js';
import { profile } from './profile.js';
import { train } from './train.js';
import { update } from './update.js';

const [threads, mode] = process.argv.slice(2) as [string, string?];
const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
setThreads(Number(threads));

function measure(one: Case): Promise<number[]> {
  if (one.kind === 'train') return train(one);
  return one.kind === 'matmul' ? matmul(one) : update(one, Number(threads));
}

let before = { user: 0, system: 0 };

/** Why there is no such thing; throws other errors. */
function refusal(error: unknown): string {
  if (error instanceof DownhillError && error.code === 'UNSUPPORTED') return error.message;
  throw error;
}

async function outcome(one: Case): Promise<Outcome | Refusal> {
  try {
    const samples = await measure(one);
    const { user, system } = process.cpuUsage();
    const cpuSeconds = (user + system - before.user - before.system) / 1e6;
    before = { user, system };
    return { versions: { downhill: version, node: process.version }, samples, cpuSeconds };
  } catch (error) {
    return { unsupported: refusal(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const one = JSON.parse(line) as Case;
  console.log(JSON.stringify(mode === 'profile' ? { text: await profile(one).catch(refusal) } : await outcome(one)));
}
