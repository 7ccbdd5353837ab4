// npx tsx bench/files.ts [--parameters 100000000] [--rounds 5] [--folder PATH]: saving and loading tensors beside the disk's own speed:
// plain writes and reads of the same bytes, one MiB at a time, flushed. By turns, so that both meet the same disk.
import { execFileSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdtempSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { binding } from '../lib/binding/index.js';
import { readHead, readTensors, type TensorToWrite, writeFile } from '../lib/io/safetensors.js';
import { commit, machine } from './machine.js';
import { format, median, spread } from './stats.js';

const { values: options } = parseArgs({
  options: {
    parameters: { type: 'string', default: '100000000' },
    rounds: { type: 'string', default: '5' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const parameters = Number(options.parameters);
const rounds = Number(options.rounds);
const tensorCount = 20;
const each = Math.ceil(parameters / tensorCount);
const bytes = 4 * each * tensorCount;

const folder = mkdtempSync(join(options.folder, 'downhill-bench-'));
const [ourFile, plainFile] = [join(folder, 'ours'), join(folder, 'plain')];
const piece = Buffer.alloc(1 << 20, 'a piece of a file');

const storages = binding.arena(Array(tensorCount).fill(4 * each));
storages.forEach((storage, i) => {
  binding.storageRandom(storage, 'normal', 0, 1, 7, i);
});
const tensors = storages.map(
  (storage, i): TensorToWrite => ({ name: `layer${i}/kernel`, dtype: 'F32', shape: [each], storage }),
);
const targets = binding.arena(Array(tensorCount).fill(4 * each));

/** Makes the system forget what it keeps of a file in memory. */
const forget = (file: string) => execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);

function plainWrite(): void {
  const file = openSync(`${plainFile}.tmp`, 'w');
  for (let done = 0; done < bytes; done += piece.length)
    writeSync(file, piece, 0, Math.min(piece.length, bytes - done));
  fsyncSync(file);
  closeSync(file);
  renameSync(`${plainFile}.tmp`, plainFile);
}

function plainRead(): void {
  const file = openSync(plainFile, 'r');
  while (readSync(file, piece) > 0);
  closeSync(file);
}

async function load(): Promise<void> {
  const head = await readHead(ourFile);
  await readTensors(ourFile, head, [...head.tensors.values()], targets);
}

const work: Record<string, { ours: () => unknown; plain: () => unknown; before?: () => void }> = {
  save: { ours: () => writeFile(ourFile, tensors, {}), plain: plainWrite },
  'load, from the disk': {
    ours: load,
    plain: plainRead,
    before: () => [ourFile, plainFile].forEach(forget),
  },
  'load, from the cache': { ours: load, plain: plainRead, before: plainRead },
};

async function seconds(run: () => unknown): Promise<number> {
  const begun = performance.now();
  await run();
  return (performance.now() - begun) / 1000;
}

const times: Record<string, { ours: number[]; plain: number[] }> = {};
try {
  for (let round = 0; round <= rounds; round++)
    for (const [name, { ours, plain, before }] of Object.entries(work)) {
      times[name] ??= { ours: [], plain: [] };
      before?.();
      for (const side of round % 2 === 0 ? (['ours', 'plain'] as const) : (['plain', 'ours'] as const)) {
        const taken = await seconds(side === 'ours' ? ours : plain);
        if (round > 0) times[name]![side].push(taken); // the first round warms up
      }
    }
} finally {
  rmSync(folder, { recursive: true });
}

const { cpu, cores, load: loadBefore, node } = machine();
console.log(`${(bytes / 1e6).toFixed(0)} MB; ${cpu}, ${cores} cores, load ${loadBefore}, Node ${node}, ${commit()}`);
for (const [name, { ours, plain }] of Object.entries(times)) {
  const ratio = spread(ours.map((time, i) => time / plain[i]!));
  const speed = (list: number[]) => `${(bytes / 1e6 / median(list)).toFixed(0)} MB/s (${format(spread(list))} s)`;
  console.log(`${name.padEnd(22)} ours ${speed(ours)}, plain ${speed(plain)}; ours ÷ plain ${format(ratio)}`);
}
