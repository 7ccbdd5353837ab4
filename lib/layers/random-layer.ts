// Bases of layers that draw while they train.
import type { Config } from '../config/values.js';
import type { Options } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import { Draws } from './draws.js';
import { floats } from './floats.js';
import { type CallContext, type Computed, Layer, type LayerOptions } from './layer.js';
import type { OneOrMore } from './output.js';

export interface RandomOptions extends LayerOptions {
  /** Fixes what is drawn; by default drawn from the library's seed. */
  seed?: number;
}

export abstract class RandomLayer extends Layer {
  protected readonly draws: Draws;

  constructor(kind: string, read: Options<RandomOptions>) {
    super(kind, read as Options<LayerOptions>);
    this.draws = new Draws(read.optionalCount('seed', { min: 0 }));
  }

  /** With the seed in use, so that a rebuilt layer draws the same. */
  override getConfig(): Config {
    return { ...super.getConfig(), seed: this.draws.seed };
  }

  override restoreSeed(seed: number): void {
    this.draws.seed = seed;
  }
}

/** Of layers that change elements while they train, and are no more than a cast of integers otherwise: the output is float32. */
export abstract class NoiseLayer extends RandomLayer {
  override readonly supportsMasking = true;

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override call(x: OneOrMore<Computed>, { training }: CallContext): Computed {
    const values = floats(x as Computed);
    return training ? this.drawn(values) : values;
  }

  /** What a training step makes of a batch. */
  protected abstract drawn(x: Computed): Computed;
}
