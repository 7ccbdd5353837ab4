// npx tsx bench/files.ts [--parameters 100000000] [--rounds 5] [--folder PATH] [--no-save]: saving and loading tensors beside the disk's own
// speed: plain writes and reads of the same bytes, one MiB at a time, flushed. By turns, so that both meet the same disk.
// Then a model of as many parameters that trains with Adam: how long a save holds it up, beside the time of a step.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { binding } from '../lib/binding/index.js';
import { layers, sequential } from '../lib/index.js';
import { readHead, readTensors, type TensorToWrite, writeFile } from '../lib/io/safetensors.js';
import { roomFor, Snapshot } from '../lib/io/snapshot.js';
import { libraryVersion } from '../lib/version.js';
import { commit, machine, slug } from './machine.js';
import { format, median, type Spread, spread } from './stats.js';

const { values: options } = parseArgs({
  options: {
    parameters: { type: 'string', default: '100000000' },
    rounds: { type: 'string', default: '5' },
    folder: { type: 'string', default: tmpdir() },
    'no-save': { type: 'boolean', default: false },
  },
});
const parameters = Number(options.parameters);
const rounds = Number(options.rounds);
const about = machine();
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

for (const storage of [...storages, ...targets]) binding.storageDispose(storage);

/** Seconds of training steps, of making room for a snapshot, and of the copying, for which training waits. */
async function stall(): Promise<Record<'step' | 'room' | 'copy', number[]>> {
  const [width, rows] = [4096, 32];
  const count = Math.max(1, Math.round(parameters / (width * width)));
  const net = sequential(
    Array.from({ length: count }, (_, i) =>
      layers.dense({ units: width, activation: 'relu', ...(i === 0 && { inputShape: [width] }) }),
    ),
  );
  net.compile({ optimizer: 'adam', loss: 'mse' });
  const [x, y] = [new Float32Array(rows * width).fill(0.1), new Float32Array(rows * width)];
  const found = { step: [] as number[], room: [] as number[], copy: [] as number[] };
  const step = () => net.trainOnBatch(x, y);
  await step();
  for (let round = 0; round < rounds; round++) {
    found.step.push(await seconds(step));
    let room = await roomFor(net, 'model');
    for (const storage of room) binding.storageDispose(storage);
    found.room.push(
      await seconds(async () => {
        room = await roomFor(net, 'model');
      }),
    );
    let snapshot: Snapshot | undefined;
    found.copy.push(
      await seconds(async () => {
        snapshot = await Snapshot.of(net, 'model', () => null, room);
      }),
    );
    snapshot!.dispose();
  }
  net.dispose();
  return found;
}

interface Row {
  name: string;
  unit: string;
  times: Record<string, Spread>;
  ratios: Record<string, Spread>;
  /** MB/s of the median. */
  speeds?: Record<string, number>;
}

const quotients = (a: readonly number[], b: readonly number[]) => spread(a.map((time, i) => time / b[i]!));
const speed = (list: number[]) => Math.round(bytes / 1e6 / median(list));
const rows = Object.entries(times).map(
  ([name, { ours, plain }]): Row => ({
    name,
    unit: 's',
    times: { downhill: spread(ours), plain: spread(plain) },
    ratios: { 'downhill ÷ plain': quotients(ours, plain) },
    speeds: { downhill: speed(ours), plain: speed(plain) },
  }),
);
const { step, room, copy } = await stall();
rows.push({
  name: 'save while training, Adam',
  unit: 's',
  times: { step: spread(step), room: spread(room), copy: spread(copy) },
  ratios: { 'copy ÷ step': quotients(copy, step) },
});

const { cpu, cores, load: loadBefore, node } = about;
console.log(`${(bytes / 1e6).toFixed(0)} MB; ${cpu}, ${cores} cores, load ${loadBefore}, Node ${node}, ${commit()}`);
for (const row of rows) {
  const parts = Object.entries(row.times).map(([who, time]) => {
    const rate = row.speeds ? `, ${row.speeds[who]} MB/s` : '';
    return `${who} ${format(time)} s${rate}`;
  });
  const ratios = Object.entries(row.ratios).map(([what, ratio]) => `${what} ${format(ratio)}`);
  console.log(`${row.name.padEnd(26)} ${[...parts, ...ratios].join('; ')}`);
}
if (!options['no-save']) {
  const date = new Date().toISOString().slice(0, 10);
  const place = new URL('./results/', import.meta.url);
  const file = new URL(`${date}-${slug(about)}-files.json`, place);
  mkdirSync(place, { recursive: true });
  const versions = { downhill: libraryVersion(), node };
  const rounded = (_: string, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
  const body = { date, commit: commit(), machine: about, rounds, parameters, versions, cases: rows };
  writeFileSync(file, `${JSON.stringify(body, rounded, 1)}\n`);
  console.log(`Written: bench/results/${file.pathname.split('/').at(-1)}`);
}
