// Kills a training that checkpoints, at random moments, and lets it go on from its newest file, until it has ended: it must end as a
// training that nobody killed, every checkpoint must be readable, and what a killed write left must not pile up.
//   npm run kill-resume -- [--kills 10] [--seed N]
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const program = join(root, 'test/soak/programs/checkpointing.ts');
/** Files that one training may have: those kept, the one being written, one to be removed, and a temporary one per process. */
const MOST_FILES = 3 + 2;
const MOST_TEMPORARIES = 2;

/** One process; killed `after` milliseconds of training when that is given. */
function train(folder, threads, after) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', program, folder, `${threads}`], { cwd: root });
    let [output, errors, begun] = ['', '', 0];
    child.stdout.on('data', (text) => {
      output += text;
      if (begun || !output.startsWith('go\n')) return;
      begun = performance.now();
      if (after !== undefined) setTimeout(() => child.kill('SIGKILL'), after);
    });
    child.stderr.on('data', (text) => {
      errors += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const milliseconds = performance.now() - begun;
      if (signal === 'SIGKILL') resolve({ killed: true, milliseconds });
      else if (code === 0) resolve({ killed: false, milliseconds, digest: output.trim().split('\n').at(-1) });
      else reject(new Error(`The training failed (${code ?? signal}): ${errors}`));
    });
  });
}

function checkFiles(folder) {
  const names = readdirSync(folder);
  const temporaries = names.filter((name) => name.endsWith('.tmp'));
  if (temporaries.length > MOST_TEMPORARIES || names.length - temporaries.length > MOST_FILES)
    throw new Error(`Too many files: ${names.join(', ')}`);
  return temporaries.length;
}

/** Rejects when anything is not as it must be. */
export async function killAndResume(kills, seed = Date.now(), log = () => {}) {
  let state = seed >>> 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const base = mkdtempSync(join(tmpdir(), 'downhill-kill-'));
  const fresh = () => {
    const folder = mkdtempSync(join(base, 'run-'));
    mkdirSync(folder, { recursive: true });
    return folder;
  };
  const result = { kills: 0, trainings: 0, leftTemporaries: 0, seed };
  try {
    const { digest, milliseconds } = await train(fresh(), 2);
    log(`never killed: ${milliseconds.toFixed(0)} ms, ${digest}`);
    while (result.kills < kills) {
      const folder = fresh();
      for (let ended = false; !ended; ) {
        // Killed a few times on its way; left alone once there have been enough kills.
        const after = result.kills < kills ? random() * random() * milliseconds : undefined;
        const run = await train(folder, 1 + Math.floor(random() * 4), after);
        result.leftTemporaries += checkFiles(folder);
        if (run.killed) result.kills++;
        else if (run.digest !== digest) throw new Error(`It ended otherwise: ${run.digest}, seed ${seed}.`);
        ended = !run.killed;
      }
      result.trainings++;
      rmSync(folder, { recursive: true });
      log(`${result.kills} kills, ${result.trainings} trainings ended as they should`);
    }
    return result;
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { kills: { type: 'string', default: '10' }, seed: { type: 'string' } } });
  const seed = values.seed === undefined ? undefined : Number(values.seed);
  console.log(JSON.stringify(await killAndResume(Number(values.kills), seed, console.log)));
}
