// One table: the addon's rows, the exports of `ops`, and the cases of the conformance tests.
import { readFileSync } from 'node:fs';
import { ops } from 'downhill';
import { expect, it } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { loadAddon } from '../../lib/binding/load.js';
import { cases } from './cases.js';

const rows = binding.ops();
/** Leaves are made by tracing; gradients of activations by autodiff; dropout and noise by their layers; what picks by the largest, by autodiff. */
const isInternal = (name: string) =>
  ['input', 'constant', 'variable', 'maxPool2dPick'].includes(name) ||
  /^(dropout|sparseDropout|gaussianDropout|gaussianNoise)$/.test(name) ||
  name.endsWith('Grad');
const published = rows.map(({ name }) => name).filter((name) => !isInternal(name));

it('every row of the op table is a function of ops, and nothing else is', () => {
  const functions = Object.entries(ops).filter(([, value]) => typeof value === 'function');
  expect(functions.map(([name]) => name).sort()).toEqual([...published].sort());
});

it('every row of the op table has a conformance case', () => {
  expect([...new Set(cases.map(({ op }) => op))].sort()).toEqual([...published].sort());
});

it('the addon exports exactly what native.ts declares', () => {
  const source = readFileSync(new URL('../../lib/binding/native.ts', import.meta.url), 'utf8');
  const body = source.slice(source.indexOf('export interface NativeBinding'));
  const declared = [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name);
  expect(declared.length).toBeGreaterThan(30);
  const exported = Object.entries(loadAddon()).filter(([, value]) => typeof value === 'function');
  expect(exported.map(([name]) => name).sort()).toEqual(declared.sort());
});
