// Dropout: zeroes random elements while training.
import type { Config } from '../../config/values.js';
import { DownhillError } from '../../errors.js';
import * as ops from '../../graph/ops.js';
import { dropout as dropoutOp, sparseDropout } from '../../graph/ops/noise.js';
import type { SymbolicSparse } from '../../graph/sparse.js';
import { type CallContext, type Computed, layerOptions } from '../layer.js';
import { NoiseLayer, type RandomOptions } from '../random-layer.js';

export interface DropoutOptions extends RandomOptions {
  /** Fraction of the elements that is dropped, in [0, 1]. */
  rate: number;
}

export class Dropout extends NoiseLayer {
  override readonly type = 'Dropout';
  readonly rate: number;

  constructor(options: DropoutOptions) {
    const read = layerOptions<DropoutOptions>('dropout', options, ['rate', 'seed']);
    super('dropout', read);
    this.rate = read.number('rate', undefined, { min: 0, max: 1 });
  }

  override getConfig(): Config {
    return { ...super.getConfig(), rate: this.rate };
  }

  protected override drawn(x: Computed): Computed {
    if (this.rate === 0) return x;
    return this.rate === 1 ? ops.mul(x, 0) : dropoutOp(x, { rate: this.rate, key: this.draws.keyFor(x) });
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
      this.rate === 1
        ? ops.mul(x.values, 0)
        : sparseDropout(x, { rate: this.rate, key: this.draws.keyIn(x.indptr.trace) }),
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
