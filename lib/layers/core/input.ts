// The shape and dtype of a model's input, as its first layer.
import type { DType } from '../../binding/native.js';
import type { Config } from '../../config/values.js';
import { Options } from '../../options.js';
import { checkDtype, type Shape } from '../../tensor/shape.js';
import { type Computed, Layer, type LayerOptions } from '../layer.js';
import { LayerCall, type LayerOutput } from '../output.js';

export interface InputOptions {
  /** Of one example, without the batch. */
  shape: readonly number[];
  /** 'float32' by default. */
  dtype?: DType;
  name?: string;
}

export class InputLayer extends Layer {
  override readonly type = 'InputLayer';
  readonly dtype: DType;

  constructor(options: InputOptions) {
    const read = new Options<InputOptions>('layers.input', options, ['shape', 'dtype', 'name']);
    const base: LayerOptions = { inputShape: read.shape('shape', undefined, 1) };
    if (read.has('name')) base.name = read.text('name');
    super('input', new Options('layers.input', base, ['name', 'inputShape']));
    this.dtype = checkDtype(read.what('dtype'), read.raw.dtype ?? 'float32');
  }

  /** The input as a symbolic value. */
  override get output(): LayerOutput {
    const { calls } = this.place;
    if (calls.length === 0) calls.push(new LayerCall(this, [], undefined, [this.inputShape!], [this.dtype]));
    return calls[0].outputs[0];
  }

  override getConfig(): Config {
    return { name: this.name, shape: [...this.inputShape!], dtype: this.dtype };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override computeOutputDtype(): DType {
    return this.dtype;
  }

  override call(x: Computed): Computed {
    return x;
  }
}

/**
 * States a model's input as its first layer, in place of `inputShape` on the layer that follows.
 *
 * @param options shape of one example; dtype ('float32' or 'int32'), name
 * @example
 * sequential([layers.input({ shape: [784] }), layers.dense({ units: 10 })]);
 */
export function input(options: InputOptions): InputLayer {
  return new InputLayer(options);
}
