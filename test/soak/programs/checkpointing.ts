// A training that saves every few steps and goes on from its newest checkpoint. Prints "go" when it trains, and a digest when it has ended.
//   checkpointing.ts FOLDER THREADS
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { callbacks, layers, loadModel, optimizers, schedules, seed, sequential, setThreads } from 'downhill';
import { examples } from './network.js';

const [folder, threads] = process.argv.slice(2) as [string, string];
setThreads(Number(threads));
// Another seed in every process: what is random must come from the file once there is one.
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.safetensors'))
  .sort();
seed(files.length === 0 ? 1 : process.pid);

const falling = (step: number) => 3e-3 / (1 + 0.01 * step);
const net = sequential([
  layers.dense({ units: 300, activation: 'relu', inputShape: [16] }),
  layers.dropout({ rate: 0.2 }),
  layers.dense({ units: 100, activation: 'tanh' }),
  layers.dense({ units: 4, activation: 'softmax' }),
]);
net.compile({
  optimizer: optimizers.adam({
    learningRate: schedules.warmup({ steps: 50, then: falling }),
    weightDecay: 1e-3,
    useEma: true,
    emaOverwriteFrequency: 70,
    gradientAccumulationSteps: 3,
  }),
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
});

// None may be unreadable, however the last process ended.
for (const file of files) (await loadModel(join(folder, file), { customObjects: { falling } })).dispose();
const resume = files.length === 0 ? undefined : join(folder, files.at(-1)!);

const { x, y } = examples(1030);
const { history, epoch } = await net.fit(x, y, {
  batchSize: 32,
  epochs: 120,
  validationSplit: 0.1,
  resume,
  callbacks: [
    { onTrainBegin: () => console.log('go') },
    callbacks.earlyStopping({ monitor: 'loss', patience: 200, restoreBestWeights: true }),
    callbacks.modelCheckpoint({ path: join(folder, 'at-{step:06d}.safetensors'), everySteps: 13, keep: 3 }),
  ],
});
const hash = createHash('sha256').update(JSON.stringify({ history, epoch }));
for (const weight of net.getWeights()) hash.update(weight.dataSync());
console.log(hash.digest('hex'));
