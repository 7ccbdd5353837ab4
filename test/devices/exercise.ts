// Every op with its gradient on a few shapes, and a few training steps, on one device: a program for compute-sanitizer, which looks for
// accesses out of bounds and races; values are what the tests look at.
//   node --import tsx test/devices/exercise.ts DEVICE [SECONDS]        ends after so many seconds, wherever it is
import { type Computed, float32 } from '../conformance/problems.js';
import { cases } from '../conformance/cases.js';
import { grad, layers, ops, optimizers, sequential, setDevice, type Tensor } from 'downhill';
import fc from 'fast-check';
import { quadrants, randomArray } from '../support.js';

const device = process.argv[2] ?? 'cuda';
const deadline = process.argv[3] ? 1000 * Number(process.argv[3]) : Infinity; // of the process's life
setDevice(device);

let done = 0;
let all = 0;
/** Counts one computation; false when the time is up. */
function next(): boolean {
  all++;
  const goes = performance.now() < deadline;
  if (goes) done++;
  return goes;
}

async function steps() {
  const { x, labels } = quadrants(50);
  for (const precision of ['float32', 'tf32', 'bfloat16'] as const)
    for (const optimizer of [
      optimizers.sgd({ learningRate: 0.01, momentum: 0.9, nesterov: true, clipNorm: 0.1 }),
      optimizers.adam({ globalClipNorm: 0.5, weightDecay: 0.01 }),
    ]) {
      if (!next()) continue;
      const net = sequential(
        [
          layers.dense({ units: 33, activation: 'gelu', inputShape: [2] }),
          layers.dropout({ rate: 0.3 }),
          layers.dense({ units: 2, activation: 'softmax' }),
        ],
        { precision },
      );
      net.compile({ optimizer, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
      await net.fit(x, labels, { batchSize: 16, epochs: 2, validationSplit: 0.2, verbose: 0 });
      await net.predict(randomArray(14, 3));
    }
}

await steps(); // first: in little time they see the most kernels
for (const { gradient, problems } of cases)
  for (const problem of fc.sample(problems, { numRuns: 2, seed: 11 })) {
    if (!next()) continue;
    const inputs = problem.inputs.map(float32);
    await (problem.call(inputs) as Tensor).data();
    if (gradient === 'check' && inputs.length > 0) {
      const derivatives = await grad(
        (...xs: Computed[]) => ops.sum(problem.call(xs)) as never,
        [...inputs.keys()],
      )(...(inputs as [Tensor]));
      for (const derivative of derivatives as unknown as Tensor[]) await derivative.data();
    }
  }
console.log(
  `${done === all ? done : `${done} of ${all}`} computations on ${device}${done < all ? ': the time was up' : ''}`,
);
