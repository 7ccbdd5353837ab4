// What the tests of saved models share.
import {
  callbacks,
  layers,
  type Model,
  optimizers,
  regularizers,
  schedules,
  seed,
  sequential,
  setThreads,
} from 'downhill';
import { binding } from '../../lib/binding/index.js';
import { storageOf } from '../../lib/tensor/tensor.js';

/** All that training has made of a model: bytes of weights and slots, by name, and counters. */
export function stateOf(net: Model): Record<string, unknown> {
  const { optimizer } = net.compiled!;
  const bytes = (values: Float32Array | Int32Array) => Buffer.from(values.buffer).toString('base64');
  const { iterations, steps, learningRate } = optimizer;
  const state: Record<string, unknown> = { iterations, steps, learningRate };
  for (const weight of net.parameters) {
    state[weight.name] = bytes(binding.storageRead(storageOf(weight), 'float32'));
    for (const { name, storage } of optimizer.slotsOf(weight) ?? [])
      state[`${name}/${weight.name}`] = bytes(binding.storageRead(storage, 'float32'));
  }
  return state;
}

export const optimizersByName = {
  sgd: () => optimizers.sgd({ learningRate: 0.05 }),
  momentum: () => optimizers.sgd({ learningRate: 0.03, momentum: 0.9 }),
  nesterov: () => optimizers.sgd({ learningRate: 0.03, momentum: 0.8, nesterov: true, clipNorm: 0.5 }),
  torchMomentum: () => optimizers.sgd({ learningRate: 0.03, momentum: 0.9, dampening: 0.1, preset: 'torch' }),
  adam: () => optimizers.adam({ learningRate: 0.01, weightDecay: 0.01 }),
  torchAdam: () => optimizers.adam({ learningRate: 0.01, preset: 'torch', globalClipNorm: 0.3 }),
  adafactor: () =>
    optimizers.adafactor({
      learningRate: 0.05,
      weightDecay: 0.01,
      useEma: true,
      emaMomentum: 0.8,
      emaOverwriteFrequency: 5,
    }),
  muon: () => optimizers.muon({ learningRate: 0.01, globalClipNorm: 0.3, gradientAccumulationSteps: 4 }),
  torchMuon: () => optimizers.muon({ learningRate: 0.01, preset: 'torch', excludeLayers: ['^dense/'] }),
  adagrad: () => optimizers.adagrad({ learningRate: 0.05, preset: 'torch', lrDecay: 0.1 }),
  nadam: () => optimizers.nadam({ learningRate: 0.01, clipNorm: 0.5 }),
  rprop: () => optimizers.rprop({ learningRate: schedules.inverseTime({ initial: 0.02, decay: 0.3 }) }),
  averaging: () =>
    optimizers.adam({
      learningRate: schedules.cosine({ initial: 0, warmupTarget: 0.02, warmupSteps: 5, steps: 20 }),
      useEma: true,
      emaMomentum: 0.8,
      emaOverwriteFrequency: 5,
    }),
  accumulating: () =>
    optimizers.sgd({
      learningRate: schedules.inverseTime({ initial: 0.1, decay: 0.2 }),
      momentum: 0.9,
      clipNorm: 0.5,
      gradientAccumulationSteps: 4,
    }),
  everything: () =>
    optimizers.adam({
      learningRate: schedules.warmup({ steps: 3, then: schedules.inverseTime({ initial: 0.03, decay: 1 }) }),
      weightDecay: 0.01,
      globalClipNorm: 0.4,
      useEma: true,
      emaMomentum: 0.7,
      emaOverwriteFrequency: 3,
      gradientAccumulationSteps: 4,
    }),
};
export type OptimizerName = keyof typeof optimizersByName;

/** 2 → 16 → 2 for quadrants(), with dropout and a regularizer. */
export function net(optimizer: OptimizerName = 'adam', from = 3): Model {
  seed(from);
  const made = sequential([
    layers.dense({ units: 16, activation: 'tanh', inputShape: [2], kernelRegularizer: regularizers.l2({ l2: 1e-3 }) }),
    layers.dropout({ rate: 0.3 }),
    layers.dense({ units: 2, activation: 'softmax' }),
  ]);
  made.compile({
    optimizer: optimizersByName[optimizer](),
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy', 'auc'],
  });
  return made;
}

/** Runs with so many threads, and gives the former number back. */
export async function withThreads<T>(count: number, work: () => Promise<T>): Promise<T> {
  const before = binding.threads();
  setThreads(count);
  try {
    return await work();
  } finally {
    setThreads(before);
  }
}

export { callbacks };
