// Options that all layers have.
import { Options } from '../options.js';
import type { RegularizerLike } from '../regularizers/resolve.js';

export interface LayerOptions {
  /** Unique within a model; by default the kind of layer, then with _1, _2, … */
  name?: string;
  /** Shape of one example, without the batch; for the first layer of a model. */
  inputShape?: readonly number[];
  /** Whether training changes its weights; true by default. */
  trainable?: boolean;
  /**
   * Whether the backward pass of training computes again what the layer makes, in place of keeping it; false by default. The results are the same to the
   * bit; docs/memory.md.
   */
  recompute?: boolean;
  /** A penalty on the layer's output, divided by the rows of the batch, that is added to the loss. */
  activityRegularizer?: RegularizerLike | null;
}

const baseKeys = ['name', 'inputShape', 'trainable', 'recompute', 'activityRegularizer'] as const;

/** Reads the options of a layer: its own keys and those that all layers have. */
export function layerOptions<T extends LayerOptions>(
  factory: string,
  options: T | undefined,
  keys: readonly (keyof T & string)[],
): Options<T> {
  return new Options<T>(`layers.${factory}`, options, [...keys, ...baseKeys] as (keyof T & string)[]);
}

/** Those of them that an object has, for layers that check their own. */
export function baseOf(options: LayerOptions): LayerOptions {
  return Object.fromEntries(baseKeys.map((key) => [key, options[key]]));
}
