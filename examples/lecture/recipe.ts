// The recipe of learning, with linear regression as the dish: a data set X and y; the cost −E log p(y | x) + λ‖w‖²; the model
// p(y | x) = N(y; xᵀw + b, 1); and an optimization procedure, which here may solve for the minimum or descend to it (S1–S3, S5).
//   node --import tsx examples/lecture/recipe.ts [--rows 500 --epochs 200]
import { layers, optimizers, regularizers, schedules, seed as seedRandom, sequential, solve, tensor } from 'downhill';
import { settings } from '../support/settings.js';
import { normal } from './support/random.js';

const { rows, epochs, seed } = settings({ rows: 500, epochs: 200 });
seedRandom(seed);
const features = 4;
const lambda = 0.01;

// 1. A data set.
const truth = [1.5, -2, 0.5, 0];
const values = normal(rows * features, seed);
const noise = normal(rows, seed + 1);
const x = tensor(values, [rows, features]);
const y = Float32Array.from(noise, (e, i) => truth.reduce((sum, w, j) => sum + w * values[i * features + j], 3) + e);
// 2. A cost: but for constants, −log N(y; ŷ, 1) is half the squared error, so that both have their minimum at the same weights. Twice it, and
//    twice the penalty, is what Keras and this library call the mean squared error with an L2 regularizer.
const kernelRegularizer = regularizers.l2({ l2: lambda });
// 3. A model.
const net = sequential([layers.dense({ units: 1, kernelRegularizer, inputShape: [features] })]);
// 4. An optimization procedure: one that descends, by minibatches and with a rate that decays …
const steps = epochs * Math.ceil(rows / 50);
const learningRate = schedules.linear({ initial: 0.05, final: 1e-4, steps });
net.compile({ optimizer: optimizers.sgd({ learningRate }), loss: 'meanSquaredError' });
await net.fit(x, y, { epochs, batchSize: 50, verbose: 0 });
const { loss } = await net.evaluate(x, y, { verbose: 0 });
const [kernel, bias] = net.getWeights().map((weight) => Array.from(weight.dataSync()));
// … or one that solves for where the gradient is zero: the normal equations.
const exact = await solve.linearRegression(x, y, { l2: lambda });

const row = (w: ArrayLike<number>, b: ArrayLike<number>, cost?: number) => ({
  ...Object.fromEntries(Array.from(w, (value, i) => [`w${i + 1}`, value.toFixed(4)])),
  b: b[0].toFixed(4),
  cost: cost?.toFixed(6) ?? '',
});
console.table({
  'data came from': row(truth, [3]),
  'normal equations': row(exact.kernel.dataSync(), exact.bias.dataSync(), exact.loss),
  [`SGD, ${epochs} epochs`]: row(kernel, bias, loss),
});
const away = Math.max(...kernel.map((value, i) => Math.abs(value - exact.kernel.dataSync()[i])));
console.log(`Largest difference of the weights: ${away.toExponential(1)}`);
