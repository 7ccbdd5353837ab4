// Ill-conditioning in two dimensions: gradient descent zigzags across a ravine, momentum does not (S41, S48, S49, S51, S59, S61–S64).
//   node --import tsx examples/lecture/ravine.ts [--steps 60]
import { optimizers } from 'downhill';
import { settings } from '../support/settings.js';
import { coordinateDescent, descend, drawPaths, type Point, printPaths } from './support/paths.js';
import { Plot, pictures } from './support/picture.js';
import { ravine } from './support/surfaces.js';

const { steps, kappa, out } = settings({ steps: 60, kappa: 25, out: pictures });
const surface = ravine(kappa);
const start: Point = [-9, 2];
// Plain descent diverges beyond 2/κ; this is just below.
const learningRate = 1.9 / kappa;

const gradientDescent = await descend('gradient descent', surface, optimizers.sgd({ learningRate }), start, steps);
const momentum = await descend(
  'momentum',
  surface,
  optimizers.sgd({ learningRate: learningRate / 2, momentum: 0.8 }),
  start,
  steps,
);
const nesterov = await descend(
  'Nesterov momentum',
  surface,
  optimizers.sgd({ learningRate: learningRate / 2, momentum: 0.8, nesterov: true }),
  start,
  steps,
);
const coordinates = await coordinateDescent(surface, start, 4);
const paths = [gradientDescent, momentum, nesterov, coordinates];
console.log(`½(x² + ${kappa} y²) from (${start.join(', ')}), ${steps} steps`);
printPaths(paths);
await drawPaths(out, 'ravine', surface, paths);

// At each point of the path of momentum, the step that gradient descent would take there.
const arrows = momentum.points.map(([x, y]) => ({
  x,
  y,
  x2: x * (1 - learningRate),
  y2: y * (1 - learningRate * kappa),
}));
const arrow = Plot.arrow(arrows, {
  x1: 'x',
  y1: 'y',
  x2: 'x2',
  y2: 'y2',
  stroke: 'black',
  headLength: 6,
  strokeWidth: 0.9,
});
await drawPaths(out, 'momentum', surface, [momentum], [arrow]);

const adaptive = [
  await descend('AdaGrad', surface, optimizers.adagrad({ learningRate: 1.5, preset: 'book' }), start, steps),
  await descend('RMSProp', surface, optimizers.rmsprop({ learningRate: 0.3, preset: 'book' }), start, steps),
  await descend(
    'RMSProp, Nesterov',
    surface,
    optimizers.rmsprop({ learningRate: 0.05, momentum: 0.8, nesterov: true, preset: 'book' }),
    start,
    steps,
  ),
  await descend('delta-bar-delta', surface, optimizers.deltaBarDelta({ learningRate: 0.02 }), start, steps),
  await descend('Adam', surface, optimizers.adam({ learningRate: 0.5, preset: 'book' }), start, steps),
];
printPaths(adaptive);
await drawPaths(out, 'adaptive', surface, adaptive);
