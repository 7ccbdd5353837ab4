// Where a graph of layers begins.
import { InputLayer, type InputOptions } from '../layers/core/input.js';
import type { LayerOutput } from '../layers/output.js';

/**
 * A model's input as a symbolic value: layers are applied to it, and `model` makes a network of them.
 *
 * @param options shape of one example; dtype ('float32' or 'int32'), name
 * @example
 * const x = input({ shape: [784] });
 * const net = model({ inputs: x, outputs: layers.dense({ units: 10 }).apply(x) });
 */
export function input(options: InputOptions): LayerOutput {
  return new InputLayer(options).output;
}
