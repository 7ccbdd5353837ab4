import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setDevice } from 'downhill';
import { goHome, isEmulated, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';
import {
  column,
  expectClose,
  flat,
  type LayerSpec,
  type LossSpec,
  makeLoss,
  makeNet,
  makeOptimizer,
  type OptimizerSpec,
  read,
  type Values,
} from './golden.js';

interface Case extends OptimizerSpec {
  name: string;
  layers: LayerSpec[];
  loss: LossSpec;
  targets: string;
  start: Values[];
  losses: number[];
  final: Values[];
  /** Mean absolute change of a weight in the last step. */
  lastStep: number;
}

interface Golden {
  batchSize: number;
  epochs: number;
  x: number[][];
  y: Record<string, number[] | number[][]>;
  cases: Case[];
}

const runs = ['keras', 'torch'].flatMap((oracle) => testDevices.map((device) => ({ oracle, device })));

describe.each(runs)('whole runs beside $oracle, on $device', ({ oracle, device }) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  const golden = read<Golden>(`training-${oracle}`);
  // The emulator is slow: every case by fit, some also by trainOnBatch.
  const few = isEmulated(device) ? golden.cases.slice(0, 1) : golden.cases;
  const { batchSize, epochs, x } = golden;
  const batches = Array.from({ length: Math.ceil(x.length / batchSize) }, (_, i) => [
    i * batchSize,
    Math.min((i + 1) * batchSize, x.length),
  ]);

  function prepare(row: Case) {
    const net = makeNet(row.layers, x[0]!.length, row.start);
    net.compile({ optimizer: makeOptimizer(row), loss: makeLoss(row.loss) });
    return net;
  }

  async function expectFinal(net: ReturnType<typeof prepare>, row: Case) {
    const weights = net.getWeights();
    expect(weights.length).toBe(row.final.length);
    for (const [i, weight] of weights.entries()) {
      expectClose(await weight.data(), row.final[i], `final weight ${i}`, { absolute: 0.01 * row.lastStep });
    }
  }

  it.each(few.slice(0, 4))('$name: fit and trainOnBatch agree to the last bit', async (row) => {
    const [one, other] = [prepare(row), prepare(row)];
    const y = golden.y[row.targets]!;
    await one.fit(column(x, 'x'), column(y, row.targets), { batchSize, epochs: 2, shuffle: false, verbose: 0 });
    for (let epoch = 0; epoch < 2; epoch++) {
      for (const [begin, end] of batches) {
        const rows = y.slice(begin, end) as Values;
        await other.trainOnBatch(column(x.slice(begin, end), 'x'), column(rows, row.targets));
      }
    }
    for (const [i, weight] of one.getWeights().entries()) {
      expect(await weight.data()).toEqual(await other.getWeights()[i]!.data());
    }
  });

  it.each(few)('$name, by trainOnBatch', async (row) => {
    const net = prepare(row);
    const losses: number[] = [];
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const [begin, end] of batches) {
        const rows = golden.y[row.targets]!.slice(begin, end) as Values;
        const { loss } = await net.trainOnBatch(column(x.slice(begin, end), 'x'), column(rows, row.targets));
        losses.push(loss!);
      }
    }
    expectClose(losses, row.losses, 'loss of step', { relative: 1e-4 });
    await expectFinal(net, row);
  });

  it.each(rowsOn(device, golden.cases, ({ optimizer }) => optimizer))('$name, by fit', async (row) => {
    const net = prepare(row);
    const history = await net.fit(column(x, 'x'), column(golden.y[row.targets]!, row.targets), {
      batchSize,
      epochs,
      shuffle: false,
      verbose: 0,
    });
    // An epoch's loss is the mean over its rows, each batch with the weights of its own step.
    const expected = Array.from({ length: epochs }, (_, epoch) => {
      const sums = batches.map(([begin, end], i) => row.losses[epoch * batches.length + i]! * (end! - begin!));
      return sums.reduce((a, b) => a + b) / x.length;
    });
    expectClose(history.history.loss!, expected, 'loss of epoch', { relative: 1e-4 });
    expect(flat(history.epoch)).toEqual(expected.map((_, epoch) => epoch));
    await expectFinal(net, row);
  });
});
