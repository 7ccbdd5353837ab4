// Losses and metrics as a training step needs them: numbers that every batch adds up, and what they come to.
import { DownhillError, show } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import { type Shape, shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { alignRanks, type TargetKind } from './align.js';
import { isLoss, type Loss, type LossFunction } from './loss.js';
import { countedFactor, expand, maskFor, perRow, toFloat } from './weights.js';

/** A metric of `compile`, once resolved. */
export interface Measure {
  label: string;
  /** What it was resolved from. */
  source: object;
  /** Whether `contribute` gives masked steps of predictions weight 0 itself. */
  masks?: true;
  /** Elements of each of its sums, for outputs of a shape (without the batch). */
  sizes(outputShape: Shape): number[];
  /** What a batch adds to the sums, float32; numbers where it does not depend on the batch's values. Weights are [n, …]; null: 1 each. */
  contribute(yTrue: Result, yPred: Result, weight: Result | null): (Result | number)[];
  /** What sums over any number of batches come to; several numbers become several logs. */
  result(sums: Float64Array): number | number[];
}

/** The loss of `compile`, once resolved. */
export interface LossMeasure {
  label: string;
  targets: TargetKind;
  /** Of the classes. */
  axis: number;
  source: Loss | LossFunction;
  /** Sum over the rows of the batch, each times its weight. */
  sum(yTrue: Result, yPred: Result, weight: Result | null): Result;
}

/** Σ / weight; 0 where all weights are 0, as in Keras. */
export function meanOf(sum: number, weight: number): number {
  return weight === 0 ? 0 : sum / weight;
}

function checkResult(label: string, result: unknown, rows: number): Result {
  if (!(result instanceof SymbolicTensor || result instanceof Tensor))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${label} must return a value made by ops, a scalar or [n, …]; it returned ${show(result)}.`,
    );
  if (result.shape.length > 0 && result.shape[0] !== rows)
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `${label} must return a scalar or one value per example, [${rows}, …]; it returned ${shapeText(result.shape)}.`,
    );
  return result;
}

/** Values of a function of the user's own: [n] with weights, or a mean of the batch. */
function callFunction(label: string, call: LossFunction, yTrue: Result, yPred: Result, weight: Result | null) {
  const rows = yPred.shape[0];
  const result = checkResult(
    label,
    call(...(alignRanks(label, yTrue, yPred) as [SymbolicTensor, SymbolicTensor])),
    rows,
  );
  if (result.shape.length === 0) {
    if (weight)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${label} returned a scalar, which cannot be weighted: with sampleWeight or classWeight it must return one value per example, ` +
          `[${rows}, …].`,
      );
    return { sum: ops.mul(toFloat(result), rows), weights: null, factor: null };
  }
  const mask = maskFor(yPred, result.shape);
  const counts = mask && ops.broadcastTo(mask, result.shape);
  const expanded = weight && expand(label, weight, result.shape);
  const given = expanded && counts ? ops.mul(expanded, counts) : (expanded ?? counts);
  const values = given ? ops.mul(toFloat(result), given) : result;
  return { sum: ops.sum(perRow(values)), weights: given && perRow(given), factor: counts && countedFactor(counts) };
}

export function lossMeasure(label: string, source: Loss | LossFunction): LossMeasure {
  if (!isLoss(source)) {
    const sum = (yTrue: Result, yPred: Result, weight: Result | null) => {
      const found = callFunction(label, source, yTrue, yPred, weight);
      return found.factor ? ops.mul(found.sum, found.factor) : found.sum;
    };
    return { label, targets: 'either', axis: -1, source, sum };
  }
  const sum = (yTrue: Result, yPred: Result, weight: Result | null) => {
    const { values, factor } = source.weigh(yTrue, yPred, weight);
    return factor ? ops.mul(ops.sum(values), factor) : ops.sum(values);
  };
  return { label, targets: source.targets, axis: source.axis, source, sum };
}

/** The mean of a loss, a metric or a function over all examples. */
export function meanMeasure(label: string, source: Loss | LossFunction): Measure {
  const contribute = (yTrue: Result, yPred: Result, weight: Result | null) => {
    const rows = yPred.shape[0];
    if (!isLoss(source)) {
      const { sum, weights } = callFunction(label, source, yTrue, yPred, weight);
      return [sum, weights ? ops.sum(weights) : rows];
    }
    const { values, weights } = source.weigh(yTrue, yPred, weight);
    return [ops.sum(values), weights ? ops.sum(weights) : rows];
  };
  const result = ([sum, weight]: Float64Array) => meanOf(sum, weight);
  return { label, source, masks: true, sizes: () => [1, 1], contribute, result };
}
