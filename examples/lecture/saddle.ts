// A saddle point holds gradient descent up, since its gradient vanishes there; momentum and adaptive rates leave it sooner (S34).
//   node --import tsx examples/lecture/saddle.ts [--steps 120]
import { grad, hvp, optimizers, type SymbolicTensor, tensor } from 'downhill';
import { settings } from '../support/settings.js';
import { descend, drawPaths, type Point, printPaths, valueAt } from './support/paths.js';
import { pictures } from './support/picture.js';
import { saddle } from './support/surfaces.js';

const { steps, out } = settings({ steps: 120, out: pictures });

// The gradient at the saddle is zero, but the Hessian has eigenvalues of both signs: here it is diagonal.
const f = (point: SymbolicTensor) => valueAt(saddle, point) as SymbolicTensor;
const origin = tensor([0, 0]);
console.log(`Gradient at (0, 0): ${await (await grad(f)(origin)).array()}`);
const columns = await Promise.all(
  [tensor([1, 0]), tensor([0, 1])].map(async (v) => (await hvp(f)([origin], [v]))[0].array()),
);
console.log(`Hessian at (0, 0): ${JSON.stringify(columns)}`);

const start: Point = [-3.5, 1e-3];
const paths = [
  await descend('gradient descent', saddle, optimizers.sgd({ learningRate: 0.1 }), start, steps),
  await descend('momentum', saddle, optimizers.sgd({ learningRate: 0.1, momentum: 0.8 }), start, steps),
  await descend('RMSProp', saddle, optimizers.rmsprop({ learningRate: 0.05, preset: 'book' }), start, steps),
  await descend('Adam', saddle, optimizers.adam({ learningRate: 0.1, preset: 'book' }), start, steps),
];
const left = paths.map(({ points }) => points.findIndex(([, y]) => Math.abs(y) > 1));
console.log(`\nSteps until it has left the saddle (|y| > 1), from (${start.join(', ')}):`);
console.table(
  Object.fromEntries(paths.map(({ title }, i) => [title, { steps: left[i] < 0 ? `more than ${steps}` : left[i] }])),
);
printPaths(paths);
await drawPaths(out, 'saddle', saddle, paths);
