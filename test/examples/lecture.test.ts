// The scripts of examples/lecture with small settings: each runs without a warning and shows what its topic is about.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { thinned } from '../thin.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'examples/lecture');
const out = mkdtempSync(join(tmpdir(), 'downhill-lecture-'));
afterAll(() => rmSync(out, { recursive: true }));

/** The last number in the row of a table that begins so. */
function lastOf(text: string, row: string): number {
  const line = text.split('\n').find((line) => line.startsWith(`│ ${row} `));
  if (!line) throw new Error(`No row "${row}" in\n${text}`);
  return Number(/([\d.e+-]+)'? *│$/.exec(line)![1]);
}

interface Script {
  /** Small settings. */
  args?: string[];
  pictures?: string[];
  /** Must be in what it prints. */
  prints: RegExp[];
  /** What else must hold of it. */
  holds?: (text: string) => void;
}

const scripts: Record<string, Script> = {
  'adaptive-rates': {
    args: ['--examples', '4000', '--epochs', '10'],
    pictures: ['adaptive-rates'],
    prints: [/SGD, Nesterov/],
    holds: (text) => {
      // The order of the Adam paper, at the best rate of each.
      expect(lastOf(text, 'Adam')).toBeLessThanOrEqual(lastOf(text, 'SGD, Nesterov'));
      expect(lastOf(text, 'Adam')).toBeLessThan(0.75 * lastOf(text, 'AdaGrad'));
    },
  },
  'bag-of-words': {
    args: ['--mails', '400', '--words', '1000', '--epochs', '3'],
    pictures: ['bag-of-words'],
    prints: [/400 mails, 1000 words/, /mails for testing are judged rightly/],
    holds: (text) => {
      for (const adaptive of ['AdaGrad', 'RMSProp', 'Adam'])
        expect(lastOf(text, adaptive), adaptive).toBeLessThan(lastOf(text, 'SGD, Nesterov'));
    },
  },
  biases: {
    args: ['--rows', '500', '--epochs', '1'],
    prints: [/zeros\s+│/],
    holds: (text) => expect(lastOf(text, 'from the targets')).toBeLessThan(lastOf(text, 'zeros')),
  },
  cliff: { pictures: ['cliff'], prints: [/not clipped\s+│ 1[0-9]\.\d+/, /clipNorm 1\s+│ 1 /] },
  'discrete-gradient': {
    args: ['--draws', '500'],
    prints: [/ΣΣ p ∇L differs from the gradient of J\* by at most [\d.]+e-(0[7-9]|[7-9]|\d\d)/],
  },
  'early-stopping': {
    args: ['--examples', '200', '--tests', '200', '--epochs', '40', '--patience', '3'],
    prints: [/Stopped after epoch \d+ of 40/, /at ‖g‖ ≤ 1e-4\? No\./],
  },
  'ill-conditioning': {
    args: ['--examples', '100', '--epochs', '4', '--every', '2'],
    pictures: ['ill-conditioning'],
    prints: [/gᵀHg/, /epoch 4\s+│/],
  },
  'loss-surface': {
    args: ['--examples', '60', '--epochs', '3', '--points', '5'],
    pictures: ['loss-surface-before-training', 'loss-surface-after-training'],
    prints: [/after training\s+│/],
  },
  pca: { args: ['--rows', '200', '--steps', '300'], prints: [/Largest difference of the projections DDᵀ: \S+e-[2-9]/] },
  recipe: { args: ['--epochs', '60'], prints: [/normal equations/, /Largest difference of the weights: \S+e-[2-9]/] },
  shuffling: {
    args: ['--patients', '60'],
    prints: [/rows at random/, /sorted by class/],
    holds: (text) => expect(lastOf(text, 'rows at random')).toBeGreaterThan(lastOf(text, 'whole patients') + 0.2),
  },
  'weight-space': {
    prints: [/8 units in one layer have 40,320 orders/],
    holds: (text) => {
      for (const row of ['units exchanged', 'scaled by 10']) expect(lastOf(text, row), row).toBeLessThan(1e-5);
    },
  },
  'generalization-gap': {
    args: ['--examples', '100', '--tests', '200', '--epochs', '6'],
    pictures: ['generalization-gap'],
    holds: (text) => expect(lastOf(text, 'epoch 6')).toBeGreaterThan(lastOf(text, 'epoch 1')),
    prints: [/epoch 6\s+│/],
  },
  'learning-rate': {
    args: ['--steps', '20'],
    pictures: ['learning-rate', 'learning-rate-decay'],
    prints: [/0\.52, diverges/, /linear decay to 0\.003/, /0\.3 \/ \(1 \+ 0\.05 k\)\s+│ true\s+│ true/],
  },
  'minibatch-sizes': {
    args: ['--examples', '200', '--tests', '200', '--epochs', '1'],
    prints: [/one example\s+│/, /all 200\s+│/],
  },
  multilayer: {
    args: ['--units', '16', '--examples', '200', '--epochs', '2'],
    pictures: ['multilayer', 'multilayer-dropout'],
    prints: [/with dropout 0\.5/, /without dropout/, /Adam\s+│/],
  },
  ravine: {
    args: ['--steps', '30'],
    pictures: ['ravine', 'momentum', 'adaptive'],
    holds: (text) => expect(lastOf(text, 'momentum')).toBeLessThan(0.1 * lastOf(text, 'gradient descent')),
    prints: [/Nesterov momentum\s+│/, /coordinate descent\s+│ 4/, /AdaGrad\s+│/],
  },
  redundancy: {
    args: ['--copies', '50'],
    prints: [/Largest difference of the gradients: (\S+e-([5-9]|\d\d)|0\.0e\+0)/],
  },
  saddle: {
    args: ['--steps', '60'],
    pictures: ['saddle'],
    prints: [/Gradient at \(0, 0\): 0,0/, /\[\[1,0\],\[0,-1\]\]/],
  },
  'standard-error': {
    args: ['--repeats', '50', '--examples', '300'],
    pictures: ['standard-error'],
    prints: [/σ\/√n/],
    holds: (text) => {
      for (const n of [1, 16, 256, 1024]) expect(Math.abs(lastOf(text, `${n}`) - 1), `${n}`).toBeLessThan(0.35);
    },
  },
  'starting-points': {
    args: ['--starts', '4', '--steps', '30'],
    pictures: ['starting-points'],
    prints: [/4 starting points end in [1-4] different values/],
  },
  surrogate: {
    args: ['--examples', '60', '--tests', '100', '--epochs', '60'],
    pictures: ['surrogate'],
    holds: (text) => {
      const [, then, least] = /then was ([\d.]+), and fell to ([\d.]+\d)/.exec(text)!;
      expect(Number(least)).toBeLessThan(Number(then));
    },
    prints: [/The training 0-1 loss is zero from epoch \d+ on/],
  },
  symmetry: {
    args: ['--steps', '5'],
    pictures: ['initial-scales'],
    prints: [/zeros\s+│ 'all equal'/, /glorotUniform\s+│ 'different'/],
  },
};

test('every script is in the table', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  expect(files.map((name) => name.replace('.ts', '')).sort()).toEqual(Object.keys(scripts).sort());
});

describe('examples/lecture', () => {
  for (const [name, { args = [], pictures = [], prints, holds }] of thinned(Object.entries(scripts), () => 0, 6)) {
    test(name, async () => {
      const path = join('examples/lecture', `${name}.ts`);
      const command = ['--import', 'tsx', path, ...(pictures.length > 0 ? ['--out', out] : []), ...args];
      const { stdout, stderr } = await promisify(execFile)(process.execPath, command, { cwd: root });
      expect(stderr).toBe('');
      for (const pattern of prints) expect(stdout).toMatch(pattern);
      expect(stdout).not.toContain('NaN');
      holds?.(stdout);
      for (const picture of pictures) {
        expect(existsSync(join(out, `${picture}.svg`)), picture).toBe(true);
        const svg = readFileSync(join(out, `${picture}.svg`), 'utf8');
        expect(svg).toMatch(/^<svg [\s\S]*<path [\s\S]*<\/svg>\n$/);
        expect(svg).not.toContain('NaN');
      }
    });
  }
});
