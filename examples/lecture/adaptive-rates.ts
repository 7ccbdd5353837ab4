// Logistic regression on digits: AdaGrad, RMSProp, Nesterov momentum and Adam, each at its best rate, as in the Adam paper's first figure
// (S59–S64; the lecture's "Performance in Logistic Regression").
//   node --import tsx examples/lecture/adaptive-rates.ts [--examples 8000 --epochs 20]
import { layers, optimizers, schedules, sequential } from 'downhill';
import { settings } from '../support/settings.js';
import { digits } from './support/digits.js';
import { drawCurves, pictures } from './support/picture.js';
import { type Choice, printTuned, tune } from './support/tuned.js';

const { examples, epochs, seed, out } = settings({ examples: 8000, epochs: 20, out: pictures });
const { train } = await digits(examples, 1);
// The paper lets the rates of this experiment fall as 1/√t, whatever the method.
const decayed = (rate: number) => schedules.inverseSqrt({ initial: rate });
const rates = [0.03, 0.1, 0.3, 1, 3];
const choices: Record<string, Choice> = {
  AdaGrad: { make: (rate) => optimizers.adagrad({ learningRate: decayed(rate), preset: 'book' }), rates },
  RMSProp: { make: (rate) => optimizers.rmsprop({ learningRate: decayed(rate), preset: 'book' }), rates },
  'SGD, Nesterov': {
    make: (rate) => optimizers.sgd({ learningRate: decayed(rate), momentum: 0.9, nesterov: true }),
    rates,
  },
  Adam: { make: (rate) => optimizers.adam({ learningRate: decayed(rate), preset: 'book' }), rates },
  // Its rates fall by themselves already; so few digits are easy enough for it to catch up when that is all.
  'AdaGrad, rate not decayed': { make: (rate) => optimizers.adagrad({ learningRate: rate, preset: 'book' }), rates },
};
const results = await tune(
  choices,
  () => sequential([layers.dense({ units: 10, activation: 'softmax', inputShape: [784] })]),
  async (net) => (await net.fit(train.x, train.y, { epochs, batchSize: 128, verbose: 0 })).history.loss,
  seed,
);
console.log('Training negative log-likelihood of logistic regression on digits');
printTuned(
  results,
  [...new Set([1, 2, 5, 10, epochs])].filter((epoch) => epoch <= epochs),
);
drawCurves(out, 'adaptive-rates', results, { x: { label: 'epoch' }, y: { label: 'training cost', type: 'log' } });
