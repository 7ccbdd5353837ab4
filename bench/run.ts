// npm run bench: each case in fresh processes, ours and the peers' by turns. See README.md.
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Case, cases, type Outcome, shorten } from './cases/index.js';
import { type Contender, findPeer, ours, peerNames } from './contenders.js';
import { untilIdle, watchOthers } from './idle.js';
import { commit, machine, slug } from './machine.js';
import { format, median, type Spread, spread } from './stats.js';

const { values: options } = parseArgs({
  options: {
    case: { type: 'string', multiple: true },
    peer: { type: 'string', multiple: true, default: ['torch'] },
    python: { type: 'string', default: process.env.PYTHON ?? 'python3' },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    threads: { type: 'string', default: '2' },
    wait: { type: 'boolean', default: false },
    'no-save': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

interface Row {
  name: string;
  title: string;
  unit: string;
  /** Of the rounds' medians, by contender. */
  times: Record<string, Spread>;
  /** Their time ÷ ours, round by round. */
  ratios: Record<string, Spread>;
  gflops?: Record<string, number>;
  /** GB/s, of the bytes that an update must move. */
  gigabytes?: Record<string, number>;
  /** The largest share of the machine's time that other processes took during a run. */
  others: number;
}

/** Under --wait: minutes to wait for an idle machine, the share of others that spoils a run, and how often to try again. */
const patience = { minutes: 10, share: 0.12, tries: 8 };

function count(name: 'rounds' | 'threads', text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name}: expected an integer of at least 1, received "${text}"`);
  return value;
}

function chosen(): Case[] {
  for (const name of options.case ?? []) {
    if (cases.some((one) => one.name === name)) continue;
    throw new Error(`--case: there is no "${name}"; there are ${cases.map((one) => one.name).join(', ')}`);
  }
  const some = cases.filter(({ name }) => options.case?.includes(name) ?? true);
  return options.quick ? some.map(shorten) : some;
}

/** One run in a fresh process, and the share of others in it. */
async function runOnce(
  contender: Contender,
  one: Case,
  threads: number,
): Promise<{ outcome: Outcome; others: number } | null> {
  for (let attempt = 1; ; attempt++) {
    if (options.wait && !(await untilIdle(patience.minutes))) {
      console.log(`The machine was never idle in ${patience.minutes} minutes; going on.`);
    }
    const others = watchOthers();
    const outcome = await contender.run(one, threads);
    if (!outcome) return null;
    const share = others(outcome.cpuSeconds);
    if (!options.wait || share <= patience.share || attempt === patience.tries) return { outcome, others: share };
    console.log(
      `${one.name}: others took ${(share * 100).toFixed(0)} % of the machine beside ${contender.name}; again`,
    );
  }
}

async function measure(
  one: Case,
  all: Contender[],
  rounds: number,
  threads: number,
  versions: Record<string, string>,
): Promise<Row> {
  let busiest = 0;
  let contenders = all.filter(({ takes }) => takes?.(one) ?? true);
  const medians: Record<string, number[]> = Object.fromEntries(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // Every other round in reverse, so that nobody always runs on the warmer machine.
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const ran = await runOnce(contender, one, threads);
      if (!ran) {
        contenders = contenders.filter((other) => other !== contender);
        continue;
      }
      const { outcome, others } = ran;
      busiest = Math.max(busiest, others);
      Object.assign(versions, outcome.versions);
      medians[contender.name]!.push(median(outcome.samples));
    }
  }
  const peers = contenders.filter((contender) => contender !== ours);
  const times = Object.fromEntries(contenders.map(({ name }) => [name, spread(medians[name]!)]));
  const ratios = Object.fromEntries(
    peers.map(({ name }) => [name, spread(medians[name]!.map((time, round) => time / medians[ours.name]![round]!))]),
  );
  const row: Row = {
    name: one.name,
    title: one.title,
    unit: one.kind === 'train' ? 'µs per step' : 'µs per call',
    times,
    ratios,
    others: Number(busiest.toFixed(3)),
  };
  if (one.kind === 'update') {
    const bytes = one.arrays * one.tensors * one.elements * 4;
    row.gigabytes = Object.fromEntries(
      Object.entries(times).map(([name, time]) => [name, Number((bytes / time.median / 1000).toFixed(1))]),
    );
  }
  if (one.kind === 'matmul') {
    const flops = 2 * one.m * one.k * one.n;
    row.gflops = Object.fromEntries(
      Object.entries(times).map(([name, time]) => [name, Math.round(flops / time.median / 1000)]),
    );
  }
  return row;
}

function print(rows: Row[]) {
  const table = rows.map(({ name, unit, times, ratios, gflops, gigabytes }) => {
    const columns: Record<string, string> = { unit };
    for (const [who, time] of Object.entries(times)) columns[who] = format(time);
    for (const [who, ratio] of Object.entries(ratios)) columns[`${who} ÷ ours`] = format(ratio);
    if (gflops) columns['GFLOP/s'] = Object.values(gflops).join(' : ');
    if (gigabytes) columns['GB/s'] = Object.values(gigabytes).join(' : ');
    return [name, columns] as const;
  });
  console.table(Object.fromEntries(table));
}

/** Four digits are more than a timing has. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}

async function main() {
  if (options.help) {
    console.log(
      `npm run bench -- [--quick] [--case NAME]... [--peer ${peerNames.join('|')}]... [--python PATH] [--rounds N] [--threads N] [--wait] [--no-save]`,
    );
    console.log(`cases: ${cases.map((one) => one.name).join(', ')}`);
    return;
  }
  const some = chosen();
  const rounds = count('rounds', options.rounds ?? (options.quick ? '2' : '5'));
  const threads = count('threads', options.threads);
  const contenders = [ours];
  for (const name of options.peer) {
    const peer = await findPeer(name, options.python);
    if (typeof peer === 'string') console.log(peer);
    else contenders.push(peer);
  }
  const about = machine();
  if (about.load > 1)
    console.log(`The machine is busy (load ${about.load}): expect noise, and trust ratios of one run only.`);

  const versions: Record<string, string> = {};
  const rows: Row[] = [];
  for (const one of some) {
    const start = performance.now();
    rows.push(await measure(one, contenders, rounds, threads, versions));
    console.log(
      `${one.name}: ${format(rows.at(-1)!.times[ours.name]!)} ${rows.at(-1)!.unit}, ${((performance.now() - start) / 1000).toFixed(0)} s`,
    );
  }
  console.log(
    `\nMedian of ${rounds} rounds (least–greatest), ${threads} threads, ${about.cpu}. A ratio is their time ÷ ours in the same round.`,
  );
  print(rows);

  if (!options['no-save']) {
    const date = new Date().toISOString().slice(0, 10);
    const folder = new URL('./results/', import.meta.url);
    const file = new URL(`${date}-${slug(about)}${options.quick ? '-quick' : ''}.json`, folder);
    mkdirSync(folder, { recursive: true });
    const body = {
      date,
      commit: commit(),
      machine: about,
      threads,
      rounds,
      quick: options.quick,
      versions,
      cases: rows,
    };
    writeFileSync(file, `${JSON.stringify(body, rounded, 1)}\n`);
    console.log(`Written: bench/results/${file.pathname.split('/').at(-1)}`);
  }
}

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
