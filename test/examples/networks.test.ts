// The examples of real networks with small settings, each in a process of its own, and what they share.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { data, initializers, ops } from 'downhill';
import { expect, test } from 'vitest';
import { tokens } from '../../examples/support/tokens.js';
import { inverseSquareRoot, moments, whiten } from '../../examples/support/whitening.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

async function run(name: string, settings: Record<string, number | string>): Promise<string> {
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]);
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', `examples/${name}.ts`, ...args],
    { cwd: root },
  );
  expect(stderr).toBe('');
  return stdout;
}

/** Rows of all tables of console.table: names, and cells by column. */
function tables(text: string): Record<string, Record<string, number>>[] {
  const found: Record<string, Record<string, number>>[] = [];
  let columns: string[] = [];
  for (const line of text.split('\n')) {
    if (!line.startsWith('│')) continue;
    const cells = line
      .slice(1, -1)
      .split('│')
      .map((cell) => cell.trim());
    if (cells[0] === '(index)') {
      columns = cells;
      found.push({});
    } else if (found.length > 0)
      found.at(-1)![cells[0]] = Object.fromEntries(cells.slice(1).map((cell, i) => [columns[i + 1], Number(cell)]));
  }
  return found;
}

test('A^(−1/2) times itself times A is the identity', () => {
  const n = 24;
  const half = initializers.randomNormal({ stddev: 1, seed: 3 }).sample([40, n]);
  const one = initializers.identity().sample([n, n]);
  const a = ops.add(ops.div(ops.matmul(half, half, { transposeA: true }), 40), ops.mul(one, 0.01));
  const root = inverseSquareRoot(a, 0.01);
  const product = ops.matmul(ops.matmul(root, a), root);
  expect(ops.max(ops.abs(ops.sub(product, one))).dataSync()[0]).toBeLessThan(1e-3);
});

test('whitened rows have mean 0 and variance λ / (λ + ε) along each direction', () => {
  // Two directions, of variances 4 and 1, turned by 45°; ε is a tenth of their mean.
  const z = initializers.randomNormal({ stddev: 1, seed: 5 }).sample([6000, 2]).dataSync();
  const x = new Float32Array(z.length);
  for (let i = 0; i < z.length; i += 2) {
    x[i] = 3 + 2 * z[i] + z[i + 1];
    x[i + 1] = 2 * z[i] - z[i + 1];
  }
  const other = x.slice(0, 2);
  const { covariance } = moments(x, 2);
  const [[a, b], [, c]] = covariance.arraySync() as number[][];
  const epsilon = 0.1 * ((a + c) / 2);
  whiten(x, [other], 2);
  expect(other).toEqual(x.slice(0, 2));
  const after = moments(x, 2);
  const [[p, q], [, r]] = after.covariance.arraySync() as number[][];
  for (const mean of after.mean.dataSync()) expect(mean).toBeCloseTo(0, 4);
  // C·(C + εI)⁻¹ in two dimensions.
  const determinant = (a + epsilon) * (c + epsilon) - b * b;
  expect(p).toBeCloseTo((a * (c + epsilon) - b * b) / determinant, 3);
  expect(q).toBeCloseTo((b * (a + epsilon) - a * b) / determinant, 3);
  expect(r).toBeCloseTo((c * (a + epsilon) - b * b) / determinant, 3);
});

test('texts as numbers of words: padded and cut behind, unknown words are 1', () => {
  const words = data.bagOfWords(['one two two three three three'], { vocabulary: 2 });
  expect(words.vocabulary).toEqual(['three', 'two']);
  const rows = tokens(words, ['two one', 'three three two two one', ''], 4);
  expect([...rows]).toEqual([3, 1, 0, 0, 2, 2, 3, 3, 0, 0, 0, 0]);
});

test('the Adam paper’s convolutional network, with dropout and without', async () => {
  const text = await run('adam-cnn', { examples: 256, tests: 100, epochs: 3, filters: 8, units: 32 });
  expect(text).toMatch(/max_pooling2d_2 \(MaxPooling2D\) +│ \(None, 4, 4, 16\)/);
  const [without, dropout] = tables(text).slice(-2);
  for (const table of [without, dropout]) {
    expect(Object.keys(table)).toEqual(['Adam', 'AdaGrad', 'SGD, Nesterov']);
    for (const [name, row] of Object.entries(table)) expect(row['epoch 3'], name).toBeLessThan(row['epoch 1']);
  }
  expect(without.Adam['epoch 3']).toBeLessThan(dropout.Adam['epoch 3']);
});

test('the same network on files of CIFAR-10', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'downhill-cifar-'));
  try {
    // Colours that tell the label.
    const file = Buffer.alloc(8 * 3073, 40);
    for (let i = 0; i < 8; i++) {
      file[i * 3073] = i % 2;
      file.fill(200, i * 3073 + 1 + 1024 * (i % 2), i * 3073 + 1 + 1024 * (i % 2) + 1000 - i);
    }
    for (const name of [1, 2, 3, 4, 5].map((i) => `data_batch_${i}`).concat('test_batch'))
      writeFileSync(join(folder, `${name}.bin`), file);
    const small = { examples: 40, tests: 8, epochs: 1, filters: 2, units: 4, whitening: 0 };
    const text = await run('adam-cnn', { directory: folder, ...small });
    expect(text).toMatch(/conv2d \(Conv2D\) +│ \(None, 32, 32, 2\)/);
    expect(text).toContain('40 pictures; then of 8 others');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('LSTMs that read mail, stopped on the 0-1 loss', async () => {
  const text = await run('mail-lstm', { invented: 1200, words: 2000, length: 60, units: 8, epochs: 6 });
  const [table] = tables(text).slice(-1);
  expect(Object.keys(table)).toEqual(['Adam', 'RMSProp', 'AdaGrad', 'SGD, Nesterov']);
  for (const [name, row] of Object.entries(table)) {
    expect(row['best epoch'], name).toBeLessThanOrEqual(row.epochs);
  }
  expect(table.Adam!['held back, 0-1']).toBeLessThan(0.25); // the share of spam is 0.4
});

test('a transformer of characters learns a text by heart, and writes it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'downhill-text-'));
  try {
    const path = join(folder, 'text.txt');
    const line = 'the quick brown fox jumps over the lazy dog. ';
    writeFileSync(path, line.repeat(120));
    const small = { length: 16, width: 16, heads: 2, layers: 1, epochs: 8, sample: 60 };
    const text = await run('characters', { text: path, ...small });
    expect(text).toMatch(/^Epoch 8\/8 .* val_loss: \S+ - val_accuracy: \S+$/m);
    const [table] = tables(text).slice(-1);
    expect(Object.keys(table)).toEqual(['AdamW', 'Adam', 'Muon', 'RMSProp', 'SGD, momentum']);
    expect(Math.min(...Object.values(table).map((row) => row['held back']))).toBeLessThan(1);
    expect(
      text
        .split(' writes:\n')[1]
        .split(' ')
        .filter((word) => line.includes(word)).length,
    ).toBeGreaterThan(6);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
