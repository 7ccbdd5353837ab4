// Rprop.
import type { Config } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import { checkNumber, Options } from '../options.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';

export interface RpropOptions extends OptimizerOptions {
  /** Factors of a step size where the gradient changes its sign, in (0, 1), and where it keeps it, above 1. */
  etas?: readonly [minus: number, plus: number];
  /** The smallest and the largest step size, at least 0. */
  stepSizes?: readonly [min: number, max: number];
}

type Pair = [number, number];

function pair(read: Options<RpropOptions>, key: 'etas' | 'stepSizes', fallback: Pair): Pair {
  const value: unknown = read.raw[key] ?? fallback;
  if (!Array.isArray(value) || value.length !== 2)
    throw new DownhillError('INVALID_ARGUMENT', `${read.what(key)} must be two numbers; received ${show(value)}.`);
  return value as Pair;
}

export class Rprop extends Optimizer {
  readonly etas: Readonly<Pair>;
  readonly stepSizes: Readonly<Pair>;

  constructor(options?: RpropOptions) {
    const read = new Options<RpropOptions>('optimizers.rprop', options, [...commonKeys, 'etas', 'stepSizes']);
    const [minus, plus] = pair(read, 'etas', [0.5, 1.2]);
    const [min, max] = pair(read, 'stepSizes', [1e-6, 50]);
    const hyper = {
      etaMinus: checkNumber(`${read.what('etas')}[0]`, minus, { above: 0, below: 1 }),
      etaPlus: checkNumber(`${read.what('etas')}[1]`, plus, { above: 1 }),
      stepSizeMin: checkNumber(`${read.what('stepSizes')}[0]`, min, { min: 0 }),
      stepSizeMax: checkNumber(`${read.what('stepSizes')}[1]`, max, { min }),
    };
    super('rprop', read, {
      rule: 'rprop',
      slots: ['previousGradient', 'stepSize'],
      starts: { stepSize: 'learningRate' },
      learningRate: 0.01,
      hyper,
      presets: ['keras', 'torch'],
    });
    this.etas = [minus, plus];
    this.stepSizes = [min, max];
  }

  override getConfig(): Config {
    return { ...super.getConfig(), etas: [...this.etas], stepSizes: [...this.stepSizes] };
  }
}

/**
 * Resilient propagation, for gradients of all examples: each weight has a step size s, which begins at the learning rate (what is set later
 * does not reach it). Where g and the gradient before have one sign s ← min(s · η⁺, max), where they are opposed s ← max(s · η⁻, min) and g ← 0;
 * w ← w − sign(g) · s. Both presets have PyTorch's formula and defaults; Keras has no Rprop. Unlike PyTorch, signs are compared, not the sign of a
 * product that may underflow.
 *
 * @param options learningRate (0.01), etas ([0.5, 1.2]), stepSizes ([1e-6, 50]), and the common options; preset 'keras' or 'torch'
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION, INVALID_ARGUMENT
 * @example optimizers.rprop({ learningRate: 0.01 });
 * @see Riedmiller and Braun 1993; https://pytorch.org/docs/stable/generated/torch.optim.Rprop.html
 */
export function rprop(options?: RpropOptions): Rprop {
  return new Rprop(options);
}
