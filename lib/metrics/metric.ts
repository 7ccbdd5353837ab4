// Metrics that are no mean over examples: each batch adds numbers, and what they come to is worked out when it is shown.
import type { Configurable } from '../config/registry.js';
import type { Config } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import * as ops from '../graph/ops.js';
import { shaped } from '../graph/ops/reductions.js';
import type { Result } from '../graph/signatures.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import { currentTrace } from '../graph/trace.js';
import { alignRanks } from '../losses/align.js';
import { classNameOf, type LossOptions } from '../losses/loss.js';
import type { Measure } from '../losses/measure.js';
import { expand, toFloat } from '../losses/weights.js';
import { checkCount, type Options } from '../options.js';
import type { TensorLike } from '../tensor/convert.js';
import { tensor } from '../tensor/make.js';
import { type Shape, shapeText, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/**
 * A metric of the user's own that is exact over batches: `update` gives what a batch adds to the sums, as a graph of ops that is traced once
 * and runs natively; the sums of all batches, in double, go to `result` when the metric is shown.
 *
 * @example
 * // Pearson's correlation, for a model with one output
 * const correlation = {
 *   name: 'correlation',
 *   sums: 6,
 *   update: (t, p, w) => [w, ops.mul(w, t), ops.mul(w, p), ops.mul(w, ops.mul(t, t)), ops.mul(w, ops.mul(p, p)), ops.mul(w, ops.mul(t, p))]
 *     .map((x) => ops.sum(x)),
 *   result: ([n, t, p, tt, pp, tp]) => (n * tp - t * p) / Math.sqrt((n * tt - t * t) * (n * pp - p * p)),
 * };
 */
export interface StreamingMetric {
  /** The key of its numbers in logs; those of several results get _0, _1, … */
  readonly name: string;
  /** How many numbers a batch adds; a function of the model's output shape (without the batch) where it depends on it. */
  readonly sums: number | ((outputShape: Shape) => number);
  /**
   * One value of ops or several, together `sums` numbers. Targets and predictions are those of the batch; weights, [n, 1, …] with the rank
   * of the predictions, are 1 unless the metric is among weightedMetrics and there is sampleWeight, and 0 for masked steps.
   */
  update(yTrue: SymbolicTensor, yPred: SymbolicTensor, weight: SymbolicTensor): Result | readonly Result[];
  /** What sums over any number of batches come to. */
  result(sums: Float64Array): number | number[];
}

/** A metric of the library that is exact over batches; callable on concrete values. */
export interface Metric extends MetricParts, Configurable {
  (yTrue: TensorLike, yPred: TensorLike): Tensor;
}

/** A metric but for its call. */
export interface MetricParts {
  /** The key of its numbers in logs. */
  readonly label: string;
  /** @internal */
  readonly className: string;
  /** @internal */
  readonly measure: Pick<Measure, 'sizes' | 'contribute' | 'result'>;
}

/**
 * @param kind its name in camelCase
 * @param measure its sums over a batch, and what they come to
 */
export function makeMetric(
  kind: string,
  read: Options<LossOptions>,
  measure: MetricParts['measure'],
  config: Config = {},
  className = classNameOf(kind),
): Metric {
  const label = read.text('name', kind);
  const compute = (yTrue: TensorLike, yPred: TensorLike) => {
    if (currentTrace() || [yTrue, yPred].some((value: unknown) => value instanceof SymbolicTensor))
      throw new DownhillError(
        'UNSUPPORTED',
        `${kind} is no function of ops: call it on concrete values, or give it to compile as a metric.`,
      );
    const [t, p] = [shaped(kind, yTrue), shaped(kind, yPred)];
    const parts = measure.contribute(t, p, null);
    const sums = parts.flatMap((part) => (typeof part === 'number' ? part : [...(part as Tensor).dataSync()]));
    return tensor(measure.result(Float64Array.from(sums)));
  };
  return Object.assign(compute, { label, className, measure, getConfig: () => ({ name: label, ...config }) }) as Metric;
}

export function isMetric(value: unknown): value is Metric {
  return typeof value === 'function' && typeof (value as Partial<Metric>).measure === 'object';
}

export function isStreaming(value: unknown): value is StreamingMetric {
  if (typeof value !== 'object' || value === null) return false;
  const { update, result } = value as Partial<StreamingMetric>;
  return typeof update === 'function' && typeof result === 'function';
}

/** What update() gave, as one vector. */
function joined(label: string, given: unknown, count: number): Result {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  const vectors = list.map((value) => {
    if (!(value instanceof SymbolicTensor || value instanceof Tensor))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${label}: update() must return values made by ops, or a list of them; it returned ${show(value)}.`,
      );
    return ops.reshape(toFloat(value), [sizeOf(value.shape)]);
  });
  const found = vectors.reduce((total, vector) => total + vector.shape[0], 0);
  if (found !== count)
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `${label}: update() must return ${count} numbers in all, as \`sums\` says; it returned ${found}, of shapes ` +
        `${list.map((value) => shapeText((value as Result).shape)).join(', ')}.`,
    );
  return vectors.length === 1 ? vectors[0] : ops.concat(vectors);
}

/** A metric of the user's own as a measure. */
export function streamingMeasure(what: string, metric: StreamingMetric): Measure {
  const label = metric.name;
  if (typeof label !== 'string' || label === '')
    throw new DownhillError('INVALID_ARGUMENT', `${what} needs a name, the key of its numbers in logs.`);
  const count = (outputShape: Shape) =>
    checkCount(`metric "${label}": sums`, typeof metric.sums === 'function' ? metric.sums(outputShape) : metric.sums);
  if (typeof metric.sums !== 'function') count([]);
  return {
    label,
    source: metric,
    sizes: (outputShape) => [count(outputShape)],
    contribute: (yTrue, yPred, weight) => {
      const [t, p] = alignRanks(label, yTrue, yPred) as [SymbolicTensor, SymbolicTensor];
      const ones = () => ops.broadcastTo(1, [p.shape[0], ...p.shape.slice(1).map(() => 1)]);
      const w = shaped(label, weight ? expand(label, weight, p.shape) : ones()) as SymbolicTensor;
      return [joined(`metric "${label}"`, metric.update(t, p, w), count(yPred.shape.slice(1)))];
    },
    result: (sums) => checkNumbers(label, metric.result(sums)),
  };
}

function checkNumbers(label: string, result: unknown): number | number[] {
  const numbers: unknown[] = Array.isArray(result) ? result : [result];
  if (numbers.length > 0 && numbers.every((item) => typeof item === 'number')) return result as number | number[];
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `metric "${label}": result() must return a number or a list of numbers; it returned ${show(result)}.`,
  );
}
