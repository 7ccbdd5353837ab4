// Where training starts decides where it ends: local descent on a function with many valleys, from several starting points (S39).
//   node --import tsx examples/lecture/starting-points.ts [--starts 12 --steps 80]
import { ops, optimizers } from 'downhill';
import { settings } from '../support/settings.js';
import { descend, drawPaths, last, type Path, type Point } from './support/paths.js';
import { pictures } from './support/picture.js';
import { uniform } from './support/random.js';
import type { Surface } from './support/surfaces.js';

const { starts, steps, seed, out } = settings({ starts: 12, steps: 80, out: pictures });
/** Four bells side by side. */
const bells = (value: Parameters<typeof ops.mul>[1]) =>
  [-3, -1, 1, 3].map((at) => ops.exp(ops.mul(-2, ops.square(ops.sub(value, at))))).reduce((a, b) => ops.add(a, b));
/** A wide bowl with sixteen dents, of which one is the deepest. */
const dents: Surface = {
  at: (x, y) => {
    const bowl = ops.mul(0.05, ops.add(ops.square(ops.sub(x, 1)), ops.square(ops.add(y, 1))));
    return ops.sub(bowl, ops.mul(bells(x), bells(y)));
  },
  x: [-4.5, 4.5],
  y: [-4.5, 4.5],
};
const [xs, ys] = [uniform(starts, seed, -4, 4), uniform(starts, seed + 1, -4, 4)];
const paths: Path[] = [];
for (let i = 0; i < starts; i++) {
  const start: Point = [xs[i], ys[i]];
  paths.push(await descend(`${i + 1}`, dents, optimizers.sgd({ learningRate: 0.1 }), start, steps));
}
const ends = paths.map(({ values }) => last(values));
const order = [...ends.keys()].sort((a, b) => ends[a] - ends[b]);
console.table(
  Object.fromEntries(
    order.map((i) => [
      `start ${i + 1}`,
      {
        from: paths[i].points[0].map((value) => value.toFixed(2)).join(', '),
        to: last(paths[i].points)
          .map((value) => value.toFixed(2))
          .join(', '),
        f: ends[i].toFixed(4),
      },
    ]),
  ),
);
const different = new Set(ends.map((value) => value.toFixed(2))).size;
console.log(
  `${starts} starting points end in ${different} different values; the best is ${Math.min(...ends).toFixed(4)}.`,
);
await drawPaths(out, 'starting-points', dents, paths);
