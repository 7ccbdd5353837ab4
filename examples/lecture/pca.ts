// Inference with PCA is optimization: the best linear code c* = argmin ‖x − g(c)‖ with g(c) = Dc is Dᵀx, and the best D, by descent on the
// reconstruction error ‖x − DDᵀx‖², spans the space of the leading eigenvectors (S4, S9: there are no targets).
//   node --import tsx examples/lecture/pca.ts [--rows 400 --steps 400]
import { ops, optimizers, solve, tensor, variable } from 'downhill';
import { settings } from '../support/settings.js';
import { normal } from './support/random.js';

const { rows, steps, seed } = settings({ rows: 400, steps: 400 });
const [features, components] = [6, 2];
// Two directions of large variance, mixed into six features.
const codes = tensor(normal(rows * components, seed, 2), [rows, components]);
const mixing = tensor(normal(components * features, seed + 1), [components, features]);
const noise = tensor(normal(rows * features, seed + 2, 0.3), [rows, features]);
const raw = ops.add(ops.matmul(codes, mixing), noise);
const x = ops.sub(raw, ops.mean(raw, 0));

const error = (D: Parameters<typeof ops.matmul>[1]) =>
  ops.mean(ops.sum(ops.square(ops.sub(x, ops.matmul(ops.matmul(x, D), D, { transposeB: true }))), 1));

const D = variable(normal(features * components, seed + 3, 0.3), { shape: [features, components], name: 'D' });
const optimizer = optimizers.adam({ learningRate: 0.02 });
const first = (error(D) as typeof x).dataSync()[0];
for (let step = 0; step < steps; step++) await optimizer.minimize(() => error(D), [D]);

const exact = await solve.pca(x, components);
const [descended, best] = [(error(D) as typeof x).dataSync()[0], (error(exact.components) as typeof x).dataSync()[0]];
console.table({
  'random D': { 'mean ‖x − DDᵀx‖²': first.toFixed(6) },
  [`Adam, ${steps} steps`]: { 'mean ‖x − DDᵀx‖²': descended.toFixed(6) },
  eigenvectors: { 'mean ‖x − DDᵀx‖²': best.toFixed(6) },
});
// DDᵀ does not depend on which basis of the space D holds.
const projection = (d: typeof x) => ops.matmul(d, d, { transposeB: true }) as typeof x;
const apart = (ops.max(ops.abs(ops.sub(projection(D), projection(exact.components)))) as typeof x).dataSync()[0];
console.log(`Largest difference of the projections DDᵀ: ${apart.toExponential(1)}`);
console.log(`The two components have ${(100 * exact.explained).toFixed(1)} % of the variance.`);
