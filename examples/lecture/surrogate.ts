// The surrogate keeps teaching when the training 0-1 loss is zero already: the test 0-1 loss still falls (S11–S13).
//   node --import tsx examples/lecture/surrogate.ts [--examples 200 --epochs 300]
import { layers, metrics, optimizers, seed as seedRandom, sequential } from 'downhill';
import { settings } from '../support/settings.js';
import { digits } from './support/digits.js';
import { drawCurves, pictures } from './support/picture.js';

const { examples, tests, epochs, seed, out } = settings({ examples: 200, tests: 2000, epochs: 300, out: pictures });
seedRandom(seed);
const { train, test } = await digits(examples, tests);
const net = sequential([
  layers.dense({ units: 64, activation: 'relu', inputShape: [784] }),
  layers.dense({ units: 10, activation: 'softmax' }),
]);
net.compile({
  optimizer: optimizers.sgd({ learningRate: 0.03 }),
  loss: 'sparseCategoricalCrossentropy',
  metrics: [metrics.zeroOneLoss()],
});
const { history } = await net.fit(train.x, train.y, {
  epochs,
  batchSize: 20,
  verbose: 0,
  validationData: [test.x, test.y],
});
// The epoch's own figure is a mean over weights that still change: zero means that no batch of the epoch had an error.
const solved = history.zeroOneLoss.indexOf(0);
const at = [...new Set([0, Math.max(0, solved), Math.floor((Math.max(0, solved) + epochs - 1) / 2), epochs - 1])];
console.table(
  Object.fromEntries(
    at.map((epoch) => [
      `epoch ${epoch + 1}`,
      {
        'training 0-1 loss': history.zeroOneLoss[epoch].toFixed(4),
        'training surrogate': history.loss[epoch].toExponential(2),
        'test 0-1 loss': history.val_zeroOneLoss[epoch].toFixed(4),
        'test surrogate': history.val_loss[epoch].toFixed(4),
      },
    ]),
  ),
);
console.log(
  solved < 0
    ? 'The training 0-1 loss has not reached zero: train for more epochs.'
    : `The training 0-1 loss is zero from epoch ${solved + 1} on; the test 0-1 loss then was ` +
        `${history.val_zeroOneLoss[solved].toFixed(4)}, and fell to ${Math.min(...history.val_zeroOneLoss.slice(solved)).toFixed(4)}.`,
);
drawCurves(
  out,
  'surrogate',
  [
    { title: 'training 0-1 loss', values: history.zeroOneLoss },
    { title: 'test 0-1 loss', values: history.val_zeroOneLoss },
    { title: 'training surrogate', values: history.loss },
  ],
  { x: { label: 'epoch' }, y: { label: 'loss', domain: [0, 0.6], clamp: true } },
);
