// docs/lecture.md against what there is: every item, and no link, script or name that does not exist.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as downhill from 'downhill';
import { expect, test } from 'vitest';

const path = fileURLToPath(new URL('../../docs/lecture.md', import.meta.url));
const text = readFileSync(path, 'utf8');
const rows = text
  .split('\n')
  .filter((line) => /^\| S\d+ \|/.test(line))
  .map((line) =>
    line
      .replaceAll('\\|', '/')
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test('has a row for each of the 67 items, in order', () => {
  expect(rows.map(([item]) => item)).toEqual(Array.from({ length: 67 }, (_, i) => `S${i + 1}`));
  for (const row of rows) expect(row, row[0]).toHaveLength(5);
});

test('links to files that exist', () => {
  const links = [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => link);
  expect(links.length).toBeGreaterThan(60);
  for (const link of links) expect(existsSync(join(dirname(path), link)), link).toBe(true);
});

test('names scripts that exist', () => {
  for (const [item, , , , scripts] of rows)
    for (const [, script] of scripts.matchAll(/`([\w-]+)`/g))
      expect(existsSync(join(dirname(path), `../examples/lecture/${script}.ts`)), `${item}: ${script}`).toBe(true);
});

test('names what the package exports', () => {
  const all = downhill as unknown as Record<string, Record<string, unknown>>;
  const spaces = Object.keys(all).filter((name) => Object.prototype.toString.call(all[name]) === '[object Module]');
  for (const [item, , api] of rows)
    for (const [, space, names] of api.matchAll(/`(\w+)\.([\w ]+)/g)) {
      if (!spaces.includes(space)) continue;
      for (const name of names.trim().split(' ')) expect(all[space], `${item}: ${space}.${name}`).toHaveProperty(name);
    }
});
