import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Case, Outcome } from './cases/index.js';

const run = promisify(execFile);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** One side of the comparison; every run is a fresh process. */
export interface Contender {
  name: string;
  /** Does it take part in such cases? */
  takes?(one: Case): boolean;
  /** Null where it cannot do the case. */
  run(one: Case, threads: number): Promise<Outcome | null>;
}

async function outcome(command: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<Outcome | null> {
  const { stdout } = await run(command, args, { env, maxBuffer: 1 << 24 }).catch(
    (error: Error & { stderr?: string }) => {
      throw new Error(`${command} ${args.join(' ')}\nfailed: ${error.stderr?.trim() || error.message}`);
    },
  );
  const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as Outcome | { unsupported: string };
  return 'unsupported' in result ? null : result;
}

/** execArgv carries the TypeScript loader that this process runs under. */
export const ours: Contender = {
  name: 'downhill',
  run: (one, threads) =>
    outcome(process.execPath, [...process.execArgv, here('./ours/worker.ts'), JSON.stringify(one), `${threads}`]),
};

interface Peer {
  module: string;
  script: string;
  /** More arguments, and the kinds of cases that it is for. */
  args?: string[];
  kinds: Case['kind'][];
}

const torch: Peer = { module: 'torch', script: './peers/torch_peer.py', kinds: ['train', 'matmul', 'update'] };
const peers: Record<string, Peer> = {
  torch,
  'torch-foreach': { ...torch, args: ['foreach'], kinds: ['update'] },
  'torch-fused': { ...torch, args: ['fused'], kinds: ['update'] },
  jax: { module: 'jax', script: './peers/jax_peer.py', kinds: ['train', 'matmul'] },
};
export const peerNames = Object.keys(peers);

/** The peer, or the reason why there is none. */
export async function findPeer(name: string, python: string): Promise<Contender | string> {
  const peer = peers[name];
  if (!peer) return `there is no peer "${name}"; there are ${peerNames.join(', ')}`;
  const { module, script, args = [], kinds } = peer;
  try {
    await run(python, ['-c', `import ${module}`]);
  } catch (error) {
    const cause = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1) || (error as Error).message;
    return `${name} is left out: ${python} has none (${cause}). Install it, or name a Python that has it: --python PATH or PYTHON=PATH`;
  }
  return {
    name,
    takes: ({ kind }) => kinds.includes(kind),
    run: (one, threads) =>
      outcome(python, [here(script), JSON.stringify(one), `${threads}`, ...args], {
        ...process.env,
        OMP_NUM_THREADS: `${threads}`,
        MKL_NUM_THREADS: `${threads}`,
      }),
  };
}
