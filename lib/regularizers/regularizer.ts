// What a regularizer is: a penalty on weights that is added to the loss.
import type { Configurable } from '../config/registry.js';
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';

/** weights → scalar */
export type Regularizer = (weights: Result) => Result;

/** A regularizer of the library, which says what it was made from. */
export interface Penalty extends Regularizer, Configurable {
  /** @internal */
  readonly className: string;
}

/** l1·Σ|w| + l2·Σw², without the terms whose factor is 0. */
export function penalty(className: string, factors: { l1?: number; l2?: number }): Penalty {
  const { l1 = 0, l2 = 0 } = factors;
  const formula = (weights: Result) => {
    const absolute = () => ops.mul(ops.sum(ops.abs(weights)), l1);
    const squared = () => ops.mul(ops.sum(ops.square(weights)), l2);
    if (l1 === 0) return squared();
    return l2 === 0 ? absolute() : ops.add(absolute(), squared());
  };
  return Object.assign(formula, { className, getConfig: () => ({ ...factors }) });
}
