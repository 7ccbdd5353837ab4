// Adafactor.
import type { Config } from '../config/values.js';
import * as ops from '../graph/ops.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import { Options } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';
import { checkPresetOption } from './presets.js';
import type { UpdateProgram, UpdateValues } from './update-programs.js';

export interface AdafactorOptions extends OptimizerOptions {
  /** c in β₂ = 1 − tᶜ, at most 0. */
  beta2Decay?: number;
  /** Keeps squares of gradients away from 0, at least 0. */
  epsilon1?: number;
  /** Smallest scale of a parameter, at least 0. */
  epsilon2?: number;
  /** Largest root mean square of an update before the rate, above 0. */
  clipThreshold?: number;
  /** Preset 'keras'. As in Keras 3, where it changes nothing: the rate is at most 1/√t in any case. */
  relativeStep?: boolean;
}

type Constants = Record<'epsilon1' | 'epsilon2' | 'clipThreshold', number>;

/** The spacing of float32 at 1. */
const kSpacing = 2 ** -23;

export class Adafactor extends Optimizer {
  readonly beta2Decay: number;
  readonly epsilon1: number;
  readonly epsilon2: number;
  readonly clipThreshold: number;
  readonly relativeStep: boolean;

  constructor(options?: AdafactorOptions) {
    const own = ['beta2Decay', 'epsilon1', 'epsilon2', 'clipThreshold', 'relativeStep'] as const;
    const read = new Options<AdafactorOptions>('optimizers.adafactor', options, [...commonKeys, ...own]);
    const torch = read.raw.preset === 'torch';
    checkPresetOption(read, 'relativeStep', 'keras');
    const beta2Decay = read.number('beta2Decay', -0.8, { max: 0 });
    const constants = {
      epsilon1: read.number('epsilon1', torch ? kSpacing : 1e-30, { min: 0 }),
      epsilon2: read.number('epsilon2', 1e-3, { min: 0 }),
      clipThreshold: read.number('clipThreshold', 1, { above: 0 }),
    };
    super('adafactor', read, {
      rule: torch ? 'torchAdafactor' : 'adafactor',
      slots: ['rowVariance', 'columnVariance', 'variance'],
      slotShapes,
      learningRate: torch ? 0.01 : 0.001,
      hyper: { beta2Decay },
      presets: ['keras', 'torch'],
      decoupled: true,
      program: program(constants, torch),
    });
    this.beta2Decay = beta2Decay;
    ({ epsilon1: this.epsilon1, epsilon2: this.epsilon2, clipThreshold: this.clipThreshold } = constants);
    this.relativeStep = read.flag('relativeStep', true);
  }

  override getConfig(): Config {
    const { beta2Decay, epsilon1, epsilon2, clipThreshold, relativeStep } = this;
    const config = { ...super.getConfig(), beta2Decay, epsilon1, epsilon2, clipThreshold };
    return this.preset === 'keras' ? { ...config, relativeStep } : config;
  }
}

/** Means of squares along the last axis and the one before it; of vectors and scalars, all squares. */
function slotShapes(shape: Shape): Record<string, Shape> {
  if (shape.length < 2) return { variance: shape };
  return { rowVariance: shape.slice(0, -1), columnVariance: [...shape.slice(0, -2), shape.at(-1)!] };
}

const rootMeanSquare = (x: SymbolicTensor) => ops.sqrt(ops.mean(ops.square(x)));

function program({ epsilon1, epsilon2, clipThreshold }: Constants, torch: boolean): UpdateProgram {
  /** √v̂: the product of row and column over the mean of rows. */
  const root = (slots: UpdateValues['slots'], rank: number): SymbolicTensor => {
    if (rank < 2) return ops.sqrt(slots.variance);
    const { rowVariance: row, columnVariance: column } = slots;
    const mean = ops.mean(row, -1, { keepDims: true });
    const ratio = ops.div(row, torch ? ops.maximum(mean, epsilon1) : mean);
    const [rows, columns] = [ratio.shape, column.shape];
    return ops.sqrt(
      ops.mul(ops.reshape(ratio, [...rows, 1]), ops.reshape(column, [...columns.slice(0, -1), 1, columns.at(-1)!])),
    );
  };
  return {
    scalars: ['rate', 'beta2', 'blend2', 'decay'],
    update({ parameter, gradient, slots, scalars }) {
      const { rate, beta2, blend2, decay } = scalars;
      const squares = torch ? ops.square(gradient) : ops.add(ops.square(gradient), epsilon1);
      const blend = (slot: SymbolicTensor, value: SymbolicTensor) =>
        ops.add(ops.mul(beta2, slot), ops.mul(blend2, value));
      const next: Record<string, SymbolicTensor> =
        parameter.shape.length < 2
          ? { variance: blend(slots.variance, squares) }
          : {
              rowVariance: blend(slots.rowVariance, ops.mean(squares, -1)),
              columnVariance: blend(slots.columnVariance, ops.mean(squares, -2)),
            };
      const found = root(next, parameter.shape.length);
      // PyTorch's limit is one of the variance, ε₁².
      const update = ops.div(gradient, torch ? ops.maximum(found, epsilon1) : found);
      const clip = ops.maximum(ops.div(rootMeanSquare(update), clipThreshold), 1);
      const step = ops.div(ops.mul(ops.maximum(rootMeanSquare(parameter), epsilon2), rate), clip);
      const kept = torch ? ops.sub(parameter, ops.mul(decay, parameter)) : parameter;
      return { parameter: ops.sub(kept, ops.mul(step, update)), slots: next };
    },
  };
}

/**
 * Adafactor: of the mean squares of a matrix's gradients only those of rows and columns are kept, whose product over the mean of the
 * rows stands for v. w ← w − max(ε₂, RMS(w)) · min(rate, 1/√t) · u / max(1, RMS(u)/clipThreshold), u = g/√v, with β₂ = 1 − t^beta2Decay for
 * the means. Of higher rank the last two axes are factored; vectors keep all of v. It is a program of ops, not a pass.
 *
 * Preset 'keras': means of g² + ε₁; decay is done before RMS(w) is taken. Preset 'torch': means of g², √v at least ε₁, decay after.
 *
 * @param options learningRate (0.001; torch 0.01), beta2Decay (−0.8), epsilon1 (1e-30; torch 2⁻²³), epsilon2 (1e-3), clipThreshold (1),
 *   relativeStep (true), and the common options
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example optimizers.adafactor({ learningRate: 0.01 });
 * @see Shazeer and Stern 2018, arXiv:1804.04235; https://keras.io/api/optimizers/adafactor/
 */
export function adafactor(options?: AdafactorOptions): Adafactor {
  return new Adafactor(options);
}
