// Several passes lower the training error further than the test error: the gap between them grows (S25, S27).
//   node --import tsx examples/lecture/generalization-gap.ts [--examples 1000 --epochs 40]
import { layers, seed as seedRandom, sequential } from 'downhill';
import { settings } from '../support/settings.js';
import { digits } from './support/digits.js';
import { drawCurves, pictures } from './support/picture.js';

const { examples, tests, epochs, seed, out } = settings({ examples: 1000, tests: 2000, epochs: 40, out: pictures });
seedRandom(seed);
const { train, test } = await digits(examples, tests);
const net = sequential([
  layers.dense({ units: 128, activation: 'relu', inputShape: [784] }),
  layers.dense({ units: 10, activation: 'softmax' }),
]);
net.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
const training: number[] = [];
// Evaluated at the end of the epoch, as the test loss is; the epoch's own figure is a mean over its course.
const evaluate = {
  onEpochEnd: async () => void training.push((await net.evaluate(train.x, train.y, { verbose: 0 })).loss),
};
const { history } = await net.fit(train.x, train.y, {
  epochs,
  verbose: 0,
  validationData: [test.x, test.y],
  callbacks: [evaluate],
});
const gap = history.val_loss.map((loss, epoch) => loss - training[epoch]);
const at = [...new Set([0, 1, 2, 4, 9, 19, 39, epochs - 1])].filter((epoch) => epoch < epochs).sort((a, b) => a - b);
console.table(
  Object.fromEntries(
    at.map((epoch) => [
      `epoch ${epoch + 1}`,
      { training: training[epoch].toFixed(4), test: history.val_loss[epoch].toFixed(4), gap: gap[epoch].toFixed(4) },
    ]),
  ),
);
drawCurves(
  out,
  'generalization-gap',
  [
    { title: 'training loss', values: training },
    { title: 'test loss', values: history.val_loss },
    { title: 'gap', values: gap },
  ],
  { x: { label: 'epoch' }, y: { label: 'loss' } },
);
