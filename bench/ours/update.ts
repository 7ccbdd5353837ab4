import { binding } from '../../lib/binding/index.js';
import { initializers, optimizers, setThreads } from '../../lib/index.js';
import { placeWeights, Weight } from '../../lib/layers/weight.js';
import type { UpdateCase } from '../cases/index.js';

type Factory = (options: Record<string, unknown>) => optimizers.Optimizer;

/** The update alone: parameters and gradients lie as those of a model do. */
export async function update(spec: UpdateCase, threads: number): Promise<number[]> {
  const { tensors, elements, calls, samples } = spec;
  setThreads(threads);
  const random = () => Float32Array.from({ length: elements }, () => Math.random() - 0.5);
  const initializer = initializers.randomUniform({ minval: -0.5, maxval: 0.5 });
  const weights = Array.from(
    { length: tensors },
    (_, i) => new Weight(`w${i}`, [elements], initializer, null, null, { path: 'layer', trainable: true }),
  );
  placeWeights(weights);
  const variables = weights.map((weight) => weight.variable);
  const gradients = binding.arena(Array.from({ length: tensors }, () => elements * 4));
  binding.storagesWrite(
    gradients,
    gradients.map(() => 'float32' as const),
    gradients.map(random),
  );
  const make = (optimizers as unknown as Record<string, Factory>)[spec.optimizer]!;
  const optimizer = make({ ...spec.options, preset: 'torch' });
  const updater = optimizer.bind(variables, gradients);
  const run = async (count: number) => {
    for (let i = 0; i < count; i++) await binding.updaterApply(updater, 'cpu');
  };
  await run(3);
  const times: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const start = performance.now();
    await run(calls);
    times.push(((performance.now() - start) * 1000) / calls);
  }
  for (const made of variables) made.dispose();
  for (const gradient of gradients) binding.storageDispose(gradient);
  optimizer.dispose();
  return times;
}
