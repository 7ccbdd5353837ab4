import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callbacks, loadModel, type Model } from 'downhill';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { classifier, fails, quadrants, throwsAtOnce } from '../support.js';

const { x, oneHot } = quadrants(40); // five batches of 8
const root = mkdtempSync(join(tmpdir(), 'checkpoints-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folder = root;
beforeEach(() => {
  folder = mkdtempSync(join(root, 'run-'));
});
const names = () => readdirSync(folder).sort();
const bits = (net: Model) => net.getWeights().map((weight) => [...weight.dataSync()]);

async function run(options: Parameters<typeof callbacks.modelCheckpoint>[0], epochs = 3) {
  const checkpoint = callbacks.modelCheckpoint(options);
  const net = classifier();
  const atEpochs: number[][][] = [];
  const feed = callbacks.lambda({
    onEpochEnd: (epoch: number, logs: Record<string, number>) => {
      logs.watched = [3, 1, 2, 0.5][epoch];
      atEpochs.push(bits(net));
    },
  });
  await net.fit(x, oneHot, { batchSize: 8, epochs, verbose: 0, callbacks: [feed, checkpoint] });
  return { net, checkpoint, atEpochs };
}

describe('modelCheckpoint', () => {
  test('a file at every epoch, named by pattern, of that moment', async () => {
    const { atEpochs } = await run({ path: join(folder, '{epoch:03d}-{step}-{watched:.2f}.safetensors') });
    expect(names()).toEqual(['001-5-3.00.safetensors', '002-10-1.00.safetensors', '003-15-2.00.safetensors']);
    for (const [i, name] of names().entries()) expect(bits(await loadModel(join(folder, name)))).toEqual(atEpochs[i]);
  });

  test('the best only', async () => {
    const path = join(folder, 'best.safetensors');
    const { atEpochs } = await run({ path, monitor: 'watched', saveBestOnly: true });
    expect(bits(await loadModel(path))).toEqual(atEpochs[1]);
    const { checkpoint } = await run({
      path: join(folder, '{epoch}'),
      monitor: 'watched',
      saveBestOnly: true,
      mode: 'max',
    });
    expect(checkpoint.files).toEqual([join(folder, '1')]);
  });

  test('the last few', async () => {
    const { checkpoint } = await run({ path: join(folder, '{epoch}.safetensors'), keep: 2 }, 4);
    expect(names()).toEqual(['3.safetensors', '4.safetensors']);
    expect(checkpoint.files).toEqual(names().map((name) => join(folder, name)));
  });

  test('every so many steps, or minutes', async () => {
    await run({ path: join(folder, '{step}'), everySteps: 4 });
    expect(names()).toEqual(['12', '4', '8']);
    await run({ path: join(folder, 'm{step}'), everyMinutes: 1e-9 }, 1);
    expect(names().filter((name) => name.startsWith('m')).length).toBeGreaterThan(2);
  });

  test('weights alone', async () => {
    const path = join(folder, 'weights');
    const { net } = await run({ path, saveWeightsOnly: true });
    const twin = classifier();
    await twin.loadWeights(path);
    expect(bits(twin)).toEqual(bits(net));
    await fails('FOREIGN_FILE', /loadWeights/, () => loadModel(path));
  });

  test('errors reach the fit', async () => {
    await fails('FILE_ERROR', /none/, () => run({ path: join(folder, 'none', 'a') }));
    await fails('UNKNOWN_NAME', /\{nothing\}/, () => run({ path: join(folder, '{nothing}') }));
    await fails('UNKNOWN_NAME', /val_loss/, () => run({ path: join(folder, 'a'), saveBestOnly: true }));
    throwsAtOnce('INVALID_ARGUMENT', /path/, () => callbacks.modelCheckpoint({} as never));
    throwsAtOnce('INVALID_ARGUMENT', /saveBestOnly/, () =>
      callbacks.modelCheckpoint({ path: 'a', saveBestOnly: true, everySteps: 2 }),
    );
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});
