// The sides of the comparison, and the processes that they run in.
import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Case, Outcome, Refusal } from './cases/index.js';

const execute = promisify(execFile);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** A process of a contender: takes one case after the other. */
export interface Running {
  /** Throws when the process ends before it has answered. */
  run(one: Case): Promise<Outcome | Refusal>;
  /** Resolves when the process has ended. */
  close(): Promise<void>;
}

export interface Contender {
  name: string;
  /** Does it take part in such cases? */
  takes(one: Case): boolean;
  start(threads: number): Running;
}

/** A process that answers each line of JSON with one. */
export function start<Answer>(command: string, args: string[], env: NodeJS.ProcessEnv = process.env) {
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (text: Buffer) => {
    errors = (errors + text.toString()).slice(-4000);
  });
  child.stdin.on('error', () => {}); // it has ended: told by its exit
  const ended = new Promise<never>((_, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) =>
      reject(new Error(`${command} ${args.join(' ')} ended with ${signal ?? code}: ${errors.trim()}`)),
    );
  });
  ended.catch(() => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(question: unknown): Promise<Answer> {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const { value, done } = (await Promise.race([lines.next(), ended])) as IteratorResult<string>;
      if (done) return ended;
      return JSON.parse(value) as Answer;
    },
    async close(): Promise<void> {
      child.stdin.end();
      await ended.catch(() => {});
    },
  };
}

function running(command: string, args: string[], env?: NodeJS.ProcessEnv): Running {
  const { ask, close } = start<Outcome | Refusal>(command, args, env);
  return { run: ask, close };
}

/** execArgv carries the TypeScript loader that this process runs under. */
const own = (...args: string[]): [string, string[]] => [
  process.execPath,
  [...process.execArgv, here('./ours/worker.ts'), ...args],
];

export const ours: Contender = {
  name: 'downhill',
  takes: () => true,
  start: (threads) => running(...own(`${threads}`)),
};

const isFloat32 = ({ precision = 'float32' }: Case) => precision === 'float32';

/** Beside cases of another precision. */
export const ownFloat32: Contender = {
  name: 'own float32',
  takes: (one) => !isFloat32(one),
  start(threads) {
    const { run, close } = ours.start(threads);
    return { run: (one) => run({ ...one, precision: 'float32' }), close };
  },
};

/** Text for each case, from one process. */
export function profiler(threads: number) {
  return start<{ text: string }>(...own(`${threads}`, 'profile'));
}

interface Peer {
  /** Arguments of Node (for a name that ends in .js) or Python after the number of threads. */
  script: string;
  args?: string[];
  /** Code, of the same language, that fails where the peer is missing. */
  check: string;
  /** What to do then. */
  remedy?: string;
  kinds: Case['kind'][];
}

const torch: Peer = { script: './peers/torch_peer.py', check: 'import torch', kinds: ['train', 'matmul', 'update'] };
const keras = (backend: string): Peer => ({
  script: './peers/keras_peer.py',
  args: [backend],
  check: `import os; os.environ["KERAS_BACKEND"] = "${backend}"; import keras, ${backend}`,
  kinds: ['train'],
});
const tfjs = (backend: string, module: string): Peer => ({
  script: './peers/tfjs/worker.js',
  args: [backend],
  check: `await import('${module}')`,
  remedy: 'npm install --prefix bench/peers/tfjs',
  kinds: ['train', 'matmul'],
});

const peers: Record<string, Peer> = {
  torch,
  'torch-best': { ...torch, args: ['best'], kinds: ['train', 'update'] },
  'torch-foreach': { ...torch, args: ['foreach'], kinds: ['update'] },
  'torch-fused': { ...torch, args: ['fused'], kinds: ['update'] },
  jax: { script: './peers/jax_peer.py', check: 'import jax', kinds: ['train', 'matmul', 'update'] },
  'keras-jax': keras('jax'),
  'keras-torch': keras('torch'),
  onednn: {
    script: './peers/onednn_peer.py',
    check: 'import onednn_peer; onednn_peer.load()',
    remedy: "install oneDNN (Debian's libdnnl2), or set DNNL_LIBRARY to the path of libdnnl.so",
    kinds: ['matmul'],
  },
  'tfjs-node': tfjs('node', '@tensorflow/tfjs-node'),
  'tfjs-wasm': tfjs('wasm', '@tensorflow/tfjs-backend-wasm'),
  tfjs: tfjs('cpu', '@tensorflow/tfjs'),
};
export const peerNames = Object.keys(peers);

/** Names of peers: commas separate them, "keras" is all of Keras, "all" everybody. Throws for others. */
export function choosePeers(words: readonly string[]): string[] {
  const names = words
    .flatMap((word) => word.split(','))
    .flatMap((word) => {
      if (word === 'all') return peerNames.filter((name) => !['torch-foreach', 'torch-fused'].includes(name));
      return word === 'keras' ? ['keras-jax', 'keras-torch'] : word === '' || word === 'none' ? [] : [word];
    });
  for (const name of names)
    if (!peers[name])
      throw new Error(`--peer: there is no "${name}"; there are ${[...peerNames, 'keras', 'all', 'none'].join(', ')}`);
  return [...new Set(names)];
}

/** The peer, or the reason why there is none. */
export async function findPeer(name: string, python: string): Promise<Contender | string> {
  const { script, args = [], check, remedy, kinds } = peers[name]!;
  const [command, ask, from] = script.endsWith('.js')
    ? [process.execPath, ['--input-type=module', '-e'], here('./peers/tfjs/')]
    : [python, ['-c'], here('./peers/')];
  try {
    await execute(command, [...ask, check], { cwd: from });
  } catch (error) {
    const lines = ((error as { stderr?: string }).stderr ?? '').trim().split('\n');
    const cause = lines.findLast((line) => line.includes('Error')) ?? (error as Error).message.split('\n')[0];
    const what = remedy ?? `install it, or name a Python that has it: --python PATH or PYTHON=PATH (now ${python})`;
    return `${name} is left out (${cause}): ${what}`;
  }
  return {
    name,
    takes: (one) => kinds.includes(one.kind) && isFloat32(one),
    start: (threads) =>
      running(command, [here(script), `${threads}`, ...args], {
        ...process.env,
        OMP_NUM_THREADS: `${threads}`,
        MKL_NUM_THREADS: `${threads}`,
      }),
  };
}
