// Dropout: zeroes random elements while training.
import type { DType } from '../binding/native.js';
import type { Config } from '../config/values.js';
import { call } from '../graph/call.js';
import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import { sparseDropout } from '../graph/ops/dropout.js';
import type { SymbolicSparse } from '../graph/sparse.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import type { Trace } from '../graph/trace.js';
import { drawSeed } from '../random.js';
import type { Shape } from '../tensor/shape.js';
import { type CallContext, type Computed, Layer, type LayerOptions, layerOptions } from './layer.js';

/** Between the keys of two calls of one layer: far from what users choose as seeds. */
const kApart = 2654435761;

export interface DropoutOptions extends LayerOptions {
  /** Fraction of the elements that is dropped, in [0, 1]. */
  rate: number;
  /** Fixes the masks; by default drawn from the library's seed. */
  seed?: number;
}

export class Dropout extends Layer {
  override readonly type = 'Dropout';
  readonly rate: number;
  #key: number;
  #calls = 0;
  /** Calls within one trace: each draws masks of its own. */
  readonly #traced = new WeakMap<Trace, number>();

  constructor(options: DropoutOptions) {
    const read = layerOptions<DropoutOptions>('dropout', options, ['rate', 'seed']);
    super('dropout', read);
    this.rate = read.number('rate', undefined, { min: 0, max: 1 });
    this.#key = read.optionalCount('seed', { min: 0 }) ?? drawSeed();
  }

  /** With the seed in use, so that a rebuilt layer draws the same masks. */
  override getConfig(): Config {
    return { ...super.getConfig(), rate: this.rate, seed: this.#key };
  }

  override restoreSeed(seed: number): void {
    this.#key = seed;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override computeOutputDtype([dtype]: readonly DType[]): DType {
    return dtype;
  }

  override call(x: Computed, { training }: CallContext): Computed {
    if (!training || this.rate === 0) return x;
    if (this.rate === 1) return ops.mul(x, 0);
    // A training step counts its masks by itself; a call on concrete values is a program of its own, so its key must move.
    const key = x instanceof SymbolicTensor ? this.#keyIn(x.trace) : this.#key + ++this.#calls;
    return call('dropout', [x], { rate: this.rate, key });
  }

  /** Of a layer that is called once, its own. */
  #keyIn(trace: Trace): number {
    const calls = this.#traced.get(trace) ?? 0;
    this.#traced.set(trace, calls + 1);
    return (this.#key + calls * kApart) % 2 ** 53;
  }

  /** The masks are those of the dense rows. */
  protected override callSparse(x: SymbolicSparse, { training }: CallContext): SymbolicSparse {
    if (this.activityRegularizer)
      throw new DownhillError(
        'UNSUPPORTED',
        `Layer "${this.name}": activityRegularizer cannot look at sparse rows. Put it on a later layer, or pass dense rows.`,
      );
    if (!training || this.rate === 0) return x;
    return x.with(
      this.rate === 1 ? ops.mul(x.values, 0) : sparseDropout(x, { rate: this.rate, key: this.#keyIn(x.indptr.trace) }),
    );
  }
}

/**
 * Dropout: while training, each element becomes 0 with probability `rate` and the others are divided by 1 − rate; otherwise the
 * input passes unchanged. Masks depend on the seed and the step alone.
 *
 * @param options rate in [0, 1]; seed, name, inputShape
 * @example
 * layers.dropout({ rate: 0.5 });
 * @see Srivastava et al. 2014, Dropout: A Simple Way to Prevent Neural Networks from Overfitting
 */
export function dropout(options: DropoutOptions): Dropout {
  return new Dropout(options);
}
