// Brings targets and predictions together, as every loss and metric needs them.
import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import { shaped } from '../graph/ops/reductions.js';
import type { Result } from '../graph/signatures.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import type { Value } from '../graph/trace.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/** What the targets of a loss or metric look like: like the predictions, or integer labels without the last axis. */
export type TargetKind = 'output' | 'labels' | 'either';

/** Targets with the rank of the predictions where one of them lacks, or has, a last axis of length 1. */
function sameRank(yTrue: Result, yPred: Result): Result {
  const [t, p] = [yTrue.shape, yPred.shape];
  if (t.length + 1 === p.length && p.at(-1) === 1) return ops.reshape(yTrue, [...t, 1]);
  if (t.length === p.length + 1 && t.at(-1) === 1) return ops.reshape(yTrue, t.slice(0, -1));
  return yTrue;
}

/** Integer labels [...] for predictions [..., classes]; a last axis of length 1 is dropped. */
export function alignLabels(where: string, yTrue: Value, yPred: Value): [labels: Result, predictions: Result] {
  const predictions = shaped(where, yPred);
  const p = predictions.shape;
  const given = yTrue instanceof SymbolicTensor || yTrue instanceof Tensor ? yTrue : asLabels(where, yTrue);
  const labels = given.dtype === 'int32' ? given : ops.cast(given, 'int32');
  if (p.length >= 2 && sameShape(labels.shape, p.slice(0, -1))) return [labels, predictions];
  if (p.length >= 2 && sameShape(labels.shape, [...p.slice(0, -1), 1]))
    return [ops.reshape(labels, p.slice(0, -1)), predictions];
  throw new DownhillError(
    'SHAPE_MISMATCH',
    `${where}: expected predictions [n, …, classes] and one integer label for each; received predictions ${shapeText(p)} ` +
      `and targets ${shapeText(given.shape)}.${sameShape(given.shape, p) ? ' One-hot targets need the categorical form.' : ''}`,
  );
}

function asLabels(where: string, yTrue: Value): Result {
  return ops.cast(shaped(where, yTrue), 'int32');
}

/** Targets and predictions of one shape, [n, …]. */
export function alignOutputs(where: string, yTrue: Value, yPred: Value): [targets: Result, predictions: Result] {
  const predictions = shaped(where, yPred);
  const targets = sameRank(shaped(where, yTrue), predictions);
  const p = predictions.shape;
  if (p.length >= 1 && sameShape(targets.shape, p)) return [targets, predictions];
  const labels = p.length >= 2 && p.at(-1)! > 1 && sameShape(targets.shape, p.slice(0, -1));
  throw new DownhillError(
    'SHAPE_MISMATCH',
    `${where}: targets must have the shape of the predictions, [n, …]; received predictions ${shapeText(p)} and targets ` +
      `${shapeText(targets.shape)}.${labels ? ' For integer labels use the sparse form, or data.toCategorical.' : ''}`,
  );
}

/** For functions of the user's own: ranks agree as in Keras, shapes are theirs to check. */
export function alignRanks(where: string, yTrue: Value, yPred: Value): [Result, Result] {
  const predictions = shaped(where, yPred);
  return [sameRank(shaped(where, yTrue), predictions), predictions];
}
