// What a run prints and keeps.
import { mkdirSync, writeFileSync } from 'node:fs';
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

/** Writes bench/results/<date>-<machine>.json. */
export function save(result: Result): void {
  const date = new Date().toISOString().slice(0, 10);
  const folder = new URL('./results/', import.meta.url);
  const file = new URL(`${date}-${slug(result.machine)}${result.quick ? '-quick' : ''}.json`, folder);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ date, commit: commit(), ...result }, rounded, 1)}\n`);
  console.log(`Written: bench/results/${file.pathname.split('/').at(-1)}`);
}
