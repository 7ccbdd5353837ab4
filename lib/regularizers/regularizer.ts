// What a regularizer is: a penalty on weights, or on what a layer gives, that is added to the loss.
import type { Configurable } from '../config/registry.js';
import { DownhillError, show } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { shapeText } from '../tensor/shape.js';

/** weights, or a layer's output [n, …] → scalar */
export type Regularizer = (weights: Result) => Result;

/** A regularizer of the library, which says what it was made from. */
export interface Penalty extends Regularizer, Configurable {
  /** @internal */
  readonly className: string;
}

/** A formula that says of itself what it was made from. */
export function configured(className: string, config: Record<string, number | string>, formula: Regularizer): Penalty {
  return Object.assign((weights: Result) => formula(weights), { className, getConfig: () => ({ ...config }) });
}

/** What a regularizer gives, checked. `what` names it: "regularizer of dense/kernel". */
export function penaltyFor(what: string, regularizer: Regularizer, value: Result): Result {
  const penalty = regularizer(value);
  if (penalty?.shape?.length === 0) return penalty;
  throw new DownhillError(
    'SHAPE_MISMATCH',
    `The ${what} must return a scalar; it returned ${penalty?.shape ? `shape ${shapeText(penalty.shape)}` : show(penalty)}.`,
  );
}

/** l1·Σ|w| + l2·Σw², without the terms whose factor is 0. */
export function penalty(className: string, factors: { l1?: number; l2?: number }): Penalty {
  const { l1 = 0, l2 = 0 } = factors;
  return configured(className, { ...factors }, (weights) => {
    const absolute = () => ops.mul(ops.sum(ops.abs(weights)), l1);
    const squared = () => ops.mul(ops.sum(ops.square(weights)), l2);
    if (l1 === 0) return squared();
    return l2 === 0 ? absolute() : ops.add(absolute(), squared());
  });
}
