// Initial values: equal units stay equal for ever, so that symmetry must be broken; and the scale decides whether activations vanish,
// keep their size or explode from layer to layer (S55, S56, S58).
//   node --import tsx examples/lecture/symmetry.ts [--steps 50 --depth 10]
import { initializers, layers, ops, seed as seedRandom, sequential, tensor } from 'downhill';
import { settings } from '../support/settings.js';
import { deviation, normal } from './support/random.js';
import { drawCurves, pictures } from './support/picture.js';

const { steps, depth, units, seed, out } = settings({ steps: 50, depth: 10, units: 100, out: pictures });
seedRandom(seed);
const [x, y] = [normal(64 * 4, seed), normal(64, seed + 1)];
const starts = {
  zeros: initializers.zeros(),
  'constant 0.5': initializers.constant({ value: 0.5 }),
  glorotUniform: initializers.glorotUniform({ seed }),
};
const rows = [];
for (const [title, kernelInitializer] of Object.entries(starts)) {
  const net = sequential([
    layers.dense({ units: 3, activation: 'tanh', kernelInitializer, inputShape: [4] }),
    layers.dense({ units: 1, kernelInitializer }),
  ]);
  net.compile({ optimizer: 'adam', loss: 'mse' });
  const { history } = await net.fit(x, y, { epochs: steps, batchSize: 64, verbose: 0 });
  const columns = ops.transpose(net.getWeights()[0]);
  const [first, ...others] = (await columns.array()) as number[][];
  const equal = others.every((unit) => unit.every((value, i) => value === first[i]));
  rows.push([title, { 'hidden units': equal ? 'all equal' : 'different', loss: history.loss.at(-1)!.toFixed(4) }]);
}
console.log(`Three hidden units after ${steps} steps of Adam`);
console.table(Object.fromEntries(rows));

// A deep network of tanh: the deviation of its activations by layer, for several scales of normal weights.
const scales = {
  'too small, 0.3/√n': 0.3 / Math.sqrt(units),
  '1/√n': 1 / Math.sqrt(units),
  'too large, 3/√n': 3 / Math.sqrt(units),
};
const curves = Object.entries(scales).map(([title, stddev], k) => {
  let h = tensor(normal(256 * units, seed + 2), [256, units]);
  const values = Array.from({ length: depth }, (_, layer) => {
    const kernel = tensor(normal(units * units, seed + 10 * k + layer + 3, stddev), [units, units]);
    h = ops.tanh(ops.matmul(h, kernel));
    return deviation(h.dataSync());
  });
  return { title, values };
});
console.log(`\nStandard deviation of the activations of ${depth} layers of ${units} tanh units`);
console.table(
  Object.fromEntries(
    curves.map(({ title, values }) => [
      title,
      { first: values[0].toFixed(4), last: values[depth - 1].toExponential(2) },
    ]),
  ),
);
drawCurves(out, 'initial-scales', curves, { x: { label: 'layer' }, y: { label: 'deviation', type: 'log' } });
