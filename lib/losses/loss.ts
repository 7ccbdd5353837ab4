// What a loss is: a function of targets and predictions, as a mean and example by example.
import { type Configurable, type Entry, register } from '../config/registry.js';
import type { Config } from '../config/values.js';
import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import { shaped } from '../graph/ops/reductions.js';
import type { Binary, Result } from '../graph/signatures.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import type { Value } from '../graph/trace.js';
import type { Options } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import { alignLabels, alignOutputs, alignRanks, type TargetKind } from './align.js';
import { countedFactor, expand, maskFor, perRow, toFloat } from './weights.js';

/**
 * A loss or metric: `loss(yTrue, yPred)` is the mean over examples, `loss.perExample(yTrue, yPred)` the vector of them; both on
 * symbolic or concrete values.
 */
export interface Loss extends Binary, LossParts, Configurable {}

/** A loss but for its call, so that a function in its place gets the types of its arguments. */
export interface LossParts {
  /** [n] */
  readonly perExample: Binary;
  /** The key of its numbers in logs. */
  readonly label: string;
  /** @internal */
  readonly targets: TargetKind;
  /** @internal Of the classes. */
  readonly axis: number;
  /** @internal */
  readonly className: string;
  /** @internal */
  readonly weigh: (yTrue: Value, yPred: Value, weight: Result | null) => Weighed;
}

/** Values of a batch, row by row. */
export interface Weighed {
  /** [n], each times its weight. */
  values: Result;
  /** [n]; null: 1 each. */
  weights: Result | null;
  /** What the mean is to be multiplied with where some elements do not count; null: 1. */
  factor: Result | null;
}

/** Options that all losses and metrics have. */
export interface LossOptions {
  /** The key of its numbers in logs; by default its own name. */
  name?: string;
}

/** A loss or metric of the user's own: a scalar mean, or values [n, …] whose mean is taken. */
export type LossFunction = (yTrue: SymbolicTensor, yPred: SymbolicTensor) => Result;

/** What some losses need beside their formula. */
export interface Extras {
  /** Its options but for the name. */
  config?: Config;
  /** Keras's name of the class, where it is not the kind with a capital. */
  className?: string;
  /** The axis that the formula finds last; −1 by default. */
  axis?: number;
  /** 1 for the elements that count, 0 for others, in the shape of the values. */
  mask?: (yTrue: Result) => Result;
}

/**
 * A loss from its formula, which receives targets and predictions brought to the shapes that `targets` says, with the axis of the
 * classes last.
 *
 * @param kind its name in camelCase; the class in configs is the same name with a capital
 */
export function makeLoss(
  kind: string,
  read: Options<LossOptions>,
  targets: TargetKind,
  formula: (yTrue: Result, yPred: Result) => Result,
  { config = {}, className = classNameOf(kind), axis = -1, mask }: Extras = {},
): Loss {
  const label = read.text('name', kind);
  const getConfig = () => ({ name: label, ...config });
  const elements = (yTrue: Value, yPred: Value) => {
    const [t, p] = aligned(kind, targets, axis, yTrue, yPred);
    return { values: toFloat(formula(t, p)), counts: mask ? toFloat(mask(t)) : null };
  };
  const perExample = (yTrue: Value, yPred: Value) => {
    const { values } = elements(yTrue, yPred);
    const mask = maskFor(yPred, values.shape);
    return perRow(mask ? ops.mul(values, mask) : values);
  };
  const mean = (yTrue: Value, yPred: Value) => {
    const { values, factor } = weigh(yTrue, yPred, null);
    return factor ? ops.mul(ops.mean(values), factor) : ops.mean(values);
  };
  const weigh = (yTrue: Value, yPred: Value, weight: Result | null): Weighed => {
    const { values, counts: own } = elements(yTrue, yPred);
    const mask = maskFor(yPred, values.shape);
    const counts = mask && own ? ops.mul(own, mask) : (own ?? (mask && ops.broadcastTo(mask, values.shape)));
    const given = weight ? expand(kind, weight, values.shape) : null;
    const weights = given && counts ? ops.mul(given, counts) : (given ?? counts);
    // Where classes are left out, the values are 0 already.
    const factors = mask ? weights : given;
    return {
      values: perRow(factors ? ops.mul(values, factors) : values),
      weights: weights && perRow(weights),
      factor: counts && countedFactor(counts),
    };
  };
  return Object.assign(mean, { perExample, label, targets, axis, className, getConfig, weigh }) as unknown as Loss;
}

function aligned(kind: string, targets: TargetKind, axis: number, yTrue: Value, yPred: Value): [Result, Result] {
  if (axis === -1) {
    const align = targets === 'labels' ? alignLabels : targets === 'output' ? alignOutputs : alignRanks;
    return align(kind, yTrue, yPred);
  }
  if (targets === 'labels') return alignLabels(kind, yTrue, axisLast(kind, shaped(kind, yPred), axis));
  const [t, p] = alignOutputs(kind, yTrue, yPred);
  return [axisLast(kind, t, axis), axisLast(kind, p, axis)];
}

/** The axis of a shape that an option names, counted from 0; it cannot be that of the rows. */
export function axisOf(where: string, axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis;
  if (at >= 1 && at < rank) return at;
  throw new DownhillError(
    'OUT_OF_RANGE',
    `${where}: axis ${axis} is none of predictions of rank ${rank}; the first axis, of the rows, cannot be taken.`,
  );
}

/** x with an axis moved to the end. */
function axisLast(where: string, x: Result, axis: number): Result {
  const rank = x.shape.length;
  const at = axisOf(where, axis, rank);
  if (at === rank - 1) return x;
  const others = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== at);
  return ops.transpose(x, [...others, at]);
}

/** Of a row of outputs: what is left when the axis of the classes is taken away. */
export function elementShape(where: string, outputShape: Shape, axis: number): Shape {
  if (outputShape.length === 0) return outputShape;
  const at = axisOf(where, axis, outputShape.length + 1) - 1;
  return outputShape.filter((_, i) => i !== at);
}

/** Registers factories of losses or metrics, by their names in camelCase. */
export function registerLosses(
  kind: 'loss' | 'metric',
  factories: Readonly<Record<string, (options?: LossOptions) => unknown>>,
  accepts: (value: unknown) => boolean = (value) => typeof value === 'function',
): void {
  const entries = Object.values(factories).map((make) => [(make() as { className: string }).className, { make }]);
  register(kind, accepts, Object.fromEntries(entries) as Record<string, Entry>);
}

export function classNameOf(kind: string): string {
  return kind.charAt(0).toUpperCase() + kind.slice(1);
}

export function isLoss(value: unknown): value is Loss {
  return typeof value === 'function' && typeof (value as Partial<Loss>).perExample === 'function';
}
