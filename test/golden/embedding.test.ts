import { constraints, layers, regularizers, sequential } from 'downhill';
import { describe, expect, it } from 'vitest';
import { isEmulated, testDevices } from '../support-devices.js';
import { expectClose, makeOptimizer, type OptimizerSpec, read, type Values } from './golden.js';

interface Case extends OptimizerSpec {
  name: string;
  layer: { l2?: number; maxNorm?: number };
  start: number[][][];
  losses: number[];
  final: Values[];
  predict: Values;
}

interface Golden {
  batchSize: number;
  epochs: number;
  words: number;
  width: number;
  x: number[][];
  y: number[];
  cases: Case[];
}

const golden = read<Golden>('embedding');
const { batchSize, epochs, words, width, x, y } = golden;

describe.each(testDevices)('networks that begin with an embedding, on %s', (device) => {
  it.each(isEmulated(device) ? golden.cases.slice(0, 4) : golden.cases)('$name', async (row) => {
    const { l2, maxNorm } = row.layer;
    const net = sequential(
      [
        layers.embedding({
          inputDim: words,
          outputDim: width,
          inputShape: [x[0]!.length],
          ...(l2 !== undefined && { embeddingsRegularizer: regularizers.l2({ l2 }) }),
          ...(maxNorm !== undefined && { embeddingsConstraint: constraints.maxNorm({ maxValue: maxNorm, axis: 1 }) }),
        }),
        layers.flatten(),
        layers.dense({ units: 2, activation: 'softmax' }),
      ],
      { device },
    );
    net.setWeights(row.start);
    net.compile({ optimizer: makeOptimizer(row), loss: 'sparseCategoricalCrossentropy' });
    const losses: number[] = [];
    for (let epoch = 0; epoch < epochs; epoch++)
      for (let begin = 0; begin < x.length; begin += batchSize) {
        const end = begin + batchSize;
        losses.push((await net.trainOnBatch(x.slice(begin, end), y.slice(begin, end))).loss!);
      }
    expectClose(losses, row.losses, 'loss of step', { relative: 2e-5 });
    for (const [i, weight] of net.getWeights().entries())
      expectClose(await weight.data(), row.final[i], `final weight ${i}`, { absolute: 3e-6, relative: 1e-5 });
    expectClose(await (await net.predict(x)).data(), row.predict, 'prediction', { relative: 2e-5 });
    if (device !== 'cpu') return;
    const left = ['sgd', 'adagrad', 'ftrl'].includes(row.optimizer) && !row.options.momentum && maxNorm === undefined;
    const plan = net.program('train').describe();
    expect(plan.includes('touched rows'), plan).toBe(l2 === undefined);
    expect(plan.includes('(also updated alone)')).toBe(left && l2 === undefined);
  });
});
