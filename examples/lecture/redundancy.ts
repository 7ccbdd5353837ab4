// A training set may be redundant: with m identical examples the gradient of one is the gradient of all, for 1/m of the work (S18).
//   node --import tsx examples/lecture/redundancy.ts [--copies 1000]
import { losses, ops, type SymbolicTensor, tensor, valueAndGrad } from 'downhill';
import { settings } from '../support/settings.js';
import { normal } from './support/random.js';

const { copies, seed } = settings({ copies: 1000 });
const features = 20;
const example = normal(features, seed);
const w = tensor(normal(features, seed + 1), [features, 1]);
const loss = losses.binaryCrossentropy({ fromLogits: true });
const gradient = valueAndGrad(
  (w: SymbolicTensor, x: SymbolicTensor, y: SymbolicTensor) => loss(y, ops.matmul(x, w)) as SymbolicTensor,
);
/** Loss and gradient over `rows` copies of the example. */
async function over(rows: number) {
  const x = tensor(
    Float32Array.from({ length: rows * features }, (_, i) => example[i % features]),
    [rows, features],
  );
  const [value, d_w] = await gradient(w, x, ops.broadcastTo(tensor([[1]]), [rows, 1]));
  return { value: (await value.data())[0], gradient: await d_w.data() };
}
const [all, one] = [await over(copies), await over(1)];
const apart = Math.max(...Array.from(all.gradient, (value, i) => Math.abs(value - one.gradient[i])));
console.table({
  [`${copies} copies`]: {
    'examples read': copies,
    loss: all.value.toFixed(6),
    '‖g‖': Math.hypot(...all.gradient).toFixed(6),
  },
  'one of them': { 'examples read': 1, loss: one.value.toFixed(6), '‖g‖': Math.hypot(...one.gradient).toFixed(6) },
});
console.log(`Largest difference of the gradients: ${apart.toExponential(1)}`);
