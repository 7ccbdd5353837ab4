// What saving and loading take of memory beside the model's own: nothing, or one copy.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { layers, loadModel, type Model, seed, sequential } from 'downhill';
import { expect, test } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { temporaryFolder } from './files.js';

const folder = temporaryFolder();
const path = join(folder, 'model');
/** Of the weights; a model with Adam's slots has three times as many. */
const bytes = 4 * (1000 * 3000 + 3000 + 3000 * 2000 + 2000 + 2000 * 500 + 500);

function build(): Model {
  seed(1);
  const net = sequential([
    layers.dense({ units: 3000, inputShape: [1000] }),
    layers.dense({ units: 2000 }),
    layers.dense({ units: 500 }),
  ]);
  net.compile({ optimizer: 'adam', loss: 'mse' });
  return net;
}

const [x, y] = [new Float32Array(2 * 1000).fill(0.5), new Float32Array(2 * 500)];

async function trained(): Promise<Model> {
  const net = build();
  await net.fit(x, y, { batchSize: 1, epochs: 1 });
  return net;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Waits until what earlier tests have left is gone. */
async function tidy(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Bytes of native memory, and buffers, that `work` took at its peak beyond what there was. */
async function taken(work: () => Promise<unknown>): Promise<{ peak: number; buffers: number }> {
  await tidy();
  const before = binding.memory();
  let peak = 0;
  let over = false;
  const done = work().finally(() => {
    over = true;
  });
  while (!over) {
    peak = Math.max(peak, binding.memory().bytes - before.bytes);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await done;
  return { peak, buffers: binding.memory().allocations - before.allocations };
}

test('saving a model that nothing trains takes no memory', async () => {
  const net = await trained();
  expect(await taken(() => net.save(path))).toEqual({ peak: 0, buffers: 0 });
  expect(statSync(path).size).toBeGreaterThan(3 * bytes);
  expect(await taken(() => net.saveWeights(`${path}-weights`))).toEqual({ peak: 0, buffers: 0 });
  net.dispose();
});

test('saving while it trains takes one copy, and no longer than the save', async () => {
  const net = await trained();
  const fitting = net.fit(x, y, { batchSize: 1, epochs: 1e6 });
  while (net.compiled!.optimizer.iterations < 10) await new Promise((resolve) => setTimeout(resolve, 1));
  const before = binding.memory().bytes;
  const { peak } = await taken(() => net.save(join(folder, 'running')));
  expect(peak).toBeGreaterThan(2.9 * bytes);
  expect(peak).toBeLessThan(3.1 * bytes);
  expect(binding.memory().bytes - before).toBeLessThan(0.1 * bytes);
  net.stopTraining = true;
  await fitting;
  net.dispose();
});

test('loading takes the model, resuming no more than the file', async () => {
  let twin: Model | undefined;
  const loaded = await taken(async () => {
    twin = await loadModel(path);
  });
  expect(loaded.peak).toBeGreaterThan(2.9 * bytes);
  expect(loaded.peak).toBeLessThan(3.1 * bytes);
  twin!.dispose();
  const weights = build();
  await weights.predict(new Float32Array(1000));
  expect((await taken(() => weights.loadWeights(`${path}-weights`))).peak).toBeLessThan(1.1 * bytes);
  weights.dispose();
  const second = build();
  await second.predict(new Float32Array(1000));
  // Gradients come after what was staged for the weights has gone.
  const resumed = await taken(() => second.fit(x, y, { batchSize: 1, epochs: 1, resume: path }));
  expect(resumed.peak).toBeLessThan(3.2 * bytes);
  second.dispose();
});

test('what is changed while it is written is written anew, from one moment', async () => {
  const [net, twin] = [build(), build()];
  const values = (value: number) =>
    net.parameters.map(({ shape }) => new Float32Array(shape.reduce((a, b) => a * b)).fill(value));
  let value = 0;
  net.setWeights(values(value));
  let copied = 0;
  for (const delay of [0, 1, 3, 9, 20]) {
    const target = join(folder, `changed-${delay}`);
    const next = values(value + 1);
    const { allocations } = binding.memory();
    const saving = net.saveWeights(target);
    await new Promise((resolve) => setTimeout(resolve, delay));
    net.setWeights(next);
    const staged = next.length;
    await saving;
    const anew = binding.memory().allocations - allocations > staged;
    copied += anew ? 1 : 0;
    await twin.loadWeights(target);
    for (const weight of twin.getWeights())
      expect((weight.dataSync() as Float32Array).every((item) => item === value + (anew ? 1 : 0))).toBe(true);
    value++;
  }
  expect(copied).toBeGreaterThan(0);
  expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});
