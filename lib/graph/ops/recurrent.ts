// Recurrences over all time steps of sequences.
import { DownhillError } from '../../errors.js';
import type { TensorLike } from '../../tensor/convert.js';
import type { Tensor } from '../../tensor/tensor.js';
import { call } from '../call.js';
import type { Result } from '../signatures.js';
import type { SymbolicTensor } from '../symbolic.js';
import type { Value } from '../trace.js';

interface Recurrence {
  (x: TensorLike, kernel: TensorLike, initial?: readonly TensorLike[] | null, mask?: TensorLike | null): Tensor;
  (x: SymbolicTensor, kernel: Value, initial?: readonly Value[] | null, mask?: Value | null): SymbolicTensor;
  (x: Value, kernel: SymbolicTensor, initial?: readonly Value[] | null, mask?: Value | null): SymbolicTensor;
  (x: Value, kernel: Value, initial?: readonly Value[] | null, mask?: Value | null): Result;
}

interface BiasedRecurrence {
  (
    x: TensorLike,
    kernel: TensorLike,
    bias: TensorLike,
    initial?: readonly TensorLike[] | null,
    mask?: TensorLike | null,
  ): Tensor;
  (
    x: SymbolicTensor,
    kernel: Value,
    bias: Value,
    initial?: readonly Value[] | null,
    mask?: Value | null,
  ): SymbolicTensor;
  (
    x: Value,
    kernel: SymbolicTensor,
    bias: Value,
    initial?: readonly Value[] | null,
    mask?: Value | null,
  ): SymbolicTensor;
  (x: Value, kernel: Value, bias: Value, initial?: readonly Value[] | null, mask?: Value | null): Result;
}

type Initial = readonly Value[] | null | undefined;
const kMasked = Object.freeze({ masked: true });

function recurrence(
  op: string,
  names: string,
  operands: readonly Value[],
  initial: Initial,
  mask: Value | null | undefined,
) {
  const count = names.split(', ').length;
  if (initial !== undefined && initial !== null && (!Array.isArray(initial) || initial.length !== count))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `ops.${op}: initial: expected a list of ${count === 1 ? 'one tensor' : `${count} tensors`} [n, units], [${names}].`,
    );
  const all = [...operands, ...(initial ?? [])];
  return mask === undefined || mask === null ? call(op, all) : call(op, [...all, mask], kMasked);
}

/**
 * h_t = tanh(x_t + h_{t−1} U), h_0 = 0 or initial.
 *
 * @param x [n, steps, units], the inputs times their kernel, plus the bias
 * @param kernel the recurrent kernel U, [units, units]
 * @param initial [h], [n, units]
 * @param mask [n, steps]: at steps where it is 0 the state stays
 * @returns the hidden states of all steps, [n, steps, units]
 * @throws SHAPE_MISMATCH, INVALID_ARGUMENT
 * @example ops.simpleRNN(ops.add(ops.matmul(x, w), b), u);
 */
export const simpleRNN = ((x: Value, kernel: Value, initial?: Initial, mask?: Value | null) =>
  recurrence('simpleRNN', 'h', [x, kernel], initial, mask)) as Recurrence;

/**
 * Long short-term memory: i, f, o = σ(x_t + h_{t−1} U), g = tanh(x_t + h_{t−1} U), c_t = f c_{t−1} + i g, h_t = o tanh(c_t), each of its
 * own columns of x and U, in the order i, f, g, o.
 *
 * @param x [n, steps, 4 units], the inputs times their kernel, plus the bias
 * @param kernel the recurrent kernel U, [units, 4 units]
 * @param initial [h, c], each [n, units]; zeros by default
 * @param mask [n, steps]: at steps where it is 0 h and c stay, and the gates are 0
 * @returns h, c, i, f, g, o of all steps behind one another, [n, steps, 6 units]: the hidden states are its first units
 * @throws SHAPE_MISMATCH, INVALID_ARGUMENT
 * @example ops.slice(ops.lstm(x, u), [0, 0, 0], [-1, -1, units]);
 * @see Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000
 */
export const lstm = ((x: Value, kernel: Value, initial?: Initial, mask?: Value | null) =>
  recurrence('lstm', 'h, c', [x, kernel], initial, mask)) as Recurrence;

/**
 * Gated recurrent unit, its reset gate applied after the recurrent product: with m = h_{t−1} U + bias, z, r = σ(x_t + m),
 * h' = tanh(x_t + r m), h_t = z h_{t−1} + (1 − z) h', each of its own columns, in the order z, r, h'.
 *
 * @param x [n, steps, 3 units], the inputs times their kernel, plus their bias
 * @param kernel the recurrent kernel U, [units, 3 units]
 * @param bias of the recurrent products, [3 units]
 * @param initial [h], [n, units]; zeros by default
 * @param mask [n, steps]: at steps where it is 0 h stays, and the others are 0
 * @returns h, z, r, h' and the last third of m, of all steps, behind one another, [n, steps, 5 units]: the hidden states are its first units
 * @throws SHAPE_MISMATCH, INVALID_ARGUMENT
 * @example ops.slice(ops.gru(x, u, b), [0, 0, 0], [-1, -1, units]);
 * @see Cho et al. 2014, arXiv:1406.1078
 */
export const gru = ((x: Value, kernel: Value, bias: Value, initial?: Initial, mask?: Value | null) =>
  recurrence('gru', 'h', [x, kernel, bias], initial, mask)) as BiasedRecurrence;
