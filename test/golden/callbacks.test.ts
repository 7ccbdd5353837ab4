import { callbacks, layers, optimizers, sequential } from 'downhill';
import { describe, expect, it, vi } from 'vitest';
import { close } from '../support.js';
import { read } from './golden.js';

type Values = (number | null)[];

interface Golden {
  rate: number;
  plateau: { options: object; values: Values; logged: number[]; rates: number[] }[];
  stopping: {
    options: object;
    values: Values;
    epochs: number;
    stoppedEpoch: number;
    best: number;
    bestEpoch: number;
    weights: number | null;
  }[];
  scheduler: number[];
  epochs: {
    rows: number;
    options: { stepsPerEpoch: number; validationFreq: number | number[]; validationSteps: number | null };
    steps: number[];
    tests: number[];
  }[];
}

const golden = read<Golden>('callbacks');

/** As much of a model as the callbacks need. */
function modelWith(learningRate: number) {
  const optimizer = optimizers.sgd({ learningRate });
  const model = {
    compiled: { optimizer },
    stopTraining: false,
    trainingBatch: () => null,
    epoch: 0,
    weights: null as unknown,
    getWeights: () => model.epoch,
    setWeights: (weights: unknown) => {
      model.weights = weights;
    },
  };
  return { model, optimizer };
}
const logsOf = (value: number | null): Record<string, number> => (value === null ? { loss: 1 } : { val_loss: value });
const quietly = (work: () => void) => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  work();
  warn.mockRestore();
};
const titled = <T extends { options: object }>(rows: T[]) =>
  rows.map((row, i) => [`${i}: ${JSON.stringify(row.options)}`, row] as const);

describe('reduceLROnPlateau', () => {
  it.each(titled(golden.plateau))('%s', (_, { options, values, logged, rates }) => {
    const callback = callbacks.reduceLROnPlateau({ monitor: 'val_loss', ...options });
    const { model, optimizer } = modelWith(golden.rate);
    Object.assign(callback, { model });
    callback.onTrainBegin();
    const found: { logged: number[]; rates: number[] } = { logged: [], rates: [] };
    quietly(() => {
      values.forEach((value, epoch) => {
        const logs = logsOf(value);
        callback.onEpochEnd(epoch, logs);
        found.logged.push(logs.learning_rate);
        found.rates.push(optimizer.learningRate);
      });
    });
    // Keras keeps the rate in float32.
    rates.forEach((rate, i) => {
      close([found.rates[i] / rate, found.logged[i] / logged[i]], [1, 1], 1e-5);
    });
    expect(new Set(rates).size).toBeGreaterThan(1);
  });
});

describe('earlyStopping', () => {
  it.each(titled(golden.stopping))('%s', (_, { options, values, epochs, weights, ...state }) => {
    const callback = callbacks.earlyStopping({ monitor: 'val_loss', ...options });
    const { model } = modelWith(golden.rate);
    Object.assign(callback, { model });
    callback.onTrainBegin();
    quietly(() => {
      for (; model.epoch < values.length; model.epoch++) {
        callback.onEpochEnd(model.epoch, logsOf(values[model.epoch]));
        if (model.stopTraining) break;
      }
    });
    callback.onTrainEnd();
    const { stoppedEpoch, best, bestEpoch } = callback;
    expect({ stoppedEpoch, best, bestEpoch }).toEqual(state);
    expect(Math.min(model.epoch + 1, values.length)).toBe(epochs);
    expect(model.weights).toBe(weights);
  });
});

describe('epochs', () => {
  it.each(titled(golden.epochs))('%s', async (_, { rows, options, steps, tests }) => {
    const found: { steps: number[]; tests: number[] } = { steps: [], tests: [] };
    const x = new Float32Array(rows);
    const net = sequential([layers.dense({ units: 1, inputShape: [1] })]);
    net.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    await net.fit(x, x, {
      ...options,
      validationSteps: options.validationSteps ?? undefined,
      batchSize: 2,
      epochs: 6,
      validationData: [x, x],
      validationBatchSize: 3,
      verbose: 0,
      callbacks: [
        {
          onEpochBegin: () => {
            found.steps.push(0);
            found.tests.push(0);
          },
          onTrainBatchEnd: () => void found.steps.push(found.steps.pop()! + 1),
          onTestBatchEnd: () => void found.tests.push(found.tests.pop()! + 1),
        },
      ],
    });
    warn.mockRestore();
    expect(found).toEqual({ steps, tests });
  });
});

it('learningRateScheduler', () => {
  const callback = callbacks.learningRateScheduler((epoch, rate) => rate * Math.exp(-0.1 * epoch) + 0.001);
  const { model } = modelWith(golden.rate);
  Object.assign(callback, { model });
  callback.onTrainBegin();
  const found = golden.scheduler.map((_, epoch) => {
    const logs: Record<string, number> = {};
    callback.onEpochBegin(epoch);
    callback.onEpochEnd(epoch, logs);
    return logs.learning_rate;
  });
  golden.scheduler.forEach((rate, i) => {
    close(found[i] / rate, 1, 1e-5);
  });
});
