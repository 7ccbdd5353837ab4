// The cost of a network on a plane through its weights, before and after training (S35).
//   node --import tsx examples/lecture/loss-surface.ts [--examples 300 --epochs 30 --points 21]
import { diagnostics, layers, seed as seedRandom, sequential } from 'downhill';
import { settings } from '../support/settings.js';
import { digits } from './support/digits.js';
import { Plot, picture, pictures } from './support/picture.js';

const { examples, epochs, points, seed, out } = settings({ examples: 300, epochs: 30, points: 21, out: pictures });
seedRandom(seed);
const { train } = await digits(examples, 1);
const net = sequential([
  layers.dense({ units: 32, activation: 'tanh', inputShape: [784] }),
  layers.dense({ units: 10, activation: 'softmax' }),
]);
net.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });

async function slice(title: string) {
  const { coordinates, losses } = await diagnostics.lossSurface(net, train.x, train.y, { steps: points, seed });
  const flat = losses.flat();
  const middle = losses[(points - 1) / 2]?.[(points - 1) / 2] ?? NaN;
  const [low, high] = [coordinates[0], coordinates[points - 1]];
  picture(out, `loss-surface-${title.replace(' ', '-')}`, {
    width: 560,
    height: 520,
    x: { domain: [low, high], label: 'along the second direction' },
    y: { domain: [low, high], label: 'along the first' },
    color: { scheme: 'blues', reverse: true },
    marks: [
      Plot.contour(flat, {
        width: points,
        height: points,
        x1: low,
        x2: high,
        y1: low,
        y2: high,
        value: (v: number) => v,
        fill: 'value',
        thresholds: 18,
        stroke: 'white',
        strokeWidth: 0.5,
      } as never),
      Plot.dot([[0, 0]], { fill: 'red', r: 4 }),
    ],
  });
  return [
    title,
    {
      'at the weights': middle.toFixed(4),
      lowest: Math.min(...flat).toFixed(4),
      highest: Math.max(...flat).toFixed(4),
    },
  ];
}
const rows = [await slice('before training')];
await net.fit(train.x, train.y, { epochs, verbose: 0 });
rows.push(await slice('after training'));
console.log('Cost on a plane of two random directions, as long as each unit’s weights');
console.table(Object.fromEntries(rows));
