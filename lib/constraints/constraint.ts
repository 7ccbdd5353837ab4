// What a constraint is: a function that puts weights back where they are allowed to be, after each update.
import type { Config } from '../config/values.js';
import type { Configurable } from '../config/registry.js';
import { kEpsilon } from '../epsilon.js';
import { DownhillError, show } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import { callTraced } from '../graph/trace.js';
import type { TensorLike } from '../tensor/convert.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';

/** weights → weights of the same shape, of ops */
export type Constraint = (weights: Result) => Result;

/** A constraint of the library, which says what it was made from. */
export interface Projection extends Configurable {
  (weights: TensorLike): Tensor;
  (weights: SymbolicTensor): SymbolicTensor;
  (weights: Result): Result;
  /** @internal */
  readonly className: string;
}

export function projection(className: string, config: Config, formula: Constraint): Projection {
  const callable = ((weights: Result) => formula(weights)) as Projection;
  return Object.assign(callable, { className, getConfig: () => ({ ...config }) });
}

/** w · desired(‖w‖) / (ε + ‖w‖), with norms along the axes. */
export function rescaled(
  weights: Result,
  axis: number | readonly number[],
  desired: (norms: Result) => Result | number,
): Result {
  const axes = typeof axis === 'number' ? axis : [...axis];
  const norms = ops.sqrt(ops.sum(ops.square(weights), axes, { keepDims: true }));
  return ops.mul(weights, ops.div(desired(norms), ops.add(norms, kEpsilon)));
}

/** The constraint applied to the value of a variable that is being updated. Throws what a wrong function gives. */
export function constrained(where: string, constraint: Constraint, weights: SymbolicTensor): SymbolicTensor {
  const value = callTraced(where, constraint as (weights: Result) => unknown, [weights]);
  if (!(value instanceof SymbolicTensor))
    throw new DownhillError(
      'TRACE_ERROR',
      `${where} must return a value computed from the weights with ops; it returned ${show(value)}.`,
    );
  if (!sameShape(value.shape, weights.shape) || value.dtype !== 'float32')
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `${where} must give float32 of shape ${shapeText(weights.shape)}; it gave ${value.dtype} of shape ${shapeText(value.shape)}.`,
    );
  return value;
}
