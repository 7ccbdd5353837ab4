// The lecture's first heuristic for initial values.
import type { Storage } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import { fans, RandomInitializer, type SeedOptions } from './initializer.js';

export interface UniformFanInOptions extends SeedOptions {
  /** The number of inputs, where the shape of the weight does not tell it: for biases. */
  fanIn?: number | null;
}

export class UniformFanIn extends RandomInitializer {
  override readonly name = 'initializers.uniformFanIn';
  readonly fanIn: number | null;

  constructor(options?: UniformFanInOptions) {
    const read = new Options<UniformFanInOptions>('initializers.uniformFanIn', options, ['fanIn', 'seed']);
    super(read);
    this.fanIn = read.optionalCount('fanIn', { min: 1 }) ?? null;
  }

  override getConfig(): Config {
    return { fanIn: this.fanIn, ...super.getConfig() };
  }

  protected override fill(storage: Storage, shape: Shape): void {
    const limit = 1 / Math.sqrt(Math.max(1, this.fanIn ?? fans(shape).fanIn));
    this.draw(storage, 'uniform', -limit, limit);
  }
}

/**
 * Uniform in ±1/√inputs: the lecture's first heuristic, and what PyTorch's `Linear` does, there for the bias too. A bias of shape [units] does
 * not say how many inputs there are: give fanIn.
 *
 * @param options fanIn (by default that of the shape, as varianceScaling counts it), seed
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example
 * layers.dense({
 *   units: 32,
 *   inputShape: [784],
 *   kernelInitializer: 'uniformFanIn',
 *   biasInitializer: initializers.uniformFanIn({ fanIn: 784 }),
 * });
 * @see Goodfellow et al. 2016, section 8.4
 */
export function uniformFanIn(options?: UniformFanInOptions): UniformFanIn {
  return new UniformFanIn(options);
}
