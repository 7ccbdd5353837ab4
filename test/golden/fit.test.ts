import { setDevice } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';
import {
  column,
  expectClose,
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
  metrics: string[];
  fit: {
    validationSplit?: number;
    validationData?: boolean;
    validationWeight?: boolean;
    sampleWeight?: boolean;
    classWeight?: Record<string, number>;
    weightedMetrics?: string[];
  };
  start: Values[];
  evaluateBefore: Record<string, number>;
  history: Record<string, number[]>;
  evaluateAfter: Record<string, number>;
  predict: number[][];
}

interface Golden {
  weights: number[];
  weightsTest: number[];
  batchSize: number;
  epochs: number;
  x: number[][];
  xTest: number[][];
  y: Record<string, Values>;
  yTest: Record<string, Values>;
  cases: Case[];
}

const golden = read<Golden>('fit-keras');

function expectScores(
  actual: Record<string, number | number[]>,
  expected: Record<string, number | number[]>,
  where: string,
) {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [key, values] of Object.entries(expected)) {
    // Accuracies are counts of rows: a wrong one is off by 1/43 at least.
    expectClose(actual[key]!, values, `${where} ${key}`, { relative: 1e-4, absolute: 1e-7 });
  }
}

describe.each(testDevices)('fit, evaluate and predict beside Keras, on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it.each(rowsOn(device, golden.cases, ({ loss }) => loss.name))('$name', async (row) => {
    const {
      validationSplit,
      validationData,
      validationWeight,
      sampleWeight,
      classWeight,
      weightedMetrics = [],
    } = row.fit;
    const net = makeNet(row.layers, golden.x[0]!.length, row.start);
    net.compile({ optimizer: makeOptimizer(row), loss: makeLoss(row.loss), metrics: row.metrics, weightedMetrics });
    const xTest = column(golden.xTest, 'x');
    const yTest = column(golden.yTest[row.targets]!, row.targets);

    const testing = { batchSize: 7, verbose: 0 as const, ...(sampleWeight && { sampleWeight: golden.weightsTest }) };
    expectScores(await net.evaluate(xTest, yTest, testing), row.evaluateBefore, 'evaluate before');
    const history = await net.fit(column(golden.x, 'x'), column(golden.y[row.targets]!, row.targets), {
      batchSize: golden.batchSize,
      epochs: golden.epochs,
      shuffle: false,
      verbose: 0,
      ...(validationSplit !== undefined && { validationSplit }),
      ...(validationData && !validationWeight && { validationData: [xTest, yTest] as const }),
      ...(validationWeight && { validationData: [xTest, yTest, golden.weightsTest] as const }),
      ...(sampleWeight && { sampleWeight: golden.weights }),
      ...(classWeight && { classWeight }),
    });
    expectScores(history.history, row.history, 'history');
    expectScores(await net.evaluate(xTest, yTest, testing), row.evaluateAfter, 'evaluate after');

    const predicted = await net.predict(xTest, { batchSize: 7 });
    expect(predicted.shape).toEqual([golden.xTest.length, row.predict[0]!.length]);
    expectClose(await predicted.data(), row.predict, 'predict', { relative: 1e-4, absolute: 1e-6 });
  });
});
