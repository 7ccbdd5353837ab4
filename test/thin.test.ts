// What a thinned run (test/thin.ts) still runs: something of every kind.
import { optimizers } from 'downhill';
import { expect, it } from 'vitest';
import { type OptimizerSpec, read } from './golden/golden.js';
import { part } from './thin.js';

it('keeps the first row of each kind and some of the others, always the same', () => {
  const rows = Array.from({ length: 30 }, (_, i) => ({ i, kind: i % 2 ? 'odd' : 'even' }));
  const kept = part(rows, ({ kind }) => kind, 7);
  expect(kept.map(({ i }) => i)).toEqual([0, 1, 8, 15, 22, 29]);
  expect(part(rows, ({ kind }) => kind, 7)).toEqual(kept);
});

// Ops need no such test: their table is not thinned (test/conformance/table.test.ts), the draws of each are fewer.
it('every optimizer is still updated on every instruction set and device', () => {
  const oracles = ['keras', 'torch', 'book', 'papers'];
  const files = [...oracles.map((name) => `update-rules-${name}`), 'update-programs-keras', 'update-programs-torch'];
  const kept = files.flatMap((file) => {
    const { cases } = read<{ cases: OptimizerSpec[] }>(file);
    const names = part(cases, ({ optimizer }) => optimizer).map(({ optimizer }) => optimizer);
    expect(new Set(names), file).toEqual(new Set(cases.map(({ optimizer }) => optimizer)));
    return names;
  });
  const factories = Object.entries(optimizers)
    .filter(([name, value]) => typeof value === 'function' && /^[a-z]/.test(name) && name !== 'get')
    .map(([name]) => name);
  expect(factories.length).toBeGreaterThan(10);
  expect([...new Set(kept)].sort()).toEqual(factories.sort());
});
