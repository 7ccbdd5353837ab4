// The identity matrix as initial values.
import { binding, type Storage } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { DownhillError } from '../errors.js';
import { Options } from '../options.js';
import { type Shape, shapeText } from '../tensor/shape.js';
import { Initializer } from './initializer.js';

export interface IdentityOptions {
  /** The value on the diagonal. */
  gain?: number;
}

export class Identity extends Initializer {
  override readonly name = 'initializers.identity';
  readonly gain: number;

  constructor(options?: IdentityOptions) {
    super();
    this.gain = new Options<IdentityOptions>('initializers.identity', options, ['gain']).number('gain', 1);
  }

  override getConfig(): Config {
    return { gain: this.gain };
  }

  protected override fill(storage: Storage, shape: Shape): void {
    if (shape.length !== 2)
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `${this.name} makes matrices, [rows, columns]; received shape ${shapeText(shape)}.`,
      );
    const [rows, columns] = shape as [number, number];
    const values = new Float32Array(rows * columns);
    for (let i = 0; i < Math.min(rows, columns); i++) values[i * columns + i] = this.gain;
    binding.storagesWrite([storage], ['float32'], [values]);
  }
}

/**
 * gain on the diagonal and 0 elsewhere, for matrices, square or not: Keras `Identity`.
 *
 * @param options gain (1)
 * @throws SHAPE_MISMATCH for anything but rank 2; OUT_OF_RANGE, UNKNOWN_OPTION
 * @example layers.dense({ units: 8, kernelInitializer: initializers.identity({ gain: 0.5 }) });
 */
export function identity(options?: IdentityOptions): Identity {
  return new Identity(options);
}
