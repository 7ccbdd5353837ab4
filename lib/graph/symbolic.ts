// A value that does not exist yet: a node of the graph being traced.
import type { DType } from '../binding/native.js';
import { DownhillError } from '../errors.js';
import { type Shape, shapeText, sizeOf } from '../tensor/shape.js';
import type { Trace } from './trace.js';

/**
 * What a traced function receives in place of its arguments, and what `ops` make of it. Has a shape and a dtype but no values:
 * those exist when the function that is being traced is called.
 */
export class SymbolicTensor {
  /** @internal */
  constructor(
    /** The trace it belongs to. @internal */
    readonly trace: Trace,
    /** Its node in the graph of the trace. @internal */
    readonly node: number,
    readonly shape: Shape,
    readonly dtype: DType,
    /** The op or the argument that it comes from. */
    readonly label: string,
  ) {}

  get size(): number {
    return sizeOf(this.shape);
  }

  data(): never {
    return this.#noValues('data()');
  }

  dataSync(): never {
    return this.#noValues('dataSync()');
  }

  array(): never {
    return this.#noValues('array()');
  }

  arraySync(): never {
    return this.#noValues('arraySync()');
  }

  toString(): string {
    return `SymbolicTensor(${this.label}, shape=${shapeText(this.shape)}, dtype=${this.dtype})`;
  }

  #noValues(asked: string): never {
    throw new DownhillError(
      'TRACE_ERROR',
      `${asked} of ${this.toString()}: a value inside a traced function has no numbers yet. ` +
        'Return it from the function and read the result of the call.',
    );
  }
}
