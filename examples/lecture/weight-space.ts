// Weight-space symmetry: exchanged hidden units, or incoming weights times α and outgoing ones by 1/α, are other weights for the same
// function, so that a network has very many minima which are all as good (S33).
//   node --import tsx examples/lecture/weight-space.ts [--units 8]
import { layers, seed as seedRandom, sequential, symmetries, tensor } from 'downhill';
import { settings } from '../support/settings.js';
import { normal } from './support/random.js';

const { units, seed } = settings({ units: 8 });
seedRandom(seed);
const x = tensor(normal(50 * 5, seed), [50, 5]);
const net = sequential([
  layers.dense({ units, activation: 'relu', name: 'hidden', inputShape: [5] }),
  layers.dense({ units: 3, name: 'outputs' }),
]);
const before = (await (await net.predict(x)).data()) as Float32Array;
const weights = net.getWeights().map((weight) => Float32Array.from(weight.dataSync()));

async function compare(title: string) {
  const after = await (await net.predict(x)).data();
  const largest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i])));
  const moved = Math.max(...net.getWeights().map((weight, i) => largest(weight.dataSync(), weights[i])));
  return [
    title,
    { 'weights moved by up to': moved.toFixed(4), 'outputs by up to': largest(after, before).toExponential(1) },
  ];
}
const rows = [];
symmetries.permuteUnits(
  net,
  'hidden',
  Array.from({ length: units }, (_, i) => units - 1 - i),
);
rows.push(await compare('units exchanged'));
net.setWeights(weights);
symmetries.rescaleUnits(net, 'hidden', 10);
rows.push(await compare('scaled by 10'));
console.table(Object.fromEntries(rows));
let orders = 1;
for (let i = 2; i <= units; i++) orders *= i;
console.log(`${units} units in one layer have ${orders.toLocaleString('en')} orders.`);
