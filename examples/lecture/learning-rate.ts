// The learning rate: too small takes long, too large bounces from side to side, and one that decays settles (S43, S45–S47).
//   node --import tsx examples/lecture/learning-rate.ts [--steps 40]
import { ops, optimizers, schedules } from 'downhill';
import { settings } from '../support/settings.js';
import { descend, drawPaths, last, printPaths } from './support/paths.js';
import { drawCurves, pictures } from './support/picture.js';
import { normal } from './support/random.js';
import { ravine } from './support/surfaces.js';

const { steps, seed, out } = settings({ steps: 40, out: pictures });
const bowl = { ...ravine(4), x: [-10, 10] as [number, number], y: [-5, 5] as [number, number] };
const start = [-9, 4] as [number, number];
// f = ½(x² + 4 y²): gradient descent converges below 2/4.
const paths = [
  await descend('0.01, too small', bowl, optimizers.sgd({ learningRate: 0.01 }), start, steps),
  await descend('0.3', bowl, optimizers.sgd({ learningRate: 0.3 }), start, steps),
  await descend('0.495, bounces', bowl, optimizers.sgd({ learningRate: 0.495 }), start, steps),
  await descend('0.52, diverges', bowl, optimizers.sgd({ learningRate: 0.52 }), start, steps),
];
console.log(`½(x² + 4 y²) after ${steps} steps, by learning rate`);
printPaths(paths);
await drawPaths(out, 'learning-rate', bowl, paths);

// Gradients from samples are noisy, so that a fixed rate never settles; a rate that decays does.
const noisySteps = steps * 10;
const noise = normal(2 * (noisySteps + 1), seed);
let sample = 0;
// A minibatch sees the bowl with its lowest point moved at random.
const noisy = {
  ...bowl,
  at: (x: Parameters<typeof bowl.at>[0], y: Parameters<typeof bowl.at>[1]) => {
    sample += 2;
    return bowl.at(ops.sub(x, noise[sample - 2]), ops.sub(y, noise[sample - 1]));
  },
};
const rates = {
  'fixed, 0.3': 0.3,
  'linear decay to 0.003': schedules.linear({ initial: 0.3, final: 0.003, steps: noisySteps * 0.75 }),
  '0.3 / (1 + 0.05 k)': schedules.inverseTime({ initial: 0.3, decay: 0.05 }),
};
const curves = [];
for (const [title, learningRate] of Object.entries(rates)) {
  sample = 0;
  const { points } = await descend(title, noisy, optimizers.sgd({ learningRate }), start, noisySteps);
  curves.push({ title, values: points.map(([x, y]) => Math.hypot(x, y)) });
}
console.log(`\nDistance from the minimum with noisy gradients, mean over the last quarter of ${noisySteps} steps`);
console.table(
  Object.fromEntries(
    curves.map(({ title, values }) => {
      const end = values.slice(-Math.ceil(values.length / 4));
      return [
        title,
        {
          distance: Number((end.reduce((a, b) => a + b) / end.length).toFixed(4)),
          last: Number(last(values).toFixed(4)),
        },
      ];
    }),
  ),
);
console.log('\nDo rates go far enough, Σε = ∞, and does their noise die out, Σε² < ∞?');
console.table(
  Object.fromEntries(
    Object.entries(rates).map(([title, rate]) => {
      const { sumDiverges, squaresConverge } = schedules.check(rate);
      return [title, { 'Σε = ∞': sumDiverges, 'Σε² < ∞': squaresConverge }];
    }),
  ),
);
drawCurves(out, 'learning-rate-decay', curves, { x: { label: 'step' }, y: { label: 'distance', type: 'log' } });
