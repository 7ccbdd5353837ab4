// Matrix products, and functions of rows.
import { Options } from '../../options.js';
import { call } from '../call.js';
import type { Binary, Unary } from '../signatures.js';
import type { Value } from '../trace.js';
import { binary } from './elementwise.js';
import { integers } from './movement.js';
import { checkAxis } from './reductions.js';

export interface MatmulOptions {
  /** Transpose the last two axes of a first; false by default. */
  transposeA?: boolean;
  /** Transpose the last two axes of b first; false by default. */
  transposeB?: boolean;
}

const plain = Object.freeze({ transposeA: false, transposeB: false });

/**
 * Matrix product a [..., m, k] · b [..., k, n] → [..., m, n], in float32; leading axes broadcast.
 *
 * @throws SHAPE_MISMATCH unless the inner dimensions agree
 * @example ops.matmul(x, w, { transposeB: true });
 */
export const matmul = ((a: Value, b: Value, options?: MatmulOptions) => {
  if (options === undefined) return call('matmul', [a, b], plain);
  const read = new Options<MatmulOptions>('ops.matmul', options, ['transposeA', 'transposeB']);
  const transposeA = read.flag('transposeA', false);
  return call('matmul', [a, b], { transposeA, transposeB: read.flag('transposeB', false) });
}) as Binary<[options?: MatmulOptions]>;

function alongAxis(op: string): Unary<[axis?: number]> {
  return ((x: Value, axis = -1) => call(op, [x], { axis: checkAxis(`ops.${op}`, axis) })) as Unary<[axis?: number]>;
}

/** eˣ / Σ eˣ along an axis, by default the last. */
export const softmax = alongAxis('softmax');
/** x − log Σ eˣ along an axis, by default the last. */
export const logSoftmax = alongAxis('logSoftmax');

/** −Σ targets · logSoftmax(logits) over the last axis: (logits [..., c], targets [..., c]) → [...]. */
export const softmaxCrossEntropy = binary('softmaxCrossEntropy');
/** −logSoftmax(logits)[label]: (logits [..., c], labels int32 [...]) → [...]. Throws LABEL_OUT_OF_RANGE when run. */
export const sparseSoftmaxCrossEntropy = ((logits: Value, labels: Value) =>
  call('sparseSoftmaxCrossEntropy', [logits, integers('ops.sparseSoftmaxCrossEntropy: labels', labels)])) as Binary;

/** −Σ targets · log p over the last axis, p normalised to sum 1 and kept in [1e-7, 1 − 1e-7] as in Keras. */
export const categoricalCrossEntropy = binary('categoricalCrossEntropy');
/** −log p[label], p kept in [1e-7, 1 − 1e-7]: (probabilities [..., c], labels int32 [...]) → [...]. */
export const sparseCategoricalCrossEntropy = ((probabilities: Value, labels: Value) =>
  call('sparseCategoricalCrossEntropy', [
    probabilities,
    integers('ops.sparseCategoricalCrossEntropy: labels', labels),
  ])) as Binary;
/** −(t log p + (1 − t) log(1 − p)), elementwise, p kept in [1e-7, 1 − 1e-7]: (probabilities, targets) of one shape. */
export const binaryCrossEntropy = binary('binaryCrossEntropy');
