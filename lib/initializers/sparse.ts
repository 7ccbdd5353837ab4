// Sparse initial values.
import { binding, type Storage } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { DownhillError } from '../errors.js';
import { Options } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import { matrixOf, RandomInitializer, type SeedOptions } from './initializer.js';

export interface SparseOptions extends SeedOptions {
  /** Inputs of each unit whose weight is not 0, at least 1; all of them where there are fewer. */
  connections?: number | null;
  /** Instead: the fraction of each unit's inputs whose weight is 0, in [0, 1]; their number is rounded up, as in PyTorch. */
  sparsity?: number | null;
  /** Standard deviation of the others, at least 0. */
  stddev?: number;
}

/** Martens's number of connections. */
const kConnections = 15;

export class Sparse extends RandomInitializer {
  override readonly name = 'initializers.sparse';
  readonly connections: number | null;
  readonly sparsity: number | null;
  readonly stddev: number;

  constructor(options?: SparseOptions) {
    const read = new Options<SparseOptions>('initializers.sparse', options, [
      'connections',
      'sparsity',
      'stddev',
      'seed',
    ]);
    super(read);
    this.sparsity = read.optionalNumber('sparsity', { min: 0, max: 1 }) ?? null;
    const connections = read.optionalCount('connections');
    if (connections !== undefined && this.sparsity !== null)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${this.name}: give connections or sparsity, not both; received ${connections} and ${this.sparsity}.`,
      );
    this.connections = this.sparsity === null ? (connections ?? kConnections) : null;
    this.stddev = read.number('stddev', this.sparsity === null ? 1 : 0.01, { min: 0 });
  }

  override getConfig(): Config {
    return {
      connections: this.connections,
      sparsity: this.sparsity,
      stddev: this.stddev,
      ...super.getConfig(),
    };
  }

  protected override fill(storage: Storage, shape: Shape): void {
    const { inputs, units } = matrixOf(this.name, shape);
    const connections =
      this.sparsity === null ? Math.min(this.connections!, inputs) : inputs - Math.ceil(this.sparsity * inputs);
    const { seed, stream } = this.key();
    binding.storageSparse(storage, inputs, units, connections, this.stddev, seed, stream);
  }
}

/**
 * Each unit has a few inputs, chosen at random, with normal weights; its other weights are 0. So the sum of its inputs does not shrink or grow
 * with their number, and units start different. Units are the last axis. PyTorch's `sparse_` zeroes its columns, which there are the inputs.
 *
 * @param options connections (15), or sparsity instead; stddev (1, with sparsity PyTorch's 0.01), seed
 * @throws SHAPE_MISMATCH below rank 2; INVALID_ARGUMENT, OUT_OF_RANGE, UNKNOWN_OPTION
 * @example layers.dense({ units: 500, kernelInitializer: initializers.sparse({ connections: 15 }) });
 * @see Martens 2010, Deep learning via Hessian-free optimization, section 5; Goodfellow et al. 2016, section 8.4
 */
export function sparse(options?: SparseOptions): Sparse {
  return new Sparse(options);
}
