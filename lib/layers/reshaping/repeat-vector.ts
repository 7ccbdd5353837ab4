// A vector as a sequence of itself.
import type { DType } from '../../binding/native.js';
import type { Config } from '../../config/values.js';
import * as ops from '../../graph/ops.js';
import type { Shape } from '../../tensor/shape.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';

export interface RepeatVectorOptions extends LayerOptions {
  /** How often. */
  n: number;
}

export class RepeatVector extends Layer {
  override readonly type = 'RepeatVector';
  readonly n: number;

  constructor(options: RepeatVectorOptions | number) {
    const given = typeof options === 'number' ? { n: options } : options;
    const read = layerOptions<RepeatVectorOptions>('repeatVector', given, ['n']);
    super('repeat_vector', read);
    this.n = read.count('n');
  }

  override getConfig(): Config {
    return { ...super.getConfig(), n: this.n };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (inputShape.length !== 1) throw this.mismatch('vectors, [n, features]', inputShape);
    return [this.n, inputShape[0]];
  }

  override computeOutputDtype([dtype]: readonly DType[]): DType {
    return dtype;
  }

  override call(x: Computed): Computed {
    const [rows, features] = x.shape;
    return ops.broadcastTo(ops.reshape(x, [rows, 1, features]), [rows, this.n, features]);
  }
}

/**
 * A vector n times: [batch, features] → [batch, n, features].
 *
 * @param options n, or the number itself
 * @example
 * layers.repeatVector({ n: 3, inputShape: [32] });
 * @see https://keras.io/api/layers/reshaping_layers/repeat_vector/
 */
export function repeatVector(options: RepeatVectorOptions | number): RepeatVector {
  return new RepeatVector(options);
}
