// Data sets and what prepares them.
export { BagOfWords, type BagOfWordsOptions, bagOfWords, type Weighting } from './bag-of-words.js';
export { toCategorical } from './categorical.js';
export { type Cifar10, type Cifar10Options, cifar10, type PhotoSet } from './cifar10.js';
export { type ImdbOptions, imdb } from './imdb.js';
export { type DigitSet, type Mnist, type MnistOptions, mnist } from './mnist.js';
export { type SpamAssassinOptions, spamAssassin } from './spam-assassin.js';
export { type DenseBatches, type SparseBatchesOptions, SparseRows, type SparseRowsOptions } from './sparse-rows.js';
export type { Texts, TextSet } from './texts.js';
export { type Split, type SplitData, type SplitOptions, type SplitPart, split } from './split.js';
