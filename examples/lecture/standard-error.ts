// The mean of n samples is wrong by σ/√n: 100 times the work makes the gradient only 10 times as exact (S17, S20).
//   node --import tsx examples/lecture/standard-error.ts [--repeats 200 --examples 4000]
import { grad, layers, losses, ops, sequential, seed as seedRandom, type SymbolicTensor, tensor } from 'downhill';
import { settings } from '../support/settings.js';
import { digits } from './support/digits.js';
import { deviation } from './support/random.js';
import { drawCurves, pictures } from './support/picture.js';
import { uniform } from './support/random.js';

const { repeats, examples, seed, out } = settings({ repeats: 200, examples: 4000, out: pictures });
seedRandom(seed);
const { train } = await digits(examples, 1);
const net = sequential([layers.dense({ units: 10, inputShape: [784] })]);
const [kernel, bias] = net.getWeights();
const loss = losses.sparseCategoricalCrossentropy({ fromLogits: true });
// The derivative with respect to the bias of the first class, example by example: for the loss of one example it is p₀ − [y = 0].
const derivative = grad(
  (b: SymbolicTensor, x: SymbolicTensor, y: SymbolicTensor) =>
    ops.sum(loss.perExample(y, ops.add(ops.matmul(x, kernel), b))) as SymbolicTensor,
);
const rows = await derivative(
  ops.broadcastTo(bias, [examples, 10]),
  tensor(train.x, [examples, 784]),
  tensor(train.y, [examples], 'int32'),
);
const each = ((await rows.array()) as number[][]).map((row) => row[0]);
const sigma = deviation(each);
const sizes = [1, 4, 16, 64, 256, 1024];
const table = sizes.map((n) => {
  const picks = uniform(n * repeats, seed + n, 0, examples);
  const means = Array.from({ length: repeats }, (_, r) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += each[Math.floor(picks[r * n + i])];
    return sum / n;
  });
  return { n, measured: deviation(means), predicted: sigma / Math.sqrt(n) };
});
console.log(`σ of one example's derivative: ${sigma.toFixed(4)}; ${repeats} minibatches of each size`);
console.table(
  Object.fromEntries(
    table.map(({ n, measured, predicted }) => [
      n,
      { 'standard error': measured.toFixed(5), 'σ/√n': predicted.toFixed(5), ratio: (measured / predicted).toFixed(2) },
    ]),
  ),
);
drawCurves(
  out,
  'standard-error',
  [
    { title: 'measured', values: table.map(({ measured }) => measured) },
    { title: 'σ/√n', values: table.map(({ predicted }) => predicted) },
  ],
  { x: { label: 'minibatch size, 4^(k−1)' }, y: { type: 'log', label: 'standard error' } },
);
