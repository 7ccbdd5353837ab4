// Where x and y are discrete, the gradient of the generalization error is a sum over all their values, g = Σ_x Σ_y p(x, y) ∇L, and the
// gradient of one example drawn from p has just that mean: stochastic descent follows the true gradient, as long as examples are not
// repeated (S26).
//   node --import tsx examples/lecture/discrete-gradient.ts [--draws 4000]
import { grad, losses, ops, type SymbolicTensor, tensor } from 'downhill';
import { settings } from '../support/settings.js';
import { normal, uniform } from './support/random.js';

const { draws, seed } = settings({ draws: 4000 });
// Three values of x, as one-hot rows with a constant, and two of y.
const xs = [
  [1, 0, 0, 1],
  [0, 1, 0, 1],
  [0, 0, 1, 1],
];
const ys = [0, 1];
// Eighths and sixteenths, so that every sum of them is exact.
const p = [
  [1 / 8, 1 / 16],
  [1 / 4, 1 / 16],
  [1 / 8, 3 / 8],
];
const pairs = xs.flatMap((x, i) => ys.map((y, j) => ({ x, y, p: p[i][j] })));

const w = tensor(normal(4, seed), [4, 1]);
const loss = losses.binaryCrossentropy({ fromLogits: true });
const risk = (w: SymbolicTensor, x: SymbolicTensor, y: SymbolicTensor, p: SymbolicTensor) =>
  ops.sum(ops.mul(p, loss.perExample(y, ops.matmul(x, w)))) as SymbolicTensor;
const gradient = grad(risk);
const gradientOf = async (some: typeof pairs, weights: number[]) =>
  (await gradient(w, tensor(some.map(({ x }) => x)), tensor(some.map(({ y }) => [y])), tensor(weights))).data();

// ∇J* at once, and as the sum of the six gradients times their probabilities.
const whole = await gradientOf(
  pairs,
  pairs.map(({ p }) => p),
);
const each = await Promise.all(pairs.map((pair) => gradientOf([pair], [1])));
const sum = Float64Array.from(whole, (_, k) => pairs.reduce((total, { p }, i) => total + p * each[i][k], 0));

// And the mean over draws from p, which the sum is the expectation of.
const dice = uniform(draws, seed + 1);
const counts = pairs.map(() => 0);
for (const value of dice) {
  let i = 0;
  for (let below = pairs[0].p; value >= below && i < pairs.length - 1; below += pairs[i].p) i++;
  counts[i]++;
}
const sampled = Float64Array.from(whole, (_, k) =>
  counts.reduce((total, count, i) => total + (count / draws) * each[i][k], 0),
);
const largest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i])));
console.table({
  'gradient of J*': Array.from(whole, (value) => value.toFixed(6)),
  'ΣΣ p ∇L': Array.from(sum, (value) => value.toFixed(6)),
  [`mean of ${draws} draws`]: Array.from(sampled, (value) => value.toFixed(6)),
});
console.log(`ΣΣ p ∇L differs from the gradient of J* by at most ${largest(whole, sum).toExponential(1)}`);
console.log(`The mean of ${draws} draws differs by at most ${largest(whole, sampled).toExponential(1)}`);
