// Early stopping on the true loss: training follows a surrogate, but ends when the 0-1 loss on validation data gets no better, often where
// derivatives are still large; pure optimization ends where they are small (S14, S15).
//   node --import tsx examples/lecture/early-stopping.ts [--examples 1000 --epochs 100 --patience 8]
import { callbacks, diagnostics, layers, metrics, optimizers, seed as seedRandom, sequential } from 'downhill';
import { settings } from '../support/settings.js';
import { digits } from './support/digits.js';

const { examples, tests, epochs, patience, seed } = settings({ examples: 1000, tests: 1000, epochs: 100, patience: 8 });
seedRandom(seed);
const { train, test } = await digits(examples, tests);
const net = sequential([
  layers.dense({ units: 64, activation: 'relu', inputShape: [784] }),
  layers.dense({ units: 10, activation: 'softmax' }),
]);
net.compile({
  optimizer: optimizers.sgd({ learningRate: 0.1, momentum: 0.9 }),
  loss: 'sparseCategoricalCrossentropy',
  metrics: [metrics.zeroOneLoss()],
});
const start = await diagnostics.gradientNorm(net, train.x, train.y);
const { history } = await net.fit(train.x, train.y, {
  epochs,
  batchSize: 32,
  verbose: 0,
  validationData: [test.x, test.y],
  callbacks: [callbacks.earlyStopping({ monitor: 'val_zeroOneLoss', patience, restoreBestWeights: true })],
});
const stopped = await diagnostics.gradientNorm(net, train.x, train.y);
const verdict = await diagnostics.stationary(net, train.x, train.y, { tolerance: 1e-4 });
const best = history.val_zeroOneLoss.indexOf(Math.min(...history.val_zeroOneLoss));
console.table({
  'at the start': {
    epoch: 0,
    '‖g‖': start.norm.toPrecision(3),
    surrogate: start.loss.toFixed(4),
    'validation 0-1 loss': '',
  },
  'weights restored': {
    epoch: best + 1,
    '‖g‖': stopped.norm.toPrecision(3),
    surrogate: stopped.loss.toFixed(4),
    'validation 0-1 loss': history.val_zeroOneLoss[best].toFixed(4),
  },
});
console.log(`Stopped after epoch ${history.loss.length} of ${epochs}.`);
console.log(`Would pure optimization have stopped there, at ‖g‖ ≤ 1e-4? ${verdict.stationary ? 'Yes' : 'No'}.`);
