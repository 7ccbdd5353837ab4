import { tensor, variable } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { goHome, goTo, places } from '../support-devices.js';
import { thinned } from '../thin.js';
import { expectClose, makeOptimizer, type OptimizerSpec, read, type Values } from './golden.js';

interface Golden {
  start: number[][];
  gradients: number[][][];
  cases: (OptimizerSpec & { name: string; rates?: number[]; after: Record<string, Values[]> })[];
}

const runs = ['keras', 'torch', 'book', 'papers'].flatMap((oracle) => places.map((place) => ({ oracle, ...place })));

describe.each(runs)('update rules of $oracle, on $title', ({ oracle, ...place }) => {
  beforeAll(() => goTo(place));
  afterAll(goHome);

  const golden = read<Golden>(`update-rules-${oracle}`);

  // Whole where the best instruction set is.
  const rows = place.isa === binding.isas().at(-1) ? golden.cases : thinned(golden.cases, ({ optimizer }) => optimizer);
  it.each(rows)('$name', async (row) => {
    const variables = golden.start.map((values, i) => variable(values, { name: `v${i}` }));
    const optimizer = makeOptimizer(row);
    for (const [step, gradients] of golden.gradients.entries()) {
      if (row.rates) optimizer.learningRate = row.rates[step]!;
      await optimizer.applyGradients(gradients.map((gradient, i) => [tensor(gradient), variables[i]!]));
      const expected = row.after[step + 1];
      if (!expected) continue;
      for (const [i, v] of variables.entries()) {
        expectClose(await v.data(), expected[i], `update ${step + 1}, variable ${i}`, {
          relative: 1e-6,
          absolute: 1e-6,
        });
      }
    }
    const perUpdate = (row.options.gradientAccumulationSteps as number | undefined) ?? 1;
    expect(optimizer.iterations).toBe(Math.floor(golden.gradients.length / perUpdate));
  });
});

it('keeps slots with the variables: other pairs in between change nothing', async () => {
  const golden = read<Golden>('update-rules-keras');
  const row = golden.cases.find(({ name }) => name === 'momentum')!;
  const variables = golden.start.map((values) => variable(values));
  const optimizer = makeOptimizer(row);
  for (const gradients of golden.gradients)
    await optimizer.applyGradients(gradients.map((g, i) => [tensor(g), variables[i]!] as const).reverse());
  const expected = row.after[golden.gradients.length]!;
  for (const [i, v] of variables.entries())
    expectClose(await v.data(), expected[i], `variable ${i}`, { relative: 1e-6, absolute: 1e-6 });
});
