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
import {
  callbacks,
  DownhillError,
  layers,
  loadModel,
  optimizers,
  seed as seedRandom,
  sequential,
} from '../lib/index.ts';
import { readHead, readTensors, writeFile } from '../lib/io/safetensors.ts';
import { storageOf } from '../lib/tensor/tensor.ts';

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

const x = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i));
const y = Float32Array.from({ length: 8 }, (_, i) => i % 2);
/** With a callback that remembers weights. */
const fitOptions = () => ({
  batchSize: 4,
  epochs: 2,
  onNonFinite: 'ignore', // weights may be changed to anything
  verbose: 0,
  callbacks: [callbacks.earlyStopping({ monitor: 'loss', patience: 9, restoreBestWeights: true })],
});
const optimizer = { adam: () => optimizers.adam(), momentum: () => optimizers.sgd({ momentum: 0.9 }) };

function modelOf(kind) {
  seedRandom(3);
  const net = sequential([
    layers.dense({ units: 3, activation: 'tanh', inputShape: [3] }),
    layers.dropout({ rate: 0.2 }),
    layers.dense({ units: 1 }),
  ]);
  net.compile({ optimizer: optimizer[kind](), loss: 'mse', metrics: ['mae'] });
  return net;
}

/** What a model saved: weights, slots, where its fit stood, and tensors that a callback remembers. */
async function saved(kind) {
  const net = modelOf(kind);
  const options = fitOptions();
  // The last save is in the middle of the second epoch.
  const saving = { onTrainBatchEnd: (step) => (step === 0 ? net.save(path) : undefined) };
  await net.fit(x, y, { ...options, callbacks: [...options.callbacks, saving] });
  const model = readFileSync(path);
  await net.saveWeights(path);
  const weights = readFileSync(path);
  net.dispose();
  return { model, weights };
}

async function sources() {
  const tensor = (name, ...shape) => {
    const length = shape.reduce((product, axis) => product * axis, 1);
    const values = Float32Array.from({ length }, (_, i) => i / 3);
    return { name, dtype: 'F32', shape, storage: binding.storageFrom(values, 'float32') };
  };
  await writeFile(
    path,
    Array.from({ length: 300 }, (_, i) => tensor(`block/${i}/weight`, i % 5, 3)),
    {},
  );
  const many = readFileSync(path);
  await writeFile(path, [tensor('dense/kernel', 3, 3), tensor('dense/bias', 3), tensor('other', 2)], { format: 'pt' });
  const foreign = readFileSync(path);
  const [adam, momentum] = [await saved('adam'), await saved('momentum')];
  const fixture = (name) => readFileSync(join(root, 'test', 'io', 'fixtures', name));
  return [adam.model, adam.model, momentum.model, adam.weights, foreign, many].concat(
    ['python.safetensors', 'ours.safetensors'].map(fixture),
  );
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

const oddValues = [
  null,
  true,
  -1,
  0,
  0.5,
  7,
  2 ** 31,
  2 ** 53,
  1e300,
  '',
  'relu',
  '__proto__',
  'constructor',
  [],
  {},
  [[]],
  { $tensor: 'state/9' },
];

/** The header of a file as an object; undefined where it is none. */
function headerOf(bytes) {
  try {
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString());
    return typeof header === 'object' && header !== null ? header : undefined;
  } catch {
    return undefined;
  }
}

/** The file with another header, its length and data as they should be. */
function withHeader(bytes, header) {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, bytes.subarray(8 + Number(bytes.readBigUInt64LE()))]);
}

/** Changes one value of some JSON: to another, to one that stands elsewhere in it, or away. */
function changeValue(root, random) {
  const places = [];
  const walk = (value) => {
    for (const key of Object.keys(value)) {
      places.push([value, key]);
      if (typeof value[key] === 'object' && value[key] !== null) walk(value[key]);
    }
  };
  if (typeof root === 'object' && root !== null) walk(root);
  if (places.length === 0) return;
  const [owner, key] = places[random(places.length)];
  const kind = random(4);
  if (kind === 0) delete owner[key];
  else if (kind === 1) {
    const [other, there] = places[random(places.length)];
    owner[key] = structuredClone(other[there]);
  } else if (kind === 2 && typeof owner[key] === 'number') owner[key] += random(3) - 1;
  else owner[key] = oddValues[random(oddValues.length)];
}

/** One change of the bytes. */
const mutations = {
  /** In a JSON text of the metadata. */
  value(bytes, random) {
    const header = headerOf(bytes);
    const texts = Object.keys(header?.__metadata__ ?? {}).filter((name) => /^[[{]/.test(header.__metadata__[name]));
    if (texts.length === 0) return bytes;
    const name = texts[random(texts.length)];
    try {
      const json = JSON.parse(header.__metadata__[name]);
      changeValue(json, random);
      header.__metadata__[name] = JSON.stringify(json);
    } catch {
      return bytes;
    }
    return withHeader(bytes, header);
  },
  /** In the header itself. */
  entry(bytes, random) {
    const header = headerOf(bytes);
    if (!header) return bytes;
    changeValue(header, random);
    return withHeader(bytes, header);
  },
  data(bytes, random) {
    const copy = Buffer.from(bytes);
    const begin = bytes.length < 8 ? 0 : Math.min(8 + Number(bytes.readBigUInt64LE()), bytes.length);
    if (begin < copy.length) copy[begin + random(copy.length - begin)] = random(256);
    return copy;
  },
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
  const names = Object.keys(mutations);
  for (let changes = random(3) ? 1 : 2 + random(4); changes > 0; changes--) {
    // Every second one leaves the format whole, so that what reads the texts is reached.
    const changed = mutations[names[random(random(2) ? 3 : names.length)]](bytes, random);
    bytes = random(2) ? mended(changed, bytes) : changed;
  }
  // With a checksum that is right, so that what lies behind it is reached.
  if (random(4) && bytes.length >= 8) await binding.fileWrite(path, bytes.subarray(0, bytes.length - 8), [], true);
  else writeFileSync(path, bytes);
  return bytes.length;
}

/** Codes of a refusal by what reads tensors, and by what builds a model of them. */
const ofTensors = ['CORRUPT_FILE', 'FOREIGN_FILE', 'FILE_ERROR', 'UNSUPPORTED'];
const ofWeights = [...ofTensors, 'SHAPE_MISMATCH', 'UNKNOWN_NAME'];
const ofModels = [...ofTensors, 'UNKNOWN_NAME'];
const ofFits = [...ofModels, 'INVALID_ARGUMENT'];

const bytesOf = (storage) => Buffer.from(binding.storageRead(storage, 'float32').buffer);
/** The bytes of the weights and of the optimizer's slots. */
const stateOf = (net) =>
  Buffer.concat(
    net.parameters.flatMap((weight) =>
      [storageOf(weight), ...(net.compiled?.optimizer.slotsOf(weight) ?? []).map(({ storage }) => storage)].map(
        bytesOf,
      ),
    ),
  );

/** Reads a file by all ways there are; gives the code of the first refusal. */
async function read(size, random, nets) {
  const refusals = [];
  const refused = async (codes, work) => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DownhillError) || !codes.includes(error.code)) throw error;
      if (!error.message.includes(path)) throw new Error(`the message names no file: ${error.message}`);
      refusals.push(error.code);
      return undefined;
    }
  };
  /** A refusal leaves the model as it was. */
  const unchanged = async (net, codes, work) => {
    const before = stateOf(net);
    if ((await refused(codes, work)) !== undefined) return true;
    if (!stateOf(net).equals(before)) throw new Error('a refused file changed the model');
    return false;
  };
  const head = await refused(ofTensors, () => readHead(path));
  if (head) {
    const entries = [...head.tensors.values()];
    const total = entries.reduce((sum, { begin, end }) => sum + end - begin, 0);
    if (total > size) throw new Error(`tensors of ${total} bytes in a file of ${size}`);
    const storages = binding.arena(entries.map(({ begin, end }) => end - begin));
    await refused(ofTensors, () => readTensors(path, head, entries, storages));
    for (const storage of storages) binding.storageDispose(storage);
    const report = await refused(ofTensors, () => inspect(path));
    if (report && (JSON.stringify(report) === undefined || inspectionText(report) === '')) throw new Error('no report');
  }
  const outcome = refusals[0] ?? 'read';
  const [storage] = binding.arena([random(2 * size + 2)]);
  await refused(ofTensors, () => binding.fileRead(path, [random(2 * size + 2)], [storage], random(2) === 0));
  binding.storageDispose(storage);
  // What reads models begins with the head: once it is known to be refused, that is tried now and then.
  if (!head && random(8)) return outcome;
  const loaded = await refused(ofModels, () => loadModel(path));
  loaded?.dispose();
  const strict = random(2) === 0;
  await unchanged(nets.weights, ofWeights, () => nets.weights.loadWeights(path, { strict }));
  const resume = { ...fitOptions(), resume: path };
  const went = random(2) > 0 && (await unchanged(nets.fit, ofFits, () => nets.fit.fit(x, y, resume)));
  reached.loadModel += loaded ? 1 : 0;
  reached.resume += went ? 1 : 0;
  return outcome;
}

const originals = await sources();
const reached = { loadModel: 0, resume: 0 };
/** One whose weights are loaded, one whose fit goes on. */
const nets = { weights: modelOf('adam'), fit: modelOf('adam') };
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
    const outcome = await read(size, random, nets);
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
most = Math.max(most, process.resourceUsage().maxRSS * 1024);
const seconds = (performance.now() - begun) / 1000;
console.log(
  `${done} files of seed ${seed} in ${seconds.toFixed(1)} s: ${JSON.stringify(outcomes)}; ` +
    `${reached.loadModel} models loaded, ${reached.resume} fits resumed; slowest ${slowest.toFixed(0)} ms; ` +
    `memory ${done < 1000 ? 'not measured' : `${(least / 1e6).toFixed(0)} to ${(most / 1e6).toFixed(0)} MB`}`,
);
// The files have a few kilobytes: what grows by hundreds of megabytes keeps something, or believes a size.
if (most - least > 400e6) {
  console.error(`The memory of the process grew by ${((most - least) / 1e6).toFixed(0)} MB.`);
  process.exit(1);
}
