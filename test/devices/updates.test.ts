// Update rules, clipping, decay and dropout inside of fits: the same bits on every device. The gradients of these models are exact on all of
// them, since all numbers in them have few digits.
import { layers, optimizers, schedules, seed, sequential } from 'downhill';
import { afterAll, describe, expect, test } from 'vitest';
import { bitsOf, goHome, testDevices } from '../support-devices.js';
import { thinned } from '../thin.js';

afterAll(goHome);

const rules = {
  sgd: () => optimizers.sgd({ learningRate: 0.05 }),
  'sgd, decay': () => optimizers.sgd({ learningRate: 0.05, weightDecay: 0.01 }),
  'sgd, clipValue': () => optimizers.sgd({ learningRate: 0.05, clipValue: 0.02 }),
  momentum: () => optimizers.sgd({ learningRate: 0.03, momentum: 0.9 }),
  nesterov: () => optimizers.sgd({ learningRate: 0.03, momentum: 0.8, nesterov: true, clipNorm: 0.1 }),
  'momentum of PyTorch': () =>
    optimizers.sgd({ learningRate: 0.03, momentum: 0.9, dampening: 0.1, weightDecay: 0.02, preset: 'torch' }),
  adam: () => optimizers.adam({ learningRate: 0.01, beta1: 0.8, beta2: 0.95, epsilon: 1e-5 }),
  'adam, decay': () => optimizers.adam({ learningRate: 0.01, weightDecay: 0.02 }),
  'adam, clipNorm': () => optimizers.adam({ learningRate: 0.01, clipNorm: 0.05 }),
  'adam of PyTorch': () => optimizers.adam({ learningRate: 0.01, preset: 'torch', globalClipNorm: 0.07 }),
  amsgrad: () => optimizers.adam({ learningRate: 0.01, amsgrad: true }),
  adamw: () => optimizers.adamw({ learningRate: 0.01, weightDecay: 0.1 }),
  adamax: () => optimizers.adamax({ learningRate: 0.01, clipValue: 0.05 }),
  nadam: () => optimizers.nadam({ learningRate: 0.01, beta1: 0.7 }),
  'rmsprop, centered': () => optimizers.rmsprop({ learningRate: 0.01, momentum: 0.8, centered: true }),
  'rmsprop of PyTorch': () => optimizers.rmsprop({ learningRate: 0.01, momentum: 0.8, preset: 'torch' }),
  'rmsprop of the lecture': () => optimizers.rmsprop({ momentum: 0.8, nesterov: true, preset: 'book' }),
  adagrad: () => optimizers.adagrad({ learningRate: 0.02 }),
  adadelta: () => optimizers.adadelta({ learningRate: 1 }),
  lion: () => optimizers.lion({ learningRate: 0.003, weightDecay: 0.1 }),
  ftrl: () => optimizers.ftrl({ learningRate: 0.1, l1RegularizationStrength: 0.01, beta: 0.5 }),
  'ftrl, power': () => optimizers.ftrl({ learningRate: 0.1, learningRatePower: -0.7 }),
  rprop: () => optimizers.rprop({ learningRate: 0.01 }),
  'delta-bar-delta': () => optimizers.deltaBarDelta({ learningRate: 0.01 }),
  schedule: () => optimizers.sgd({ learningRate: schedules.cosine({ initial: 0.1, steps: 7 }), momentum: 0.9 }),
  'schedule of one’s own': () => optimizers.adam({ learningRate: (step) => 0.02 / (1 + step) }),
  average: () => optimizers.adam({ learningRate: 0.01, useEma: true, emaMomentum: 0.7, emaOverwriteFrequency: 4 }),
  accumulation: () => optimizers.sgd({ learningRate: 0.05, clipNorm: 0.1, gradientAccumulationSteps: 2 }),
  'accumulation, schedule of one’s own': () =>
    optimizers.sgd({ learningRate: (step) => 0.05 / (1 + step), gradientAccumulationSteps: 2 }),
  groups: () =>
    optimizers.adam({
      learningRate: 0.01,
      clipNorm: 0.05,
      groups: [
        { match: /bias/, learningRate: (step) => 0.02 / (1 + step), clipNorm: null, weightDecay: 0.1, beta1: 0.5 },
      ],
    }),
  lamb: () => optimizers.lamb({ learningRate: 0.05, weightDecay: 0.02, clipNorm: 0.05 }),
  'lamb of the paper': () =>
    optimizers.lamb({ learningRate: 0.05, weightDecay: 0.02, preset: 'torch', gradientAccumulationSteps: 2 }),
  lars: () => optimizers.lars({ learningRate: 0.5, weightDecay: 0.02, trustCoefficient: 0.1 }),
  'lars around SGD': () =>
    optimizers.lars({ learningRate: 0.5, trustCoefficient: 0.1, nesterov: true, clipValue: 0.02, preset: 'torch' }),
  'adaptive clipping': () => optimizers.sgd({ learningRate: 0.05, momentum: 0.9, adaptiveClipFactor: 0.02 }),
  'adaptive clipping of a group, accumulation': () =>
    optimizers.adam({
      learningRate: 0.05,
      gradientAccumulationSteps: 2,
      useEma: true,
      groups: [{ match: /kernel/, adaptiveClipFactor: 0.02, adaptiveClipEpsilon: 0.1 }],
    }),
  lossScaleFactor: () => optimizers.adam({ learningRate: 0.01, lossScaleFactor: 1024, globalClipNorm: 0.07 }),
  'dynamic loss scale': () =>
    optimizers.adam({ learningRate: 0.01, lossScale: { initialScale: 2 ** 126, growthSteps: 2 } }),
  skipNonFinite: () => optimizers.adam({ learningRate: 0.01, skipNonFinite: true, gradientAccumulationSteps: 2 }),
  everything: () =>
    optimizers.adam({
      learningRate: schedules.warmup({ steps: 2, then: schedules.exponential({ initial: 0.05, rate: 0.5, steps: 2 }) }),
      weightDecay: 0.02,
      globalClipNorm: 0.07,
      useEma: true,
      emaMomentum: 0.7,
      emaOverwriteFrequency: 2,
      gradientAccumulationSteps: 2,
    }),
};

const rows = 20;
const width = 70;
/** Multiples of 1/16 in [-1, 1]. */
const x = Float32Array.from({ length: rows * width }, (_, i) => ((Math.imul(i + 1, 0x9e3779b1) >>> 8) % 33) / 16 - 1);

/** Weights after three epochs of partial batches, with dropout; the gradient of the mean output is a sum of inputs. */
async function trained(device: string, rule: keyof typeof rules, rate: number) {
  seed(6);
  const net = sequential([layers.dropout({ rate, inputShape: [width] }), layers.dense({ units: 8 })], { device });
  net.compile({ optimizer: rules[rule](), loss: (_, p) => p });
  await net.fit(x, new Float32Array(rows * 8), { batchSize: 8, epochs: 3 });
  const weights = net.getWeights().map((weight) => weight.dataSync() as Float32Array);
  return weights.flatMap((values) => [...bitsOf(values)]);
}

describe.each(testDevices)('updates on %s', (device) => {
  test.each(Object.keys(rules) as (keyof typeof rules)[])('%s', async (rule) => {
    for (const rate of thinned([0.5, 0], () => 0))
      expect(await trained(device, rule, rate)).toEqual(await trained('cpu', rule, rate));
  });
});
