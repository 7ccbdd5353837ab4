// What training needs of a model.
import type { Precision } from '../binding/native.js';
import type { SymbolicSparse } from '../graph/sparse.js';
import type { CallContext, Computed } from '../layers/layer.js';
import type { OneOrMore } from '../layers/output.js';
import type { Weight } from '../layers/weight.js';
import type { Ports } from '../model/ports.js';
import type { Shape } from '../tensor/shape.js';

export interface Network {
  readonly device: string;
  readonly precision: Precision;
  /** Those of a model that waits for its data have no shapes yet. */
  readonly inputPorts: Ports;
  readonly outputPorts: Ports;
  /** In Keras's order, placed in memory. */
  readonly weights: readonly Weight[];
  readonly built: boolean;
  /** Fixes the input shape of a model that has none. */
  build(inputShape: OneOrMore<Shape>): void;
  /** From a value for each input to one for each output. */
  run(inputs: readonly (Computed | SymbolicSparse)[], context: CallContext): readonly Computed[];
}
