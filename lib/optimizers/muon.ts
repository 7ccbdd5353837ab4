// Muon.
import type { Config } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import { Options } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import type { Variable } from '../tensor/variable.js';
import { commonKeys, type OptimizerOptions } from './common.js';
import { Optimizer } from './optimizer.js';
import { checkPresetOption } from './presets.js';
import type { UpdateProgram } from './update-programs.js';

export type AdjustLrFn = 'original' | 'matchRmsAdamw';

export interface MuonOptions extends OptimizerOptions {
  /** Of the average of gradients, in [0, 1). */
  momentum?: number;
  nesterov?: boolean;
  /** Newton–Schulz iterations, 1 to 99. */
  nsSteps?: number;
  /** The iteration: X ← a·X + (b·A + c·A²)·X, A = X·Xᵀ. */
  muonA?: number;
  muonB?: number;
  muonC?: number;
  /** Preset 'keras': the step of a matrix is scaled by rmsRate · √max(rows, columns); null: not at all. */
  rmsRate?: number | null;
  /** Preset 'torch': scales it by √max(1, rows/columns), or 'matchRmsAdamw' by 0.2 · √max(rows, columns). */
  adjustLrFn?: AdjustLrFn;
  /** Regular expressions, as text: variables whose name ("dense/kernel") has a match are AdamW's. */
  excludeLayers?: readonly string[];
  /** Whether variables with "embedding" in their name are AdamW's. */
  excludeEmbeddings?: boolean;
  /** Of AdamW's rate to learningRate, at least 0; its decay keeps to learningRate. */
  adamLrRatio?: number;
  adamBeta1?: number;
  adamBeta2?: number;
  /** Decay of AdamW's variables; a group's weightDecay is theirs too. */
  adamWeightDecay?: number | null;
  /** Preset 'keras': of AdamW. Preset 'torch': smallest norm in Newton–Schulz, where AdamW has 1e-8. */
  epsilon?: number;
}

const numbers = ['momentum', 'muonA', 'muonB', 'muonC', 'adamLrRatio', 'adamBeta1', 'adamBeta2', 'epsilon'] as const;
const kKeys = [
  ...numbers,
  'nesterov',
  'nsSteps',
  'rmsRate',
  'adjustLrFn',
  'excludeLayers',
  'excludeEmbeddings',
  'adamWeightDecay',
] as const;

/** Keras's, in the norm of Newton–Schulz. */
const kNorm = 1e-7;

interface Settings
  extends Required<Pick<MuonOptions, 'momentum' | 'nesterov' | 'nsSteps' | 'muonA' | 'muonB' | 'muonC'>> {
  torch: boolean;
  /** Of the step of a matrix. */
  scale: (shape: Shape) => number;
  /** ‖X‖ in the iteration's start. */
  bound: (norm: SymbolicTensor) => SymbolicTensor;
}

export class Muon extends Optimizer {
  readonly #config: Config;

  constructor(options?: MuonOptions) {
    const read = new Options<MuonOptions>('optimizers.muon', options, [...commonKeys, ...kKeys]);
    const torch = read.raw.preset === 'torch';
    checkPresetOption(read, 'rmsRate', 'keras');
    checkPresetOption(read, 'adjustLrFn', 'torch');
    const values = {
      momentum: read.number('momentum', 0.95, { min: 0, below: 1 }),
      muonA: read.number('muonA', 3.4445),
      muonB: read.number('muonB', -4.775),
      muonC: read.number('muonC', 2.0315),
      adamLrRatio: read.number('adamLrRatio', 1, { min: 0 }),
      adamBeta1: read.number('adamBeta1', 0.9, { min: 0, below: 1 }),
      adamBeta2: read.number('adamBeta2', 0.999, { min: 0, below: 1 }),
      epsilon: read.number('epsilon', 1e-7, { min: 0 }),
      nesterov: read.flag('nesterov', true),
      nsSteps: read.count('nsSteps', 5, { min: 1, max: 99 }),
      excludeLayers: patterns(read),
      excludeEmbeddings: read.flag('excludeEmbeddings', true),
    };
    const decayOf = (key: 'weightDecay' | 'adamWeightDecay', fallback: number) =>
      read.raw[key] === undefined ? fallback : (read.optionalNumber(key, { min: 0 }) ?? null);
    const weightDecay = decayOf('weightDecay', torch ? 0.1 : 0.004);
    const adamWeightDecay = decayOf('adamWeightDecay', torch ? 0.01 : 0.004);
    const rmsRate = read.raw.rmsRate === undefined ? 0.2 : (read.optionalNumber('rmsRate', { min: 0 }) ?? null);
    const adjustLrFn = read.oneOf('adjustLrFn', ['original', 'matchRmsAdamw'], 'original');
    const { epsilon, excludeEmbeddings } = values;
    const larger = (shape: Shape) => Math.sqrt(Math.max(...shape));
    const settings: Settings = {
      ...values,
      torch,
      scale: (shape) => {
        if (!torch) return rmsRate === null ? 1 : rmsRate * larger(shape);
        return adjustLrFn === 'original' ? Math.sqrt(Math.max(1, shape[0] / shape[1])) : 0.2 * larger(shape);
      },
      bound: (norm) => (torch ? ops.maximum(norm, epsilon) : ops.add(norm, kNorm)),
    };
    const other = {
      rule: torch ? 'torchAdam' : 'adam',
      slots: ['momentum', 'velocity'],
      hyper: {
        weightDecay: adamWeightDecay ?? 0,
        rateRatio: values.adamLrRatio,
        beta1: values.adamBeta1,
        beta2: values.adamBeta2,
        epsilon: torch ? 1e-8 : epsilon,
      },
    };
    const excluded = values.excludeLayers.map((pattern) => new RegExp(pattern));
    const isMatrix = ({ shape, name }: Variable) =>
      shape.length === 2 &&
      !(excludeEmbeddings && name.toLowerCase().includes('embedding')) &&
      !excluded.some((pattern) => pattern.test(name));
    super('muon', read, {
      rule: 'muon',
      slots: ['momentum'],
      hyper: {},
      presets: ['keras', 'torch'],
      weightDecay: weightDecay ?? 0,
      decoupled: true,
      program: program(settings),
      learningRate: 0.001,
      other,
      isOther: (variable) => !isMatrix(variable),
    });
    const scaling: Config = torch ? { adjustLrFn } : { rmsRate };
    this.#config = { ...values, weightDecay, adamWeightDecay, ...scaling };
  }

  /** A group's decay is that of all its variables. */
  static override impliedByGroup({ weightDecay, adamWeightDecay }: Config): Config {
    return weightDecay === undefined || adamWeightDecay !== undefined ? {} : { adamWeightDecay: weightDecay };
  }

  override getConfig(): Config {
    return { ...super.getConfig(), ...this.#config };
  }
}

/** Of excludeLayers. */
function patterns(read: Options<MuonOptions>): string[] {
  const given: unknown = read.raw.excludeLayers ?? [];
  const isPattern = (value: unknown) => {
    try {
      return typeof value === 'string' && new RegExp(value) instanceof RegExp;
    } catch {
      return false;
    }
  };
  if (!Array.isArray(given) || !given.every(isPattern))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${read.what('excludeLayers')} must be a list of regular expressions as text; received ${show(given)}.`,
    );
  return [...(given as string[])];
}

function program(settings: Settings): UpdateProgram {
  const { momentum, nesterov, torch } = settings;
  return {
    scalars: ['rate'],
    update({ parameter, gradient, slots, scalars }) {
      const share = torch ? 1 - momentum : 1;
      const average = ops.add(ops.mul(slots.momentum, momentum), ops.mul(gradient, share));
      const ahead = nesterov ? ops.add(ops.mul(gradient, share), ops.mul(average, momentum)) : average;
      const step = ops.mul(orthogonal(ahead, settings), settings.scale(parameter.shape));
      return { parameter: ops.sub(parameter, ops.mul(scalars.rate, step)), slots: { momentum: average } };
    },
  };
}

/** Newton–Schulz: the matrix with singular values near 1. Of more rows than columns its transpose is meant, from the other side. */
function orthogonal(x: SymbolicTensor, { bound, nsSteps, muonA, muonB, muonC }: Settings): SymbolicTensor {
  const tall = x.shape[0] > x.shape[1];
  let y = ops.div(x, bound(ops.sqrt(ops.sum(ops.square(x)))));
  for (let i = 0; i < nsSteps; i++) {
    const gram = ops.matmul(y, y, tall ? { transposeA: true } : { transposeB: true });
    const polynomial = ops.add(ops.mul(gram, muonB), ops.mul(ops.matmul(gram, gram), muonC));
    y = ops.add(ops.mul(y, muonA), tall ? ops.matmul(y, polynomial) : ops.matmul(polynomial, y));
  }
  return y;
}

/**
 * Muon for matrices, AdamW for all else: m ← momentum · m + g, w ← w − rate · scale · NS(g + momentum · m), where NS brings the singular
 * values of a matrix near 1 by Newton–Schulz. Decay is decoupled. It is meant for hidden layers: name the output layer in
 * excludeLayers, as Keras advises. Variables of another rank than 2, embeddings and what excludeLayers names are AdamW's.
 *
 * Preset 'torch': m ← momentum · m + (1 − momentum) · g, adjustLrFn in place of rmsRate, AdamW of PyTorch's formula for the rest (PyTorch's
 * Muon refuses it). PyTorch iterates in bfloat16; here it is float32.
 *
 * @param options learningRate (0.001), weightDecay (0.004; torch 0.1), momentum (0.95), nesterov (true), nsSteps (5), muonA (3.4445), muonB
 *   (−4.775), muonC (2.0315), rmsRate (0.2), adjustLrFn ('original'), excludeLayers ([]), excludeEmbeddings (true), adamLrRatio (1), adamBeta1
 *   (0.9), adamBeta2 (0.999), adamWeightDecay (0.004; torch 0.01), epsilon (1e-7), and the common options
 * @throws OUT_OF_RANGE, INVALID_ARGUMENT, UNKNOWN_OPTION
 * @example optimizers.muon({ learningRate: 0.002, excludeLayers: ['output'] });
 * @see Jordan et al. 2024, https://kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv:2502.16982; https://keras.io/api/optimizers/muon/
 */
export function muon(options?: MuonOptions): Muon {
  return new Muon(options);
}
