import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  callbacks,
  DownhillError,
  layers,
  type Model,
  optimizers,
  regularizers,
  seed,
  sequential,
  setThreads,
} from 'downhill';
import { afterAll, afterEach, describe, expect, test } from 'vitest';

const root = mkdtempSync(join(tmpdir(), 'resume-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const threads = 2;
afterEach(() => setThreads(threads));

const rows = 103; // a partial batch at the end
const x = Float32Array.from({ length: rows * 6 }, (_, i) => Math.sin(i * 1.3));
const y = Int32Array.from({ length: rows }, (_, i) => (i * 7) % 3);
const epochs = 4;

function build(): Model {
  const net = sequential([
    layers.dense({ units: 8, activation: 'tanh', inputShape: [6], kernelRegularizer: regularizers.l2({ l2: 0.01 }) }),
    layers.dropout({ rate: 0.3 }),
    layers.gaussianDropout({ rate: 0.2 }),
    layers.gaussianNoise({ stddev: 0.1 }),
    layers.dense({ units: 3, activation: 'softmax' }),
  ]);
  const optimizer = optimizers.adam({ learningRate: 0.02, weightDecay: 0.01, globalClipNorm: 0.8 });
  net.compile({ optimizer, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  return net;
}
const options = () => ({ batchSize: 8, epochs, validationSplit: 0.1, verbose: 0 as const });
const bits = (net: Model) => net.getWeights().map((weight) => [...weight.dataSync()]);
const stopping = () => callbacks.earlyStopping({ monitor: 'loss', patience: 50, restoreBestWeights: true });

/** The fit that is never stopped. */
async function whole() {
  seed(11);
  const net = build();
  const { history } = await net.fit(x, y, { ...options(), callbacks: [stopping()] });
  return { history, weights: bits(net) };
}

describe('fit with resume', () => {
  test.each([1, 2, 4])('ends with the same bits as a fit that never stopped, on %d threads', async (count) => {
    const reference = await whole();
    for (const everySteps of [1, 7, 12, 20]) {
      const folder = mkdtempSync(join(root, 'run-'));
      seed(11);
      const net = build();
      const path = join(folder, '{step:03d}.safetensors');
      // Stopped somewhere; its last checkpoint is what is left of it.
      const cut = new AbortController();
      let batches = 0;
      const stop = callbacks.lambda({ onTrainBatchEnd: () => void (++batches === 31 && cut.abort()) });
      await net
        .fit(x, y, {
          ...options(),
          signal: cut.signal,
          callbacks: [stopping(), callbacks.modelCheckpoint({ path, everySteps }), stop],
        })
        .catch(() => {});
      const last = readdirSync(folder)
        .filter((name) => name.endsWith('.safetensors'))
        .sort()
        .at(-1)!;
      seed(999); // the file knows its own seed
      setThreads(count);
      const again = build();
      const { history } = await again.fit(x, y, {
        ...options(),
        resume: join(folder, last),
        callbacks: [stopping()], // and no more checkpoints
      });
      expect(history).toEqual(reference.history);
      expect(bits(again)).toEqual(reference.weights);
    }
  });

  test('another model, other data or a finished fit are errors or nothing to do', async () => {
    const path = join(root, 'other.safetensors');
    seed(1);
    const net = build();
    await net.fit(x, y, { ...options(), epochs: 2, callbacks: [callbacks.modelCheckpoint({ path, everySteps: 9 })] });
    const other = sequential([layers.dense({ units: 3, activation: 'softmax', inputShape: [6] })]);
    other.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
    await expect(other.fit(x, y, { ...options(), resume: path })).rejects.toBeInstanceOf(DownhillError);
    const before = bits(build());
    const again = build();
    await expect(
      again.fit(x.subarray(0, 60), y.subarray(0, 10), { ...options(), resume: path }),
    ).rejects.toBeInstanceOf(DownhillError);
    expect(before.length).toBe(bits(again).length);
  });
});
