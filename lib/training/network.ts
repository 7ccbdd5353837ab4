// What training needs of a model.
import type { DType, Precision } from '../binding/native.js';
import type { SymbolicSparse } from '../graph/sparse.js';
import type { CallContext, Computed } from '../layers/layer.js';
import type { Weight } from '../layers/weight.js';
import type { Shape } from '../tensor/shape.js';

export interface Network {
  readonly device: string;
  readonly precision: Precision;
  /** Of one example, without the batch. */
  readonly inputShape: Shape;
  readonly inputDtype: DType;
  readonly outputShape: Shape;
  /** In Keras's order, placed in memory. */
  readonly weights: readonly Weight[];
  readonly built: boolean;
  /** Fixes the input shape of a model that has none. */
  build(inputShape: Shape): void;
  call(x: Computed | SymbolicSparse, context: CallContext): Computed;
}
