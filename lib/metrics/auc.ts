// Area under a curve of true and false positives over thresholds.
import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { alignOutputs } from '../losses/align.js';
import { kEpsilon } from '../epsilon.js';
import type { LossOptions } from '../losses/loss.js';
import { Options } from '../options.js';
import { tensor } from '../tensor/make.js';
import { type Shape, shapeText } from '../tensor/shape.js';
import { above, countTargets, exceeded, exceededOfEven, ratio, readThresholds, weightsLike } from './confusion.js';
import { areaUnder, type AucCurve, type Confusion, type SummationMethod } from './curves.js';
import { type Metric, makeMetric } from './metric.js';

export interface AucOptions extends LossOptions {
  /** Thresholds, evenly over [0, 1] with the ends a little outside; at least 2, 200 by default. */
  numThresholds?: number;
  /** 'ROC' (the default): true positive rate over false positive rate; 'PR': precision over recall; 'PRGAIN': their gains. */
  curve?: AucCurve;
  /** Between thresholds: 'interpolation' (the default), or the smaller ('minoring') or larger ('majoring') height. */
  summationMethod?: SummationMethod;
  /** Thresholds in [0, 1] of your own, to which −ε and 1 + ε are added; then numThresholds is theirs. */
  thresholds?: readonly number[] | null;
  /** The mean of the areas of each label of outputs [n, labels], instead of the area of all together; false by default. */
  multiLabel?: boolean;
  /** Labels, with multiLabel: checked against the outputs. */
  numLabels?: number | null;
  /** One weight for each entry of the last axis; null by default. */
  labelWeights?: readonly number[] | null;
  /** Predictions are logits instead of probabilities; false by default. */
  fromLogits?: boolean;
}

function readWeights(read: Options<AucOptions>): number[] | null {
  const given: unknown = read.raw.labelWeights;
  if (given === undefined || given === null) return null;
  if (Array.isArray(given) && given.length > 0 && given.every((item) => Number.isFinite(item) && item >= 0))
    return [...given] as number[];
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${read.what('labelWeights')} must be a list of numbers at least 0; received ${JSON.stringify(given)}.`,
  );
}

/** Whether they are those that numThresholds stands for. */
function areEven(thresholds: readonly number[]): boolean {
  const last = thresholds.length + 1;
  return thresholds.length > 0 && thresholds.every((value, i) => Math.abs(value - (i + 1) / last) <= kEpsilon);
}

/**
 * The area under the ROC or precision-recall curve: (t [n, …] of 0 and 1, p [n, …] probabilities).
 *
 * The curve is taken at a number of thresholds, as in Keras; targets are counted between them natively, batch by batch, so the area over
 * batches is the area over all of their rows.
 *
 * @example
 * metrics.auc({ curve: 'PR' })([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]); // 0.7973
 * @see Fawcett 2006, An introduction to ROC analysis; Davis & Goadrich 2006, for interpolation under 'PR'
 */
export function auc(options?: AucOptions): Metric {
  const read = new Options<AucOptions>('metrics.auc', options, [
    'numThresholds',
    'curve',
    'summationMethod',
    'thresholds',
    'multiLabel',
    'numLabels',
    'labelWeights',
    'fromLogits',
    'name',
  ]);
  const own = readThresholds(read)?.sort((a, b) => a - b) ?? null;
  const count = own ? own.length + 2 : read.count('numThresholds', 200, { min: 2 });
  const curve = read.oneOf<AucCurve>('curve', ['ROC', 'PR', 'PRGAIN'], 'ROC');
  const method = read.oneOf<SummationMethod>(
    'summationMethod',
    ['interpolation', 'minoring', 'majoring'],
    'interpolation',
  );
  const multiLabel = read.flag('multiLabel', false);
  const numLabels = read.optionalCount('numLabels') ?? null;
  if (numLabels !== null && !multiLabel)
    throw new DownhillError('INVALID_ARGUMENT', 'metrics.auc: numLabels is for multiLabel alone.');
  const labelWeights = readWeights(read);
  const fromLogits = read.flag('fromLogits', false);
  const thresholds = own && !areEven(own) ? [-kEpsilon, ...own, 1 + kEpsilon] : null;

  const check = (shape: Shape) => {
    const labels = shape.at(-1)!;
    const wanted = labelWeights?.length ?? numLabels;
    if ((!multiLabel || shape.length === 2) && (wanted === null || wanted === labels)) return labels;
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `metrics.auc ${multiLabel ? 'with multiLabel' : 'with labelWeights'} takes outputs [n, ${wanted ?? 'labels'}]; received ` +
        `${shapeText(shape)}.`,
    );
  };
  const contribute = (yTrue: Result, yPred: Result, weight: Result | null) => {
    const [t, given] = alignOutputs('auc', yTrue, yPred);
    const labels = check(t.shape);
    const p = fromLogits ? ops.sigmoid(given) : given;
    const index = thresholds ? exceeded(p, thresholds) : exceededOfEven(p, count);
    let weights = weightsLike('auc', weight, t);
    if (labelWeights && !multiLabel) {
      const each = ops.broadcastTo(tensor(Float32Array.from(labelWeights)), t.shape);
      weights = weights ? ops.mul(weights, each) : each;
    }
    return countTargets(t, index, weights, count, multiLabel ? labels : 1);
  };
  const result = (sums: Float64Array) => {
    const half = sums.length / 2;
    const labels = half / (count + 1);
    const [positive, negative] = [sums.subarray(0, half), sums.subarray(half)];
    let [total, weight] = [0, 0];
    for (let label = 0; label < labels; label++) {
      const share = multiLabel && labelWeights ? labelWeights[label] : 1;
      total += share * areaUnder(curve, method, confusionOf(positive, negative, labels, label));
      weight += share;
    }
    return ratio(total, weight);
  };
  const sizes = (outputShape: Shape) => {
    const size = (count + 1) * (multiLabel ? (outputShape.at(-1) ?? 1) : 1);
    return [size, size];
  };
  const config = {
    numThresholds: count,
    curve,
    summationMethod: method,
    thresholds: own,
    multiLabel,
    numLabels,
    labelWeights,
    fromLogits,
  };
  return makeMetric('auc', read, { sizes, contribute, result }, config, 'AUC');
}

/** At every threshold, for one label. */
function confusionOf(positive: Float64Array, negative: Float64Array, labels: number, label: number): Confusion {
  const [truePositives, falsePositives] = [above(positive, labels, label), above(negative, labels, label)];
  const all = (counts: Float64Array) => counts.reduce((sum, value, i) => (i % labels === label ? sum + value : sum), 0);
  return { truePositives, falsePositives, positives: all(positive), negatives: all(negative) };
}
