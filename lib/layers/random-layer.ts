// Base of layers that draw a number for each element while they train.
import type { Config } from '../config/values.js';
import type { Options } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import { Draws } from './draws.js';
import { Layer, type LayerOptions } from './layer.js';

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

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }
}
