import { constraints, ops, setDevice, tensor, variable } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';
import { expectClose, makeOptimizer, type OptimizerSpec, read, type Values } from './golden.js';

interface Spec {
  constraint: 'maxNorm' | 'minMaxNorm' | 'nonNeg' | 'unitNorm';
  options: object;
}

interface Golden {
  weights: Record<string, number[]>;
  values: (Spec & { weights: string; value: Values })[];
  start: number[][];
  gradients: number[][][];
  /** By variable. */
  on: Spec[];
  updates: (OptimizerSpec & { name: string; after: Values[][]; final: Values[] })[];
}

const golden = read<Golden>('constraints');
const make = ({ constraint, options }: Spec) => constraints[constraint](options);
const tolerance = { relative: 1e-6, absolute: 1e-6 };

describe.each(testDevices)('constraints on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it.each(rowsOn(device, golden.values, ({ constraint }) => constraint))(
    '$constraint $options of a $weights',
    async (row) => {
      expectClose(await make(row)(tensor(golden.weights[row.weights]!)).data(), row.value, 'value', tolerance);
    },
  );

  it.each(rowsOn(device, golden.updates, ({ optimizer }) => optimizer))('after updates: $name', async (row) => {
    const variables = golden.start.map((values, i) => variable(values, { constraint: make(golden.on[i]!) }));
    const optimizer = makeOptimizer(row);
    const steps = (row.options.gradientAccumulationSteps as number | undefined) ?? 1;
    for (const [step, gradients] of golden.gradients.entries()) {
      const before = variables.map((v) => v.dataSync());
      await optimizer.applyGradients(gradients.map((gradient, i) => [tensor(gradient), variables[i]!]));
      for (const [i, v] of variables.entries())
        if ((step + 1) % steps > 0) expect(v.dataSync()).toEqual(before[i]);
        else
          expectClose(
            v.dataSync(),
            row.after[(step + 1) / steps - 1]![i],
            `step ${step + 1}, variable ${i}`,
            tolerance,
          );
    }
    optimizer.finalizeVariableValues(variables);
    for (const [i, v] of variables.entries()) expectClose(v.dataSync(), row.final[i], `final ${i}`, tolerance);
  });

  it('minimize with a function of one’s own', async () => {
    const w = variable([3, -4], { constraint: (weights) => ops.clip(weights, -1, 2) });
    await makeOptimizer({ optimizer: 'sgd', options: { learningRate: 0.25 } }).minimize(
      () => ops.sum(ops.square(w)),
      [w],
    );
    expect([...w.dataSync()]).toEqual([1.5, -1]);
  });
});
