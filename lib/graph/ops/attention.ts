// Scaled dot-product attention.
import { Options } from '../../options.js';
import type { TensorLike } from '../../tensor/convert.js';
import { asTensor } from '../../tensor/make.js';
import type { Shape } from '../../tensor/shape.js';
import { Tensor } from '../../tensor/tensor.js';
import { call } from '../call.js';
import type { Result } from '../signatures.js';
import { SymbolicTensor } from '../symbolic.js';
import type { Value } from '../trace.js';
import { reshape, slice } from './movement.js';

export interface AttentionOptions {
  /**
   * Broadcasts to [n, heads, steps, keys], of rank 4: int32 hides keys where it is 0; float32 is added to the scores. None by default.
   */
  mask?: Value | null;
  /** Whether query i sees the keys 0 … i alone; false by default. */
  causal?: boolean;
  /** Of the products; 1/√dim by default. */
  scale?: number;
}

interface Attention {
  (query: TensorLike, key: TensorLike, value: TensorLike, options?: AttentionOptions): Tensor;
  (query: SymbolicTensor, key: Value, value: Value, options?: AttentionOptions): SymbolicTensor;
  (query: Value, key: SymbolicTensor, value: Value, options?: AttentionOptions): SymbolicTensor;
  (query: Value, key: Value, value: SymbolicTensor, options?: AttentionOptions): SymbolicTensor;
  (query: Value, key: Value, value: Value, options?: AttentionOptions): Result;
}

/**
 * softmax(scale · Q Kᵀ + mask) V of each head, in one step that never holds all scores; so is its gradient. A query that sees no key gives zeros.
 *
 * @param query [n, steps, heads, dim]
 * @param key [n, keys, heads, dim]
 * @param value [n, keys, heads, valueDim]
 * @param options mask (none), causal (false), scale (1/√dim)
 * @returns [n, steps, heads, valueDim]
 * @throws SHAPE_MISMATCH, UNKNOWN_OPTION, INVALID_ARGUMENT
 * @example ops.attention(q, k, v, { causal: true });
 * @see Vaswani et al. 2017, arXiv:1706.03762; Dao et al. 2022, arXiv:2205.14135
 */
export const attention = ((query: Value, key: Value, value: Value, options?: AttentionOptions) =>
  attend([query, key, value], options)) as Attention;

/** The same of three operands, or of one that holds all three, [n, steps, 3, heads, dim]; for layers, with dropout of the probabilities. @internal */
export function attend(
  operands: readonly Value[],
  options: AttentionOptions | undefined,
  dropout?: { rate: number; key: number },
): Result {
  const read = new Options<AttentionOptions>('ops.attention', options, ['mask', 'causal', 'scale']);
  const { mask, scale } = read.raw;
  const causal = read.flag('causal', false);
  const all = call('attention', mask == null ? operands : [...operands, mask], {
    scale: scale == null ? 1 / Math.sqrt(dimsOf(operands[0]).at(-1) ?? 1) : read.number('scale', 1),
    ...(causal && { causal: true }),
    ...dropout,
  });
  const heads = dimsOf(operands[0]).at(-2)!;
  const width = heads * dimsOf(operands.at(-1)!).at(-1)!;
  const [n, steps] = all.shape;
  return reshape(slice(all, [0, 0, 0], [n, steps, width]), [n, steps, heads, width / heads]);
}

function dimsOf(operand: Value): Shape {
  if (operand instanceof SymbolicTensor || operand instanceof Tensor) return operand.shape;
  return asTensor('ops.attention', operand as TensorLike).shape;
}
