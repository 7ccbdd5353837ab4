// Activations, elementwise in float32.
import { checkFlag, checkNumber, Options } from '../../options.js';
import { call } from '../call.js';
import type { Unary } from '../signatures.js';
import { unary } from './elementwise.js';

/** max(x, 0); NaN stays NaN, gradient 0 at 0. */
export const relu = unary('relu');
/** 1/(1 + e⁻ˣ). */
export const sigmoid = unary('sigmoid');
/** Hyperbolic tangent. */
export const tanh = unary('tanh');
/** log(1 + eˣ). */
export const softplus = unary('softplus');
/** x/(1 + |x|). */
export const softsign = unary('softsign');
/** x · sigmoid(x), also called swish. */
export const silu = unary('silu');
/** scale · (x > 0 ? x : alpha · (eˣ − 1)), scale 1.0507…, alpha 1.6733… (Klambauer et al. 2017). */
export const selu = unary('selu');

function withAlpha(op: string, fallback: number): Unary<[options?: { alpha?: number }]> {
  return ((x, options?: { alpha?: number }) => {
    const read = new Options<{ alpha?: number }>(`ops.${op}`, options, ['alpha']);
    return call(op, [x], { alpha: checkNumber(`ops.${op}: alpha`, read.raw.alpha ?? fallback) });
  }) as Unary<[options?: { alpha?: number }]>;
}

/** x > 0 ? x : alpha · x; alpha 0.2 by default, as in Keras. */
export const leakyRelu = withAlpha('leakyRelu', 0.2);
/** x > 0 ? x : alpha · (eˣ − 1); alpha 1 by default. */
export const elu = withAlpha('elu', 1);

/** x · Φ(x), exact; with `approximate` the tanh form of Hendrycks and Gimpel 2016. */
export const gelu = ((x, options?: { approximate?: boolean }) => {
  const read = new Options<{ approximate?: boolean }>('ops.gelu', options, ['approximate']);
  return call('gelu', [x], { approximate: checkFlag('ops.gelu: approximate', read.raw.approximate ?? false) });
}) as Unary<[options?: { approximate?: boolean }]>;
