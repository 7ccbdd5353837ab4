// Damages files at random and reads them: every one must be read or refused with an error of ours, in little time and memory.
//   npm run fuzz -- [--count 20000] [--seed 1] [--start 0] [--minutes N] [--keep FOLDER]
// File number n depends on seed and n alone: --start n --count 1 does it again. Under AddressSanitizer: npm run fuzz:asan.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { binding } from '../lib/binding/index.ts';
import { inspect } from '../lib/cli/inspect.ts';
import { inspectionText } from '../lib/cli/text.ts';
import { DownhillError } from '../lib/errors.ts';
import { readHead, readTensors, writeFile } from '../lib/io/safetensors.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    start: { type: 'string', default: '0' },
    minutes: { type: 'string', default: 'Infinity' },
    keep: { type: 'string', default: '.' },
  },
});
const [count, seed, start, minutes] = [values.count, values.seed, values.start, values.minutes].map(Number);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
// In memory where the system has such a folder: every write is flushed.
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'downhill-fuzz-'));
const path = join(folder, 'file.safetensors');

/** Numbers in [0, below) from (seed, file). */
function generator(file) {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(file + 1, 0x85ebca77)) >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

async function sources() {
  const storage = (length) =>
    binding.storageFrom(
      Float32Array.from({ length }, (_, i) => i / 3),
      'float32',
    );
  const tensor = (name, ...shape) => ({
    name,
    dtype: 'F32',
    shape,
    storage: storage(shape.reduce((product, length) => product * length, 1)),
  });
  const layer = { className: 'Dense', config: { name: 'dense', units: 3, activation: 'relu' } };
  const texts = {
    format: 'downhill',
    format_version: '1',
    library_version: '0.1.0',
    content: 'model',
    model: JSON.stringify({ className: 'Sequential', config: { name: 'net', layers: [layer, layer] } }),
    compile: JSON.stringify({
      optimizer: { className: 'Adam', config: { learningRate: 0.001 } },
      loss: 'mse',
      metrics: [],
    }),
    state: JSON.stringify({
      iterations: 7,
      random: { seed: 1, draws: 2 },
      training: { epoch: 1, step: 2, batchSize: 4 },
    }),
  };
  await writeFile(
    path,
    [tensor('dense/kernel', 4, 3), tensor('dense/bias', 3), tensor('optimizer/m/dense/bias', 3)],
    texts,
  );
  const model = readFileSync(path);
  await writeFile(
    path,
    Array.from({ length: 300 }, (_, i) => tensor(`block/${i}/weight`, i % 5, 3)),
    {},
  );
  const many = readFileSync(path);
  const fixture = (name) => readFileSync(join(root, 'test', 'io', 'fixtures', name));
  return [model, model, many, fixture('python.safetensors'), fixture('ours.safetensors')];
}

const tokens = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  '\\u0000',
  'null',
  '-1',
  '1e9',
  '0.5',
  '9007199254740993',
  '{"a":',
  '[[',
  '\xff\xfe',
].concat([
  '"__metadata__"',
  '"downhill.checksum"',
  '"dtype"',
  '"shape":[]',
  '"data_offsets":[0,0]',
  '"F64"',
  '\ufeff',
  '"__proto__"',
]);

/** One change of the bytes. */
const mutations = {
  flip(bytes, random) {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[random(copy.length)] ^= 1 << random(8);
    return copy;
  },
  overwrite(bytes, random) {
    const copy = Buffer.from(bytes);
    const at = random(copy.length + 1);
    for (let i = at; i < Math.min(copy.length, at + 1 + random(16)); i++) copy[i] = random(256);
    return copy;
  },
  truncate: (bytes, random) => bytes.subarray(0, random(bytes.length + 1)),
  remove(bytes, random) {
    const at = random(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(random(4) ? 8 : 400))]);
  },
  insert(bytes, random) {
    const at = random(bytes.length + 1);
    const added = Buffer.from(Array.from({ length: 1 + random(16) }, () => random(256)));
    return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at)]);
  },
  repeat(bytes, random) {
    const [at, to] = [random(bytes.length + 1), random(bytes.length + 1)];
    const part = bytes.subarray(at, at + 1 + random(200));
    const times = random(20) ? 1 : 1 + random(300);
    return Buffer.concat([bytes.subarray(0, to), ...Array(times).fill(part), bytes.subarray(to)]);
  },
  token(bytes, random) {
    const at = 8 + random(Math.max(1, bytes.length - 8));
    const text = tokens[random(tokens.length)].repeat(random(30) ? 1 : 1 + random(5000));
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(text), bytes.subarray(at + random(3))]);
  },
  digit(bytes, random) {
    const copy = Buffer.from(bytes);
    const digits = [...copy.keys()].filter((i) => copy[i] >= 0x30 && copy[i] <= 0x39);
    if (digits.length > 0) copy[digits[random(digits.length)]] = 0x30 + random(10);
    return copy;
  },
  length(bytes, random) {
    const copy = Buffer.from(bytes);
    const sizes = [
      0n,
      1n,
      2n,
      BigInt(random(copy.length + 9)),
      100_000_000n,
      2n ** 31n,
      2n ** 53n,
      2n ** 63n,
      2n ** 64n - 1n,
    ];
    if (copy.length >= 8) copy.writeBigUInt64LE(sizes[random(sizes.length)]);
    return copy;
  },
};

/** Sets the length of the header again, so that what was changed inside it is reached. */
function mended(bytes, before) {
  if (bytes.length < 8 || before.length < 8) return bytes;
  const length = before.readBigUInt64LE() + BigInt(bytes.length - before.length);
  const copy = Buffer.from(bytes);
  copy.writeBigUInt64LE(BigInt.asUintN(64, length));
  return copy;
}

async function make(random, originals) {
  let bytes = originals[random(originals.length)];
  for (let changes = random(3) ? 1 : 2 + random(4); changes > 0; changes--) {
    const names = Object.keys(mutations);
    const changed = mutations[names[random(names.length)]](bytes, random);
    bytes = random(2) ? mended(changed, bytes) : changed;
  }
  // With a checksum that is right, so that what lies behind it is reached.
  if (random(2) && bytes.length >= 8) await binding.fileWrite(path, bytes.subarray(0, bytes.length - 8), [], true);
  else writeFileSync(path, bytes);
  return bytes.length;
}

/** Reads a file by all ways there are; gives the code of the first refusal. */
async function read(size, random) {
  const refusals = [];
  const refused = async (work) => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DownhillError) || !/^(CORRUPT_FILE|FOREIGN_FILE|FILE_ERROR)$/.test(error.code))
        throw error;
      if (!error.message.includes(path)) throw new Error(`the message names no file: ${error.message}`);
      refusals.push(error.code);
      return undefined;
    }
  };
  const head = await refused(() => readHead(path));
  if (head) {
    const entries = [...head.tensors.values()];
    const total = entries.reduce((sum, { begin, end }) => sum + end - begin, 0);
    if (total > size) throw new Error(`tensors of ${total} bytes in a file of ${size}`);
    const storages = binding.arena(entries.map(({ begin, end }) => end - begin));
    await refused(() => readTensors(path, head, entries, storages));
    const report = await refused(() => inspect(path));
    if (report && (JSON.stringify(report) === undefined || inspectionText(report) === '')) throw new Error('no report');
  }
  const outcome = refusals[0] ?? 'read';
  const [storage] = binding.arena([random(2 * size + 2)]);
  await refused(() => binding.fileRead(path, [random(2 * size + 2)], [storage], random(2) === 0));
  return outcome;
}

const originals = await sources();
const outcomes = {};
const begun = performance.now();
let slowest = 0;
let done = 0;
let [least, most] = [Infinity, 0];
let current = start;
const fail = (error) => {
  mkdirSync(values.keep, { recursive: true });
  const kept = join(values.keep, `fuzz-${seed}-${current}.safetensors`);
  copyFileSync(path, kept);
  console.error(`File ${current} of seed ${seed}, kept as ${kept}:\n${error.stack}`);
  process.exit(1);
};
for (; current < start + count && performance.now() - begun < minutes * 60_000; current++) {
  const random = generator(current);
  const size = await make(random, originals);
  const from = performance.now();
  const timer = setTimeout(() => fail(new Error('no answer in 20 seconds')), 20_000);
  try {
    const outcome = await read(size, random);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  } catch (error) {
    fail(error);
  }
  clearTimeout(timer);
  slowest = Math.max(slowest, performance.now() - from);
  if (++done % 1000 === 0) {
    const { rss } = process.memoryUsage();
    least = Math.min(least, rss);
    most = Math.max(most, rss);
  }
}
rmSync(folder, { recursive: true });
const seconds = (performance.now() - begun) / 1000;
console.log(
  `${done} files of seed ${seed} in ${seconds.toFixed(1)} s: ${JSON.stringify(outcomes)}; slowest ${slowest.toFixed(0)} ms; ` +
    `memory ${done < 1000 ? 'not measured' : `${(least / 1e6).toFixed(0)} to ${(most / 1e6).toFixed(0)} MB`}`,
);
// The files have a few kilobytes: what grows by hundreds of megabytes keeps something, or believes a size.
if (most - least > 400e6) {
  console.error(`The memory of the process grew by ${((most - least) / 1e6).toFixed(0)} MB.`);
  process.exit(1);
}
