// How far an update moves the weights.
import { compile } from '../graph/compile.js';
import * as ops from '../graph/ops.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import { DownhillError, show } from '../errors.js';
import type { Model } from '../model/model.js';
import { sameShape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/**
 * The update-to-weight ratio ‖w − w₀‖ / ‖w₀‖ of each trained weight, by its name in net.parameters, between a copy of the weights before an
 * update and the model now. About 1e-3 is usual; far more is a rate too large, far less one too small. Infinity where w₀ is zero, as biases often
 * are at the start, and 0 where it did not move.
 *
 * @param before what net.getWeights() gave before the update, or several
 * @throws (rejects) SHAPE_MISMATCH unless `before` has a tensor for each weight
 * @example
 * const before = net.getWeights();
 * await net.trainOnBatch(x, y);
 * const ratios = await diagnostics.updateRatios(net, before);   // { 'dense/kernel': 0.0012, … }
 */
export async function updateRatios(net: Model, before: readonly Tensor[]): Promise<Record<string, number>> {
  const { weights } = net;
  const fits = (value: unknown, i: number) => value instanceof Tensor && sameShape(value.shape, weights[i].shape);
  if (!Array.isArray(before) || before.length !== weights.length || !before.every(fits))
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `diagnostics.updateRatios: expected what net.getWeights() gave, ${weights.length} tensors; received ${show(before)}.`,
    );
  const after = net.getWeights();
  const squares = compile(
    (...values: SymbolicTensor[]) =>
      weights.flatMap((_, i) => {
        const [now, then] = [values[i], values[weights.length + i]];
        return [ops.sum(ops.square(ops.sub(now, then))), ops.sum(ops.square(then))];
      }),
    { device: net.device },
  );
  const sums = (await squares(...after, ...before)).map((value) => value.dataSync()[0]);
  squares.dispose();
  for (const tensor of after) tensor.dispose();
  const ratios: Record<string, number> = {};
  weights.forEach(({ trainable, variable }, i) => {
    const [moved, size] = [sums[2 * i], sums[2 * i + 1]];
    if (trainable) ratios[variable.name] = moved === 0 ? 0 : Math.sqrt(moved / size);
  });
  return ratios;
}
