// Biases of the outputs from the marginal statistics of the targets: log p_c for a softmax, so that training does not begin with learning
// how frequent each class is (S57).
//   node --import tsx examples/lecture/biases.ts [--rows 2000 --epochs 3]
import { initializers, layers, optimizers, seed as seedRandom, sequential } from 'downhill';
import { settings } from '../support/settings.js';
import { normal, uniform } from './support/random.js';

const { rows, epochs, seed } = settings({ rows: 2000, epochs: 3 });
const features = 8;
// Three classes, of which one is rare.
const y = Int32Array.from(uniform(rows, seed), (value) => (value < 0.8 ? 0 : value < 0.98 ? 1 : 2));
const x = Float32Array.from(
  normal(rows * features, seed + 1),
  (value, i) => value + (i % features === y[Math.floor(i / features)] ? 1 : 0),
);
const choices = { zeros: initializers.zeros(), 'from the targets': initializers.fromTargets(y) };
const table: Record<string, Record<string, string>> = {};
for (const [title, biasInitializer] of Object.entries(choices)) {
  seedRandom(seed);
  const kernelInitializer = initializers.randomNormal({ stddev: 0.01 });
  const net = sequential([
    layers.dense({ units: 3, activation: 'softmax', kernelInitializer, biasInitializer, inputShape: [features] }),
  ]);
  net.compile({ optimizer: optimizers.sgd({ learningRate: 0.01 }), loss: 'sparseCategoricalCrossentropy' });
  const [, bias] = net.getWeights();
  const { loss } = await net.evaluate(x, y, { verbose: 0 });
  const { history } = await net.fit(x, y, { epochs, verbose: 0 });
  table[title] = {
    biases: Array.from(bias.dataSync(), (value) => value.toFixed(2)).join(', '),
    'loss at the start': loss.toFixed(4),
    [`after ${epochs} epochs`]: history.loss.at(-1)!.toFixed(4),
  };
}
console.table(table);
