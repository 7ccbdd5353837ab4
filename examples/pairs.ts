// Pairs of handwritten digits: one encoder for both pictures, two questions about them (is the first one larger? what is their sum?), each with its own
// loss. Then the encoder, frozen, is the first layer of a classifier that has seen few labels.
//
//   npx tsx examples/pairs.ts                    20 epochs
//   npx tsx examples/pairs.ts --epochs 3
import { parseArgs } from 'node:util';
import { data, input, layers, model, seed, sequential } from 'downhill';

const { values } = parseArgs({ options: { epochs: { type: 'string', default: '20' } } });
const epochs = Number(values.epochs);
seed(1);
const { train, test } = await data.mnist();

/** Each picture beside the one half the rows further on. */
function pairs({ x, y }: { x: Float32Array; y: Int32Array }) {
  const half = Math.floor(y.length / 2);
  const [first, second] = [x.subarray(0, 784 * half), x.subarray(784 * half, 784 * 2 * half)];
  const digits = Array.from({ length: half }, (_, i) => [y[i], y[half + i]]);
  return {
    x: { first, second },
    y: {
      larger: Float32Array.from(digits, ([a, b]) => (a > b ? 1 : 0)),
      sum: Int32Array.from(digits, ([a, b]) => a + b),
    },
  };
}

const encoder = sequential(
  [
    layers.dense({ units: 128, activation: 'relu', inputShape: [784] }),
    layers.dense({ units: 32, activation: 'relu' }),
  ],
  { name: 'encoder' },
);
const [first, second] = [input({ shape: [784], name: 'first' }), input({ shape: [784], name: 'second' })];
const both = layers.concatenate().apply([encoder.apply(first), encoder.apply(second)]);
const hidden = layers.dense({ units: 32, activation: 'relu' }).apply(both);
const net = model({
  inputs: { first, second },
  outputs: {
    larger: layers.dense({ units: 1, activation: 'sigmoid' }).apply(hidden),
    sum: layers.dense({ units: 19, activation: 'softmax' }).apply(hidden),
  },
});
net.summary();
net.compile({
  optimizer: 'adam',
  loss: { larger: 'binaryCrossentropy', sum: 'sparseCategoricalCrossentropy' },
  lossWeights: { sum: 0.5 },
  metrics: 'accuracy',
});
const [seen, unseen] = [pairs(train), pairs(test)];
await net.fit(seen.x, seen.y, { epochs, batchSize: 64, verbose: 2 });
const scores = await net.evaluate(unseen.x, unseen.y, { verbose: 0 });
console.log(`Which is larger: ${scores.larger_accuracy.toFixed(3)} right`);
console.log(`Their sum: ${scores.sum_accuracy.toFixed(3)} right`);

// What the encoder has learned, for another question: 100 labels.
const few = { x: train.x.subarray(0, 784 * 100), y: train.y.subarray(0, 100) };
async function classify(start: typeof encoder | null): Promise<number> {
  const own = layers.dense({ units: 32, activation: 'relu', inputShape: [784] });
  const classifier = sequential([start ?? own, layers.dense({ units: 10, activation: 'softmax' })]);
  classifier.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  await classifier.fit(few.x, few.y, { epochs: 20 * epochs, batchSize: 20, verbose: 0 });
  return (await classifier.evaluate(test.x, test.y, { verbose: 0 })).accuracy;
}
encoder.trainable = false;
console.log(`Digits from 100 labels, behind the frozen encoder: ${(await classify(encoder)).toFixed(3)} right`);
console.log(`Digits from 100 labels, from the start: ${(await classify(null)).toFixed(3)} right`);
