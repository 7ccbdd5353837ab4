// FTRL-Proximal.
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';

export interface FtrlOptions extends OptimizerOptions {
  /** Power of the sum of squares in the rate, at most 0; −0.5: its root; 0: a rate that stays as it is. */
  learningRatePower?: number;
  /** Where the sum of squares begins, at least 0. */
  initialAccumulatorValue?: number;
  /** Strength of the L1 penalty, at least 0; weights below it are exactly 0. */
  l1RegularizationStrength?: number;
  /** Strength of the L2 penalty, at least 0. */
  l2RegularizationStrength?: number;
  /** Strength of an L2 penalty on the gradient alone, at least 0. */
  l2ShrinkageRegularizationStrength?: number;
  /** The paper's β, at least 0. */
  beta?: number;
}

const keys = [
  'learningRatePower',
  'initialAccumulatorValue',
  'l1RegularizationStrength',
  'l2RegularizationStrength',
  'l2ShrinkageRegularizationStrength',
  'beta',
] as const;

export class Ftrl extends Optimizer {
  readonly learningRatePower: number;
  readonly initialAccumulatorValue: number;
  readonly l1RegularizationStrength: number;
  readonly l2RegularizationStrength: number;
  readonly l2ShrinkageRegularizationStrength: number;
  readonly beta: number;

  constructor(options?: FtrlOptions) {
    const read = new Options<FtrlOptions>('optimizers.ftrl', options, [...commonKeys, ...keys]);
    const learningRatePower = read.number('learningRatePower', -0.5, { max: 0 });
    const initialAccumulatorValue = read.number('initialAccumulatorValue', 0.1, { min: 0 });
    const hyper = {
      learningRatePower,
      l1: read.number('l1RegularizationStrength', 0, { min: 0 }),
      l2: read.number('l2RegularizationStrength', 0, { min: 0 }),
      shrinkage: read.number('l2ShrinkageRegularizationStrength', 0, { min: 0 }),
      beta: read.number('beta', 0, { min: 0 }),
    };
    super('ftrl', read, {
      rule: learningRatePower === -0.5 ? 'ftrl' : 'ftrlPower',
      slots: ['accumulator', 'linear'],
      starts: { accumulator: initialAccumulatorValue },
      learningRate: 0.001,
      hyper,
      presets: ['keras'],
    });
    this.learningRatePower = learningRatePower;
    this.initialAccumulatorValue = initialAccumulatorValue;
    this.l1RegularizationStrength = hyper.l1;
    this.l2RegularizationStrength = hyper.l2;
    this.l2ShrinkageRegularizationStrength = hyper.shrinkage;
    this.beta = hyper.beta;
  }

  override getConfig(): Config {
    return { ...super.getConfig(), ...Object.fromEntries(keys.map((key) => [key, this[key]])) };
  }
}

/**
 * Follow the regularized leader, for sparse linear models: n' = n + g², σ = (n'^−power − n^−power)/rate, z ← z + g + 2 · shrinkage · w − σw,
 * w ← (clip(z, ±l1) − z)/(n'^−power/rate + 2 · l2 + beta/rate), n ← n'. The weights that a model begins with matter in the first update only. Unlike
 * Keras, whose weights become NaN, nothing moves while the rate is 0.
 *
 * @param options learningRate (0.001), learningRatePower (−0.5), initialAccumulatorValue (0.1), l1RegularizationStrength,
 *   l2RegularizationStrength, l2ShrinkageRegularizationStrength and beta (0), and the common options; preset 'keras'
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.ftrl({ learningRate: 0.1, l1RegularizationStrength: 1e-3 });
 * @see McMahan et al. 2013, "Ad click prediction: a view from the trenches"; https://keras.io/api/optimizers/ftrl/
 */
export function ftrl(options?: FtrlOptions): Ftrl {
  return new Ftrl(options);
}
