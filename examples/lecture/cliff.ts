// A step from the edge of a cliff throws the parameters far away; with its gradient clipped it stays (S36).
//   node --import tsx examples/lecture/cliff.ts [--steps 20]
import { optimizers } from 'downhill';
import { settings } from '../support/settings.js';
import { descend, drawPaths, type Point, printPaths } from './support/paths.js';
import { pictures } from './support/picture.js';
import { cliff } from './support/surfaces.js';

const { steps, out } = settings({ steps: 20, out: pictures });
const start: Point = [4, 3];
const learningRate = 1;
const paths = [
  await descend('not clipped', cliff, optimizers.sgd({ learningRate }), start, steps),
  await descend('clipNorm 1', cliff, optimizers.sgd({ learningRate, clipNorm: 1 }), start, steps),
  await descend('clipValue 1', cliff, optimizers.sgd({ learningRate, clipValue: 1 }), start, steps),
];
console.log(`From (${start.join(', ')}), at rate ${learningRate}; the wall is at x = 1`);
printPaths(paths);
console.table(
  Object.fromEntries(
    paths.map(({ title, points }) => {
      const jumps = points.slice(1).map(([x, y], i) => Math.hypot(x - points[i][0], y - points[i][1]));
      return [title, { 'longest step': Number(Math.max(...jumps).toFixed(3)) }];
    }),
  ),
);
await drawPaths(out, 'cliff', cliff, paths);
