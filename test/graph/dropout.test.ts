import { describe, expect, test } from 'vitest';
import { compile, layers, ops, optimizers, seed, sequential, tensor, variable } from '../../lib/index.js';
import type { SymbolicTensor } from '../../lib/index.js';

const dropping = () => sequential([layers.dropout({ rate: 0.5, inputShape: [64] })]);
const ones = tensor(new Float32Array(64).fill(1), [1, 64]);

describe('dropout in functions of the user', () => {
  test('a compiled function draws anew at each call, the same draws after the same seed', async () => {
    const runs: number[][][] = [];
    for (let run = 0; run < 2; run++) {
      seed(3);
      const net = dropping();
      const f = compile((x: SymbolicTensor) => net.apply(x, { training: true }) as SymbolicTensor);
      const masks: number[][] = [];
      for (let i = 0; i < 3; i++) masks.push(Array.from(await (await f(ones)).data()));
      runs.push(masks);
    }
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[0][0]).not.toEqual(runs[0][1]);
    expect(runs[0][1]).not.toEqual(runs[0][2]);
  });

  test('minimize draws anew at each call', async () => {
    seed(4);
    const net = dropping();
    const v = variable(new Float32Array(64), { shape: [1, 64] });
    const optimizer = optimizers.sgd({ learningRate: 1 });
    const step = async () => {
      v.assign(new Float32Array(64));
      await optimizer.minimize(() => ops.sum(net.apply(ops.add(v, 0), { training: true })), [v]);
      return Array.from(v.dataSync());
    };
    const first = await step();
    expect(first.some((value) => value === 0)).toBe(true);
    expect(first.some((value) => value === -2)).toBe(true);
    expect(await step()).not.toEqual(first);
  });
});
