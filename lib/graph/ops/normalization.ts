// Normalization of rows, the last axis.
import { Options } from '../../options.js';
import { call } from '../call.js';
import type { Unary } from '../signatures.js';
import type { Value } from '../trace.js';

export interface LayerNormalizationOptions {
  /** [n], what normalized values are multiplied with; 1 by default. */
  gamma?: Value | null;
  /** [n], what is added then; 0 by default. */
  beta?: Value | null;
  /** Added to the variance; 1e-3 by default. */
  epsilon?: number;
}

export interface RmsNormalizationOptions {
  /** [n], what normalized values are multiplied with; 1 by default. */
  scale?: Value | null;
  /** Added to the mean square; 1e-6 by default. */
  epsilon?: number;
}

/**
 * gamma · (x − μ)/√(σ² + epsilon) + beta with mean μ and variance σ² (divided by n) over the last axis, in one step; so are its gradients.
 *
 * @param x [..., n]
 * @param options gamma (1), beta (0), both [n]; epsilon (1e-3)
 * @returns [..., n]
 * @throws SHAPE_MISMATCH, UNKNOWN_OPTION, INVALID_ARGUMENT, OUT_OF_RANGE
 * @example ops.layerNormalization(x, { gamma, beta, epsilon: 1e-5 });
 * @see Ba, Kiros and Hinton 2016, arXiv:1607.06450
 */
export const layerNormalization = ((x: Value, options?: LayerNormalizationOptions) => {
  const read = new Options<LayerNormalizationOptions>('ops.layerNormalization', options, ['gamma', 'beta', 'epsilon']);
  const { gamma, beta } = read.raw;
  return call('layerNormalization', present([x, gamma, beta]), {
    epsilon: read.number('epsilon', 1e-3, { min: 0 }),
    ...(gamma != null && { scale: true }),
    ...(beta != null && { center: true }),
  });
}) as Unary<[options?: LayerNormalizationOptions]>;

/**
 * scale · x/√(mean x² + epsilon), the mean over the last axis, in one step; so are its gradients.
 *
 * @param x [..., n]
 * @param options scale (1), [n]; epsilon (1e-6)
 * @returns [..., n]
 * @throws SHAPE_MISMATCH, UNKNOWN_OPTION, INVALID_ARGUMENT, OUT_OF_RANGE
 * @example ops.rmsNormalization(x, { scale, epsilon: 1e-5 });
 * @see Zhang and Sennrich 2019, arXiv:1910.07467
 */
export const rmsNormalization = ((x: Value, options?: RmsNormalizationOptions) => {
  const read = new Options<RmsNormalizationOptions>('ops.rmsNormalization', options, ['scale', 'epsilon']);
  const { scale } = read.raw;
  return call('rmsNormalization', present([x, scale]), {
    epsilon: read.number('epsilon', 1e-6, { min: 0 }),
    ...(scale != null && { scale: true }),
  });
}) as Unary<[options?: RmsNormalizationOptions]>;

function present(operands: readonly (Value | null | undefined)[]): Value[] {
  return operands.filter((operand) => operand != null);
}
