// npx tsx bench/tenants.ts [--models 1000] [--rounds 3] [--seconds 4] [--no-save]: many small models in one process, trained one after another and
// all at once; then how long a prediction takes, and how late the event loop is, while large models train.
import { mkdirSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { layers, type Model, sequential } from '../lib/index.js';
import { libraryVersion } from '../lib/version.js';
import { commit, machine, slug } from './machine.js';
import { format, median, type Spread, spread } from './stats.js';

const { values: options } = parseArgs({
  options: {
    models: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    'no-save': { type: 'boolean', default: false },
  },
});
const models = Number(options.models);
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
const about = machine();

function network(widths: readonly number[], loss: string): Model {
  const last = widths.length - 2;
  const net = sequential(
    widths.slice(1).map((units, i) => {
      const end = loss === 'mse' ? 'linear' : 'softmax';
      return layers.dense({
        units,
        activation: i === last ? end : 'relu',
        ...(i === 0 && { inputShape: [widths[0]!] }),
      });
    }),
  );
  net.compile({ optimizer: 'adam', loss });
  return net;
}

const noise = (length: number) => Float32Array.from({ length }, () => Math.random() - 0.5);
const classes = (length: number, count: number) => Int32Array.from({ length }, () => Math.floor(Math.random() * count));

// ---- many small models ----

/** Rows and epochs of each tenant: 70 steps. */
const [rows, epochs, batchSize] = [200, 10, 32];
const kinds = {
  'regressor 20-16-1': () => network([20, 16, 1], 'mse'),
  'classifier 20-32-5': () => network([20, 32, 5], 'sparseCategoricalCrossentropy'),
};

interface Run {
  /** Of a model, in microseconds. */
  time: number;
  cpu: number;
}

async function measured(count: number, run: () => Promise<unknown>): Promise<Run> {
  const before = process.cpuUsage();
  const begun = performance.now();
  await run();
  const time = ((performance.now() - begun) * 1000) / count;
  const { user, system } = process.cpuUsage(before);
  return { time, cpu: (user + system) / count };
}

interface Tenants {
  name: string;
  unit: string;
  times: Record<string, Spread>;
  /** Throughput at once ÷ one after another. */
  ratio: Spread;
  /** Microseconds of CPU of a model, one after another; what two cores make of it if nothing waited is a half. */
  cpu: Record<string, Spread>;
  /** Resident megabytes after each of the runs. */
  resident: number[];
}

async function tenants(name: string, make: () => Model): Promise<Tenants> {
  const x = noise(rows * 20);
  const y = name.startsWith('regressor') ? noise(rows) : classes(rows, 5);
  const train = async () => {
    const net = make();
    await net.fit(x, y, { batchSize, epochs });
    net.dispose();
  };
  const ways = {
    'one after another': async (count: number) => {
      for (let i = 0; i < count; i++) await train();
    },
    'at once': (count: number) => Promise.all(Array.from({ length: count }, train)),
  };
  const found = Object.fromEntries(Object.keys(ways).map((way) => [way, [] as Run[]]));
  const resident: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const order = Object.entries(ways);
    for (const [way, run] of round % 2 === 0 ? order : order.reverse()) {
      const result = await measured(models, () => run(models));
      if (round > 0) found[way]!.push(result); // the first round warms up
    }
    resident.push(Math.round(process.memoryUsage().rss / 1e6));
  }
  const of = (what: keyof Run) =>
    Object.fromEntries(Object.entries(found).map(([way, list]) => [way, spread(list.map((run) => run[what]))]));
  const [alone, together] = [found['one after another']!, found['at once']!];
  return {
    name,
    unit: 'µs of a model',
    times: of('time'),
    ratio: spread(alone.map(({ time }, i) => time / together[i]!.time)),
    cpu: of('cpu'),
    resident,
  };
}

// ---- predictions beside trainings ----

interface Latency {
  name: string;
  unit: string;
  predictions: number;
  median: number;
  p99: number;
  most: number;
  /** Of the event loop, 99 %. */
  loopDelay: number;
}

const wide = () => network([784, 1000, 1000, 10], 'sparseCategoricalCrossentropy');
const x = noise(25_600 * 784);
const y = classes(25_600, 10);

/** Predictions of one row, at random moments, while others train. */
async function latency(name: string, net: Model, trainings: readonly Model[]): Promise<Latency> {
  const controller = new AbortController();
  const { signal } = controller;
  const fits = trainings.map((other) => other.fit(x, y, { batchSize: 128, epochs: 1000, signal }).catch(() => {}));
  const row = noise(net.inputShape[0]!);
  (await net.predict(row)).dispose();
  await sleep(200);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    await sleep(10 * Math.random());
    const begun = performance.now();
    (await net.predict(row)).dispose();
    times.push(performance.now() - begun);
  }
  delay.disable();
  controller.abort();
  await Promise.all(fits);
  times.sort((a, b) => a - b);
  return {
    name,
    unit: 'ms',
    predictions: times.length,
    median: median(times),
    p99: times[Math.floor(times.length * 0.99)]!,
    most: times.at(-1)!,
    loopDelay: delay.percentile(99) / 1e6,
  };
}

const small = kinds['classifier 20-32-5'];
const latencies: Latency[] = [];
for (const [name, make, count] of [
  ['20-32-5, alone', small, 0],
  ['20-32-5, one training', small, 1],
  ['20-32-5, two trainings', small, 2],
  ['784-1000-1000-10, alone', wide, 0],
  ['784-1000-1000-10, one training', wide, 1],
  ['784-1000-1000-10, two trainings', wide, 2],
] as const)
  latencies.push(await latency(name, make(), Array.from({ length: count }, wide)));
const itself = wide();
latencies.push(await latency('the model that trains', itself, [itself]));

const cases = [];
for (const [name, make] of Object.entries(kinds)) cases.push(await tenants(name, make));

const { cpu, cores, load, node } = about;
console.log(`${cpu}, ${cores} cores, load ${load}, Node ${node}, ${commit()}`);
const text = (milliseconds: number) => milliseconds.toPrecision(2);
for (const one of latencies) {
  const times = `median ${text(one.median)}, 99 % ${text(one.p99)}, most ${text(one.most)} ms`;
  console.log(`${one.name.padEnd(32)} ${times}; event loop 99 % ${text(one.loopDelay)} ms late`);
}
for (const { name, times, ratio, cpu: used, resident } of cases) {
  const parts = Object.entries(times).map(
    ([way, time]) => `${way} ${format(time)} µs (CPU ${Math.round(used[way]!.median)})`,
  );
  console.log(`${name.padEnd(20)} ${parts.join('; ')}; ratio ${format(ratio)}; resident ${resident.join(', ')} MB`);
}
if (!options['no-save']) {
  const date = new Date().toISOString().slice(0, 10);
  const place = new URL('./results/', import.meta.url);
  const file = new URL(`${date}-${slug(about)}-tenants.json`, place);
  mkdirSync(place, { recursive: true });
  const versions = { downhill: libraryVersion(), node };
  const rounded = (_: string, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
  const body = { date, commit: commit(), machine: about, rounds, models, versions, latencies, cases };
  writeFileSync(file, `${JSON.stringify(body, rounded, 1)}\n`);
  console.log(`Written: bench/results/${file.pathname.split('/').at(-1)}`);
}
