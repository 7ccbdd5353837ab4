// Types of the ops' functions: symbolic in, symbolic out; concrete in, Tensor out.
import type { TensorLike } from '../tensor/convert.js';
import type { Tensor } from '../tensor/tensor.js';
import type { SymbolicTensor } from './symbolic.js';
import type { Value } from './trace.js';

export type Result = SymbolicTensor | Tensor;

/** f(x, …rest) */
export interface Unary<Rest extends unknown[] = []> {
  (x: TensorLike, ...rest: Rest): Tensor;
  (x: SymbolicTensor, ...rest: Rest): SymbolicTensor;
  (x: Value, ...rest: Rest): Result;
}

/** f(a, b, …rest) */
export interface Binary<Rest extends unknown[] = []> {
  (a: TensorLike, b: TensorLike, ...rest: Rest): Tensor;
  (a: SymbolicTensor, b: Value, ...rest: Rest): SymbolicTensor;
  (a: Value, b: SymbolicTensor, ...rest: Rest): SymbolicTensor;
  (a: Value, b: Value, ...rest: Rest): Result;
}

/** f(a, b, c) */
export interface Ternary {
  (a: TensorLike, b: TensorLike, c: TensorLike): Tensor;
  (a: SymbolicTensor, b: Value, c: Value): SymbolicTensor;
  (a: Value, b: SymbolicTensor, c: Value): SymbolicTensor;
  (a: Value, b: Value, c: SymbolicTensor): SymbolicTensor;
  (a: Value, b: Value, c: Value): Result;
}

/** f(list, …rest) */
export interface Variadic<Rest extends unknown[] = []> {
  (list: readonly TensorLike[], ...rest: Rest): Tensor;
  (list: readonly SymbolicTensor[], ...rest: Rest): SymbolicTensor;
  (list: readonly Value[], ...rest: Rest): Result;
}
