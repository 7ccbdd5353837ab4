// Blood samples, five of each patient: rows of one patient are alike, so that a random split tells how well patients are remembered, and
// only a split by patients how well new ones are judged (S23). And minibatches must be drawn at random: rows in the order of their
// classes teach one class at a time.
//   node --import tsx examples/lecture/shuffling.ts [--patients 200 --epochs 40]
import { data, layers, optimizers, seed as seedRandom, sequential } from 'downhill';
import { settings } from '../support/settings.js';
import { normal } from './support/random.js';

const { patients, epochs, seed } = settings({ patients: 200, epochs: 40 });
const samples = 5;
const features = 20;
const rows = patients * samples;
// A patient's own values, little noise, and one feature that says something about the diagnosis.
const own = normal(patients * features, seed);
const noise = normal(rows * features, seed + 1, 0.1);
const patientOf = Int32Array.from({ length: rows }, (_, row) => Math.floor(row / samples));
const x = Float32Array.from(
  noise,
  (value, i) => value + own[patientOf[Math.floor(i / features)] * features + (i % features)],
);
const chance = normal(patients, seed + 2, 2);
const y = Int32Array.from(patientOf, (patient) => (own[patient * features] + chance[patient] > 0 ? 1 : 0));

function build() {
  seedRandom(seed);
  const net = sequential([
    layers.dense({ units: 64, activation: 'relu', inputShape: [features] }),
    layers.dense({ units: 2, activation: 'softmax' }),
  ]);
  net.compile({
    optimizer: optimizers.adam({ learningRate: 0.01 }),
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
  });
  return net;
}

const table: Record<string, Record<string, string>> = {};
for (const [title, groups] of [
  ['rows at random', undefined],
  ['whole patients', patientOf],
] as const) {
  const { train, test } = data.split(x, y, { testSize: 0.25, groups, rows, seed });
  const net = build();
  const { history } = await net.fit(train.x, train.y, { epochs, verbose: 0 });
  const { accuracy } = await net.evaluate(test.x, test.y, { verbose: 0 });
  table[title] = { 'training accuracy': history.accuracy.at(-1)!.toFixed(3), 'test accuracy': accuracy.toFixed(3) };
}
console.log('Test rows are …');
console.table(table);

// The same rows sorted by class: with batches in that order, the last class wins.
const order = [...y.keys()].sort((a, b) => y[a] - y[b]);
const sortedX = Float32Array.from(
  { length: x.length },
  (_, i) => x[order[Math.floor(i / features)] * features + (i % features)],
);
const sortedY = Int32Array.from(order, (row) => y[row]);
const orders: Record<string, { shuffle: boolean | 'once' }> = {
  'sorted by class': { shuffle: false },
  'shuffled once': { shuffle: 'once' },
  'shuffled every epoch': { shuffle: true },
};
const byOrder: Record<string, Record<string, string>> = {};
for (const [title, options] of Object.entries(orders)) {
  const net = build();
  await net.fit(sortedX, sortedY, { epochs: Math.ceil(epochs / 8), verbose: 0, ...options });
  const { loss, accuracy } = await net.evaluate(sortedX, sortedY, { verbose: 0 });
  byOrder[title] = { loss: loss.toFixed(3), 'training accuracy': accuracy.toFixed(3) };
}
console.log(`\nAfter ${Math.ceil(epochs / 8)} epochs over rows …`);
console.table(byOrder);
