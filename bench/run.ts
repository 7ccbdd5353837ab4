// npm run bench: each case on our side and the peers' by turns. See README.md.
import { parseArgs } from 'node:util';
import { type Case, cases, choose, shorten } from './cases/index.js';
import { choosePeers, findPeer, ours, ownFloat32, peerNames, profiler } from './contenders.js';
import { machine } from './machine.js';
import { Measurement, type Row } from './measure.js';
import { print, save } from './report.js';
import { format } from './stats.js';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    case: { type: 'string', multiple: true, default: [] },
    peer: { type: 'string', multiple: true, default: ['torch'] },
    python: { type: 'string', default: process.env.PYTHON ?? 'python3' },
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    threads: { type: 'string', default: '2' },
    wait: { type: 'boolean', default: false },
    'no-save': { type: 'boolean', default: false },
    add: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const help = `npm run bench -- [--quick] [--case NAMES]... [--peer NAMES]... [--python PATH] [--rounds N] [--threads N] [--wait] [--no-save | --add]
npm run bench -- --profile [--case NAMES]... [--threads N]
npm run bench -- --list
NAMES are separated by commas; of cases also patterns (matmul-*) and beginnings (update).
peers: ${peerNames.join(', ')}; keras (both), all, none
cases: ${cases.map((one) => one.name).join(', ')}`;

function count(name: 'rounds' | 'threads', text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name}: expected an integer of at least 1, received "${text}"`);
  return value;
}

async function profile(some: readonly Case[], threads: number): Promise<void> {
  const { ask, close } = profiler(threads);
  for (const one of some) console.log(`${one.name}: ${one.title}\n${(await ask(one)).text}`);
  await close();
}

async function main(): Promise<void> {
  const some = choose([...options.case, ...positionals]);
  const threads = count('threads', options.threads);
  if (options.help) return console.log(help);
  if (options.list) return console.table(Object.fromEntries(some.map(({ name, title }) => [name, { title }])));
  if (options.profile)
    return profile(
      some.filter(({ kind }) => kind !== 'update'),
      threads,
    );

  const rounds = count('rounds', options.rounds ?? (options.quick ? '2' : '5'));
  const contenders = [ours];
  if (some.some((one) => ownFloat32.takes(one))) contenders.push(ownFloat32);
  for (const name of choosePeers(options.peer)) {
    const peer = await findPeer(name, options.python);
    if (typeof peer === 'string') console.log(peer);
    else contenders.push(peer);
  }
  const about = machine();
  if (about.load > 1)
    console.log(`The machine is busy (load ${about.load}): expect noise, and trust ratios of one run only.`);

  const measurement = new Measurement(contenders, { rounds, threads, wait: options.wait, keep: options.quick });
  const rows: Row[] = [];
  try {
    for (const one of options.quick ? some.map(shorten) : some) {
      const start = performance.now();
      const row = await measurement.row(one);
      if (!row) continue;
      rows.push(row);
      const seconds = ((performance.now() - start) / 1000).toFixed(0);
      console.log(`${one.name}: ${format(row.times[ours.name]!)} ${row.unit}, ${seconds} s`);
    }
  } finally {
    await measurement.end();
  }
  console.log(
    `\nMedian of ${rounds} rounds (least–greatest), ${threads} threads, ${about.cpu}. A ratio is their time ÷ ours in the same round.`,
  );
  print(rows);
  const { versions } = measurement;
  if (!options['no-save'])
    save({ machine: about, threads, rounds, quick: options.quick, versions, cases: rows }, options.add);
}

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
