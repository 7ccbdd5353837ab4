// What a loss is: a function of targets and predictions, as a mean and example by example.
import { type Configurable, type Entry, register } from '../config/registry.js';
import type { Config } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Binary, Result } from '../graph/signatures.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import type { Value } from '../graph/trace.js';
import type { Options } from '../options.js';
import { Tensor } from '../tensor/tensor.js';
import { alignLabels, alignOutputs, alignRanks, perRow, type TargetKind } from './align.js';

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
  /** @internal */
  readonly className: string;
}

/** Options that all losses and metrics have. */
export interface LossOptions {
  /** The key of its numbers in logs; by default its own name. */
  name?: string;
}

/** A loss or metric of the user's own: a scalar mean, or values [n, …] whose mean is taken. */
export type LossFunction = (yTrue: SymbolicTensor, yPred: SymbolicTensor) => Result;

/**
 * A loss from its formula, which receives targets and predictions brought to the shapes that `targets` says.
 *
 * @param kind its name in camelCase; the class in configs is the same name with a capital
 * @param config its options but for the name
 */
export function makeLoss(
  kind: string,
  read: Options<LossOptions>,
  targets: TargetKind,
  formula: (yTrue: Result, yPred: Result) => Result,
  config: Config = {},
): Loss {
  const label = read.text('name', kind);
  const className = classNameOf(kind);
  const getConfig = () => ({ name: label, ...config });
  const align = targets === 'labels' ? alignLabels : targets === 'output' ? alignOutputs : alignRanks;
  const perExample = (yTrue: Value, yPred: Value) => perRow(formula(...align(kind, yTrue, yPred)));
  const mean = (yTrue: Value, yPred: Value) => ops.mean(perExample(yTrue, yPred));
  return Object.assign(mean, { perExample, label, targets, className, getConfig }) as unknown as Loss;
}

/** Registers factories of losses or metrics, by their names in camelCase. */
export function registerLosses(
  kind: 'loss' | 'metric',
  factories: Readonly<Record<string, (options?: LossOptions) => Loss>>,
): void {
  const entries = Object.entries(factories).map(([name, make]) => [classNameOf(name), { make }]);
  register(kind, (value) => typeof value === 'function', Object.fromEntries(entries) as Record<string, Entry>);
}

function classNameOf(kind: string): string {
  return kind.charAt(0).toUpperCase() + kind.slice(1);
}

/** Sum of a loss or metric over a batch, and its weight. */
export interface Contribution {
  sum: Result;
  weight: number;
}

/** Anything that `compile` takes as a loss or metric, once resolved. */
export interface Measure {
  label: string;
  targets: TargetKind;
  /** What it was resolved from. */
  source: Loss | LossFunction;
  /** Sum over the rows of the batch, and their number. */
  contribute(yTrue: Result, yPred: Result): Contribution;
}

export function isLoss(value: unknown): value is Loss {
  return typeof value === 'function' && typeof (value as Partial<Loss>).perExample === 'function';
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
      `${label} must return a scalar or one value per example, [${rows}, …]; it returned [${result.shape.join(', ')}].`,
    );
  return result;
}

/** A loss, or a function of the user's own, as a measure. */
export function toMeasure(label: string, value: Loss | LossFunction): Measure {
  if (isLoss(value)) {
    const contribute = (yTrue: Result, yPred: Result) => ({
      sum: ops.sum(value.perExample(yTrue, yPred)),
      weight: yPred.shape[0],
    });
    return { label, targets: value.targets, source: value, contribute };
  }
  const contribute = (yTrue: Result, yPred: Result) => {
    const rows = yPred.shape[0];
    const result = checkResult(
      label,
      value(...(alignRanks(label, yTrue, yPred) as [SymbolicTensor, SymbolicTensor])),
      rows,
    );
    const sum = result.shape.length === 0 ? ops.mul(ops.cast(result, 'float32'), rows) : ops.sum(perRow(result));
    return { sum, weight: rows };
  };
  return { label, targets: 'either', source: value, contribute };
}
