// What a run prints and keeps.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { commit, type Machine, slug } from './machine.js';
import type { Row } from './measure.js';
import { format } from './stats.js';

/** A table for each kind of case, whose contenders differ. */
export function print(rows: readonly Row[]): void {
  for (const kind of new Set(rows.map((row) => row.kind))) printTable(rows.filter((row) => row.kind === kind));
  for (const { name, ways = {} } of rows)
    for (const [who, way] of Object.entries(ways)) console.log(`${name}: ${who} is ${way}`);
}

function printTable(rows: readonly Row[]): void {
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

export interface Result {
  machine: Machine;
  threads: number;
  rounds: number;
  quick: boolean;
  versions: Record<string, string>;
  cases: readonly Row[];
}

/**
 * Writes bench/results/<date>-<machine>.json. With `add`, the cases of today's earlier run stay, but for those measured
 * again: a long run can be made in parts. Its machine, threads and rounds must be the same.
 */
export function save(result: Result, add = false): void {
  const date = new Date().toISOString().slice(0, 10);
  const folder = new URL('./results/', import.meta.url);
  const file = new URL(`${date}-${slug(result.machine)}${result.quick ? '-quick' : ''}.json`, folder);
  const whole = add && existsSync(file) ? joined(JSON.parse(readFileSync(file, 'utf8')), result) : result;
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ date, commit: commit(), ...whole }, rounded, 1)}\n`);
  console.log(`Written: bench/results/${file.pathname.split('/').at(-1)}`);
}

function joined(earlier: Result & { commit: string }, later: Result): Result {
  const way = (one: Result) => JSON.stringify([slug(one.machine), one.threads, one.rounds]);
  if (earlier.commit !== commit() || way(earlier) !== way(later))
    throw new Error(
      "--add: today's file is of another commit, machine, number of threads or of rounds; run without --add",
    );
  const again = new Set(later.cases.map(({ name }) => name));
  const kept = earlier.cases.filter(({ name }) => !again.has(name));
  return { ...later, versions: { ...earlier.versions, ...later.versions }, cases: [...kept, ...later.cases] };
}
