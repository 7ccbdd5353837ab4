// AdamW.
import { Options } from '../options.js';
import { Adam, type AdamOptions } from './adam.js';
import { type Preset, presetOf } from './presets.js';

export interface AdamWOptions extends Omit<AdamOptions, 'weightDecay'> {
  /** Decay of the weights, at least 0: w ← w − rate · weightDecay · w before each update, under every preset. */
  weightDecay?: number;
}

const known: readonly Preset[] = ['keras', 'torch'];

export class AdamW extends Adam {
  constructor(options?: AdamWOptions) {
    const read = new Options<AdamWOptions>('optimizers.adamw', options, Object.keys(options ?? {}) as never);
    const weightDecay = read.number('weightDecay', presetOf(read, known) === 'torch' ? 0.01 : 0.004, { min: 0 });
    super(options, 'adamw', { presets: known, decoupled: true, weightDecay });
  }
}

/**
 * Adam with decoupled weight decay: w ← w − rate · weightDecay · w, then Adam's step in the form of the preset.
 *
 * @param options learningRate (0.001), weightDecay (0.004; torch 0.01), beta1 (0.9), beta2 (0.999), epsilon (1e-7; torch 1e-8), amsgrad
 *   (false), and the common options; preset 'keras' or 'torch'
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.adamw({ learningRate: 3e-4, weightDecay: 0.1 });
 * @see Loshchilov and Hutter 2017, arXiv:1711.05101; https://keras.io/api/optimizers/adamw/
 */
export function adamw(options?: AdamWOptions): AdamW {
  return new AdamW(options);
}
