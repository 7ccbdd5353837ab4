import type { TrainCase } from './case.js';

const lecture: TrainCase = {
  kind: 'train',
  name: 'lecture-net',
  title: '784-32-10 sigmoid, batch 128, SGD',
  widths: [784, 32, 10],
  activation: 'sigmoid',
  optimizer: 'sgd',
  dropout: 0,
  batchSize: 128,
  batches: 100,
  shuffle: false,
  epochs: 20,
  samples: 5,
};

const wide: TrainCase = {
  ...lecture,
  name: 'mlp',
  title: '784-1000-1000-10 relu, batch 128, Adam',
  widths: [784, 1000, 1000, 10],
  activation: 'relu',
  optimizer: 'adam',
  batches: 30,
  epochs: 1,
  samples: 3,
};

const sparse: TrainCase = {
  ...lecture,
  name: 'bag-of-words-sparse',
  title: 'logistic regression 10000-2 on sparse rows of 200 values, batch 128, Adam',
  widths: [10_000, 2],
  optimizer: 'adam',
  nonzeros: 200,
};

const hidden: TrainCase = {
  ...sparse,
  name: 'bag-of-words-wide',
  title: '10000-1000-2 relu on sparse rows of 200 values, batch 16, SGD',
  widths: [10_000, 1000, 2],
  activation: 'relu',
  optimizer: 'sgd',
  batchSize: 16,
  batches: 30,
  epochs: 4,
  samples: 3,
};

const embedding: TrainCase = {
  ...lecture,
  name: 'embedding',
  title: '64 of 100000 vectors of 128, then 8192-2, batch 128, SGD',
  widths: [64 * 128, 2],
  embedding: { words: 100_000, length: 64 },
  batches: 20,
  epochs: 2,
  samples: 3,
};

const recurrent: TrainCase = {
  ...wide,
  name: 'lstm',
  title: 'LSTM of 128 units, 64 steps of 32 features, batch 64, Adam',
  widths: [32, 128, 10],
  steps: 64,
  batchSize: 64,
  batches: 10,
  epochs: 4,
};

/** The network of the Adam paper for CIFAR-10. */
const cnn: TrainCase = {
  ...wide,
  name: 'cnn',
  title: '32x32x3, c64-c64-c128 of 5x5 with pools, 1000-10 relu, batch 128, Adam',
  images: { side: 32, channels: 3, filters: [64, 64, 128] },
  widths: [4 * 4 * 128, 1000, 10],
  batches: 8,
};

const transformer: TrainCase = {
  ...wide,
  name: 'transformer',
  title: 'transformer, 2 blocks of 128, 4 heads, 64 tokens of 96, batch 32, AdamW',
  transformer: { context: 64, heads: 4, blocks: 2 },
  widths: [128, 96],
  optimizer: 'adamw',
  batchSize: 32,
  batches: 8,
};

/** Beside our own float32. */
function bfloat16(one: TrainCase): TrainCase {
  return { ...one, name: `${one.name}-bfloat16`, title: `${one.title}, bfloat16`, precision: 'bfloat16' };
}

export const networks: TrainCase[] = [
  lecture,
  { ...lecture, name: 'lecture-net-shuffled', title: `${lecture.title}, shuffled`, shuffle: true },
  wide,
  { ...wide, name: 'mlp-dropout', title: `${wide.title}, dropout 0.5`, dropout: 0.5 },
  {
    ...lecture,
    name: 'logistic',
    title: 'logistic regression 784-10, batch 128, Adam',
    widths: [784, 10],
    optimizer: 'adam',
  },
  {
    ...lecture,
    name: 'bag-of-words',
    title: 'logistic regression 10000-2 on dense rows, batch 128, Adam',
    widths: [10_000, 2],
    optimizer: 'adam',
    batches: 10,
    epochs: 40,
  },
  sparse,
  hidden,
  { ...hidden, name: 'bag-of-words-wide-adagrad', title: hidden.title.replace('SGD', 'Adagrad'), optimizer: 'adagrad' },
  embedding,
  { ...embedding, name: 'embedding-adagrad', title: embedding.title.replace('SGD', 'Adagrad'), optimizer: 'adagrad' },
  { ...embedding, name: 'embedding-adam', title: embedding.title.replace('SGD', 'Adam'), optimizer: 'adam' },
  recurrent,
  cnn,
  transformer,
  bfloat16(lecture),
  bfloat16(wide),
  bfloat16(cnn),
];
