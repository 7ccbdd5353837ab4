// The convolutional network of the Adam paper, c64-c64-c128-1000, on whitened pictures: Adam, AdaGrad and SGD with Nesterov momentum, each without
// dropout and with it, on the input and the fully connected layer (Kingma & Ba 2015, section 6.3 and figure 3).
//
//   npx tsx examples/adam-cnn.ts                                                   4,000 digits of MNIST, 3 epochs
//   npx tsx examples/adam-cnn.ts --directory DIR --examples 50000 --epochs 45      CIFAR-10: the six files of its binary version in that folder
import { data, layers, optimizers, sequential } from 'downhill';
import { compare } from './support/compare.js';
import { settings } from './support/settings.js';
import { whiten } from './support/whitening.js';

const options = { directory: '', examples: 4000, tests: 2000, epochs: 3, filters: 64, units: 1000, whitening: 1 };
const { directory, examples, tests, epochs, filters, units, whitening, seed } = settings(options);
const { train, test } = await (directory ? data.cifar10({ directory }) : data.mnist());
const inputShape = directory ? [32, 32, 3] : [28, 28, 1];
const size = inputShape.reduce((a, b) => a * b);
const [x, xTest] = [train.x.slice(0, examples * size), test.x.slice(0, tests * size)];
const [y, yTest] = [train.y.subarray(0, examples), test.y.subarray(0, tests)];
if (whitening) whiten(x, [xTest], size);

/** Convolutions of 5 × 5, each followed by a maximum over 3 × 3 at every second place. */
function network(dropout: boolean) {
  const drop = (rate: number) => (dropout ? [layers.dropout({ rate })] : []);
  const stage = (filters: number) => [
    layers.conv2d({ filters, kernelSize: 5, padding: 'same', activation: 'relu' }),
    layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
  ];
  return sequential([
    layers.input({ shape: inputShape }),
    ...drop(0.2),
    ...stage(filters),
    ...stage(filters),
    ...stage(2 * filters),
    layers.flatten(),
    layers.dense({ units, activation: 'relu' }),
    ...drop(0.5),
    layers.dense({ units: 10, activation: 'softmax' }),
  ]);
}
network(true).summary();

const choices = {
  Adam: () => optimizers.adam({ learningRate: 0.001 }),
  AdaGrad: () => optimizers.adagrad({ learningRate: 0.002, preset: 'book' }),
  'SGD, Nesterov': () => optimizers.sgd({ learningRate: 0.03, momentum: 0.9, nesterov: true }),
};
for (const dropout of [false, true]) {
  const title = dropout ? 'with dropout' : 'without dropout';
  const rows = await compare(choices, seed, async (optimizer) => {
    using net = network(dropout);
    net.compile({ optimizer, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
    const { history } = await net.fit(x, y, { epochs, batchSize: 128, verbose: 0 });
    const { loss, accuracy } = await net.evaluate(xTest, yTest, { batchSize: 256, verbose: 0 });
    return {
      ...Object.fromEntries(history.loss.map((cost, i) => [`epoch ${i + 1}`, cost])),
      'test cost': loss,
      'test accuracy': accuracy,
    };
  });
  console.log(`\nTraining cost by epoch ${title}, ${y.length} pictures; then of ${yTest.length} others`);
  console.table(rows);
}
