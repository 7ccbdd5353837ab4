// Minibatch sizes: small ones make more updates of noisier gradients per epoch, large ones take fewer and cheaper steps per example
// (S19–S22). Rates are scaled with the batch.
//   node --import tsx examples/lecture/minibatch-sizes.ts [--examples 2000 --epochs 10]
import { layers, metrics, optimizers, seed as seedRandom, sequential } from 'downhill';
import { settings } from '../support/settings.js';
import { digits } from './support/digits.js';

const { examples, tests, epochs, seed } = settings({ examples: 2000, tests: 2000, epochs: 10 });
const { train, test } = await digits(examples, tests);
const rows = [];
for (const batchSize of [1, 16, 32, 64, 128, 256, examples]) {
  seedRandom(seed);
  const net = sequential([
    layers.dense({ units: 32, activation: 'relu', inputShape: [784] }),
    layers.dense({ units: 10, activation: 'softmax' }),
  ]);
  const learningRate = Math.min(0.5, 0.004 * batchSize);
  net.compile({
    optimizer: optimizers.sgd({ learningRate }),
    loss: 'sparseCategoricalCrossentropy',
    metrics: [metrics.zeroOneLoss()],
  });
  const begin = performance.now();
  const { history } = await net.fit(train.x, train.y, { epochs, batchSize, verbose: 0 });
  const milliseconds = performance.now() - begin;
  const { zeroOneLoss } = await net.evaluate(test.x, test.y, { verbose: 0 });
  rows.push({
    batchSize,
    learningRate,
    updates: epochs * Math.ceil(examples / batchSize),
    loss: history.loss.at(-1)!,
    zeroOneLoss,
    milliseconds,
  });
}
console.table(
  Object.fromEntries(
    rows.map(({ batchSize, learningRate, updates, loss, zeroOneLoss, milliseconds }) => [
      batchSize === 1 ? 'one example' : batchSize === examples ? `all ${examples}` : `${batchSize} examples`,
      {
        rate: learningRate,
        updates,
        'training loss': loss.toFixed(4),
        'test 0-1 loss': zeroOneLoss.toFixed(4),
        'µs per example': ((1000 * milliseconds) / (epochs * examples)).toFixed(2),
      },
    ]),
  ),
);
