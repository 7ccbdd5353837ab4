import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Case, Outcome } from './cases/index.js';

const run = promisify(execFile);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** One side of the comparison; every run is a fresh process. */
export interface Contender {
  name: string;
  run(one: Case, threads: number): Promise<Outcome>;
}

async function outcome(command: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<Outcome> {
  const { stdout } = await run(command, args, { env, maxBuffer: 1 << 24 }).catch(
    (error: Error & { stderr?: string }) => {
      throw new Error(`${command} ${args.join(' ')}\nfailed: ${error.stderr?.trim() || error.message}`);
    },
  );
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Outcome;
}

/** execArgv carries the TypeScript loader that this process runs under. */
export const ours: Contender = {
  name: 'downhill',
  run: (one, threads) =>
    outcome(process.execPath, [...process.execArgv, here('./ours/worker.ts'), JSON.stringify(one), `${threads}`]),
};

const scripts: Record<string, string> = { torch: './peers/torch_peer.py', jax: './peers/jax_peer.py' };
export const peerNames = Object.keys(scripts);

/** The peer, or the reason why there is none. */
export async function findPeer(name: string, python: string): Promise<Contender | string> {
  const script = scripts[name];
  if (!script) return `there is no peer "${name}"; there are ${peerNames.join(', ')}`;
  try {
    await run(python, ['-c', `import ${name}`]);
  } catch (error) {
    const cause = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1) || (error as Error).message;
    return `${name} is left out: ${python} has none (${cause}). Install it, or name a Python that has it: --python PATH or PYTHON=PATH`;
  }
  return {
    name,
    run: (one, threads) =>
      outcome(python, [here(script), JSON.stringify(one), `${threads}`], {
        ...process.env,
        OMP_NUM_THREADS: `${threads}`,
        MKL_NUM_THREADS: `${threads}`,
      }),
  };
}
