// The network of the Adam paper's figure: two hidden layers of 1000 ReLU units on digits, with dropout and without (S64; the lecture's
// "Performance on Multilayer NN").
//   node --import tsx examples/lecture/multilayer.ts [--units 1000 --examples 8000 --epochs 5]
import { layers, optimizers, seed as seedRandom, sequential } from 'downhill';
import { settings } from '../support/settings.js';
import { digits } from './support/digits.js';
import { drawCurves, pictures } from './support/picture.js';

const { units, examples, epochs, seed, out } = settings({ units: 1000, examples: 8000, epochs: 5, out: pictures });
const { train } = await digits(examples, 1);
const choices = {
  AdaGrad: () => optimizers.adagrad({ learningRate: 0.01, preset: 'book' }),
  RMSProp: () => optimizers.rmsprop({ learningRate: 0.001, preset: 'book' }),
  'SGD, Nesterov': () => optimizers.sgd({ learningRate: 0.05, momentum: 0.9, nesterov: true }),
  AdaDelta: () => optimizers.adadelta({ learningRate: 1, rho: 0.95 }),
  Adam: () => optimizers.adam({ learningRate: 0.001 }),
};
for (const rate of [0.5, 0]) {
  const curves = [];
  for (const [title, make] of Object.entries(choices)) {
    seedRandom(seed);
    const net = sequential([
      layers.dense({ units, activation: 'relu', inputShape: [784] }),
      ...(rate ? [layers.dropout({ rate })] : []),
      layers.dense({ units, activation: 'relu' }),
      ...(rate ? [layers.dropout({ rate })] : []),
      layers.dense({ units: 10, activation: 'softmax' }),
    ]);
    net.compile({ optimizer: make(), loss: 'sparseCategoricalCrossentropy' });
    const { history } = await net.fit(train.x, train.y, { epochs, batchSize: 128, verbose: 0 });
    curves.push({ title, values: history.loss });
  }
  console.log(
    `\nTraining cost ${rate ? `with dropout ${rate}` : 'without dropout'}, 784-${units}-${units}-10, by epoch`,
  );
  console.table(
    Object.fromEntries(
      curves.map(({ title, values }) => [title, Object.fromEntries(values.map((v, i) => [i + 1, v.toFixed(4)]))]),
    ),
  );
  drawCurves(out, rate ? 'multilayer-dropout' : 'multilayer', curves, {
    x: { label: 'epoch' },
    y: { label: 'training cost', type: 'log' },
  });
}
