// Ill-conditioning: a step −εg adds −ε gᵀg + ½ε² gᵀHg to the cost. The gradient does not shrink while gᵀHg grows, and the largest rate
// that still descends falls (S31). H is exact, by Hessian-vector products.
//   node --import tsx examples/lecture/ill-conditioning.ts [--examples 500 --epochs 30]
import { diagnostics, layers, optimizers, seed as seedRandom, sequential } from 'downhill';
import { settings } from '../support/settings.js';
import { digits } from './support/digits.js';
import { drawCurves, pictures } from './support/picture.js';

const { examples, epochs, every, seed, out } = settings({ examples: 500, epochs: 30, every: 3, out: pictures });
seedRandom(seed);
const { train } = await digits(examples, 1);
const net = sequential([
  layers.dense({ units: 32, activation: 'tanh', inputShape: [784] }),
  layers.dense({ units: 10, activation: 'softmax' }),
]);
net.compile({ optimizer: optimizers.sgd({ learningRate: 0.3 }), loss: 'sparseCategoricalCrossentropy' });
const rows = [];
for (let epoch = 0; epoch <= epochs; epoch += every) {
  const { gTg, gTHg, harmful, largestRate, loss } = await diagnostics.curvature(net, train.x, train.y);
  const { largest } = await diagnostics.sharpness(net, train.x, train.y);
  rows.push({ epoch, loss, gTg, gTHg, largestRate, largest, harmful });
  await net.fit(train.x, train.y, { epochs: every, batchSize: 50, verbose: 0 });
}
console.table(
  Object.fromEntries(
    rows.map(({ epoch, loss, gTg, gTHg, largestRate, largest, harmful }) => [
      `epoch ${epoch}`,
      {
        loss: loss.toFixed(4),
        gᵀg: gTg.toExponential(2),
        gᵀHg: gTHg.toExponential(2),
        'gᵀHg/gᵀg': (gTHg / gTg).toFixed(2),
        'largest ε': largestRate.toPrecision(3),
        '2/λ₁': (2 / largest).toPrecision(3),
        'ε = 0.3 is': harmful ? 'harmful' : 'fine',
      },
    ]),
  ),
);
drawCurves(
  out,
  'ill-conditioning',
  [
    { title: 'gᵀg', values: rows.map(({ gTg }) => gTg) },
    { title: 'gᵀHg', values: rows.map(({ gTHg }) => gTHg) },
    { title: 'gᵀHg / gᵀg', values: rows.map(({ gTg, gTHg }) => gTHg / gTg) },
  ],
  { x: { label: `every ${every} epochs` }, y: { type: 'log' } },
);
