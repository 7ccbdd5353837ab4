// The options that all optimizers share, and what they make of a class's update rule.
import { binding, type UpdaterOptions } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { DownhillError } from '../errors.js';
import type { Options } from '../options.js';
import type { ScheduleLike } from '../schedules/schedule.js';
import type { Shape } from '../tensor/shape.js';
import type { Variable } from '../tensor/variable.js';
import type { GroupOptions } from './groups.js';
import type { UpdateProgram } from './update-programs.js';
import { type DynamicLossScaleOptions, LossScale } from './loss-scale.js';
import type { Preset } from './presets.js';

/** Options that every optimizer takes. */
export interface OptimizerOptions {
  /**
   * Step size, at least 0, or a schedule: one of `schedules.…` or of your own, or a function (step) => rate, of updates counted from 0.
   * With gradientAccumulationSteps, under preset 'keras', it is one of steps: an update has the rate of its last step.
   */
  learningRate?: number | ScheduleLike;
  /** Decay of the weights: decoupled (w ← w − rate · decay · w), under preset 'torch' added to the gradient (g + decay · w). */
  weightDecay?: number | null;
  /** Scales each variable's gradient to at most this norm. At most one of the clips. */
  clipNorm?: number | null;
  /** Limits each element of the gradients to ± this. */
  clipValue?: number | null;
  /** Scales all gradients together to at most this norm. */
  globalClipNorm?: number | null;
  /** Keep a moving average of the weights, which they become at the end of fit. */
  useEma?: boolean;
  /** In [0, 1]: average ← emaMomentum · average + (1 − emaMomentum) · weight, after each update; the first one copies the weight. */
  emaMomentum?: number;
  /** Updates after which the weights become their averages, again and again. */
  emaOverwriteFrequency?: number | null;
  /** Steps, at least 2, whose gradients make one update, by their mean. */
  gradientAccumulationSteps?: number | null;
  /**
   * Options of their own for variables by name: [{ match: /bias/, weightDecay: 0 }]. The first group that matches counts; the others'
   * variables have the optimizer's options. A clip of a group stands in place of the optimizer's.
   */
  groups?: readonly GroupOptions<this>[];
  /**
   * Scales the gradient of each unit (the weights of one output of a layer; a bias as a whole) to at most this share of the norm of the unit's
   * weights, or of adaptiveClipEpsilon where that is larger. At most one of the four clips.
   *
   * @see Brock et al. 2021, arXiv:2102.06171, which takes 0.01 and leaves the last layer out
   */
  adaptiveClipFactor?: number | null;
  /** Above 0; 0.001. */
  adaptiveClipEpsilon?: number;
  /** Leaves out updates with a gradient that is NaN or infinite; `skipped` counts them, `iterations` and schedules do not. */
  skipNonFinite?: boolean;
  /** Above 0: the loss is multiplied with it before it is differentiated, and its gradients divided by it before all else. */
  lossScaleFactor?: number | null;
  /**
   * The same with a factor that follows the gradients, 'dynamic' or with options: halved where one is not finite (that update is
   * left out), doubled after 2000 updates in a row without. `lossScale` tells it.
   */
  lossScale?: 'dynamic' | DynamicLossScaleOptions | null;
  name?: string;
  /** Whose defaults and formula: Keras's (the default), PyTorch's or the lecture's. */
  preset?: Preset;
}

export const commonKeys = [
  'learningRate',
  'weightDecay',
  'clipNorm',
  'clipValue',
  'globalClipNorm',
  'useEma',
  'emaMomentum',
  'emaOverwriteFrequency',
  'gradientAccumulationSteps',
  'groups',
  'adaptiveClipFactor',
  'adaptiveClipEpsilon',
  'skipNonFinite',
  'lossScaleFactor',
  'lossScale',
  'name',
  'preset',
] as const;

/** How variables are updated. */
export interface VariableRule {
  /** A row of native/optim/rules.def. */
  rule: string;
  /** Names of its slots, in their order, for files. */
  slots: readonly string[];
  /** Hyperparameters of the rule, by the native names. */
  hyper: Record<string, number>;
  /** Where the rule is made of ops. */
  program?: UpdateProgram;
  /** Of a program: shapes of the slots that a variable of this shape has, by name; by default all have the variable's. */
  slotShapes?(shape: Shape): Readonly<Record<string, Shape>>;
}

/** What a class of optimizer says of itself. */
export interface UpdateRule extends VariableRule {
  /** Default of learningRate. */
  learningRate: number;
  /** Where some variables have another rule: it, and which they are. */
  other?: VariableRule;
  isOther?(variable: Variable): boolean;
  /** Rules that do the same with these numbers, so that groups may mix them: 'sgd' is 'momentum' with momentum 0. */
  within?: readonly string[];
  /** Where its slots begin that do not begin at 0; 'learningRate': at the rate of the update that makes them. */
  starts?: Readonly<Record<string, number | 'learningRate'>>;
  /** Those it has, if not all. */
  presets?: readonly Preset[];
  /** Default of weightDecay. */
  weightDecay?: number;
  /** Its weight decay is decoupled under every preset. */
  decoupled?: boolean;
}

const clips = ['clipNorm', 'clipValue', 'globalClipNorm', 'adaptiveClipFactor'] as const;

/** The common options of one optimizer, read. */
export interface Common {
  /** By the native names. */
  hyper: Record<string, number>;
  options: UpdaterOptions;
  lossScale: LossScale;
  /** For getConfig. */
  config: Config;
}

/** @throws INVALID_ARGUMENT, OUT_OF_RANGE */
export function readCommon(read: Options<OptimizerOptions>, preset: Preset, rule: UpdateRule): Common {
  const clipping = clips.filter((clip) => read.optionalNumber(clip, { above: 0 }) !== undefined);
  if (clipping.length > 1)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${read.where}: at most one of clipNorm, clipValue, globalClipNorm and adaptiveClipFactor can be given; received ${clipping.join(' and ')}.`,
    );
  const weightDecay = read.optionalNumber('weightDecay', { min: 0 }) ?? rule.weightDecay ?? null;
  const hyper = {
    ...rule.hyper,
    learningRate: rule.learningRate,
    weightDecay: weightDecay ?? 0,
    coupledDecay: preset === 'torch' && !rule.decoupled ? 1 : 0,
    clipNorm: read.optionalNumber('clipNorm') ?? 0,
    clipValue: read.optionalNumber('clipValue') ?? 0,
    adaptiveClipFactor: read.optionalNumber('adaptiveClipFactor') ?? 0,
    adaptiveClipEpsilon: read.number('adaptiveClipEpsilon', 1e-3, { above: 0 }),
  };
  const useEma = read.flag('useEma', false);
  const emaMomentum = read.number('emaMomentum', 0.99, { min: 0, max: 1 });
  const lossScale = new LossScale(read, preset);
  const options = {
    globalClipNorm: read.optionalNumber('globalClipNorm') ?? 0,
    accumulationSteps: read.optionalCount('gradientAccumulationSteps', { min: 2 }) ?? 1,
    // As Keras, whose schedules see its own count of steps; with PyTorch one steps a schedule after each update.
    scheduleByStep: preset === 'keras',
    emaMomentum: useEma ? emaMomentum : null,
    emaOverwriteFrequency: read.optionalCount('emaOverwriteFrequency') ?? 0,
    skipNonFinite: read.flag('skipNonFinite', false),
    ...lossScale.native,
  };
  // Those that came later stand in configs only where they were given, so that older files agree.
  const optional = [...clips.slice(0, 3), 'emaOverwriteFrequency', 'gradientAccumulationSteps'] as const;
  const given: Config = Object.fromEntries(optional.map((key) => [key, read.raw[key] ?? null]));
  const later = ['adaptiveClipFactor', 'adaptiveClipEpsilon', 'skipNonFinite'] as const;
  for (const key of later) if ((read.raw[key] ?? null) !== null) given[key] = read.raw[key];
  const config = { weightDecay, ...given, ...lossScale.getConfig(), useEma, emaMomentum };
  return { hyper, options, lossScale, config };
}

let rules: ReturnType<typeof binding.rules> | null = null;

function rowOfRule(rule: string) {
  rules ??= binding.rules();
  const row = rules.find(({ name }) => name === rule);
  if (!row) throw new DownhillError('INTERNAL', `The addon has no update rule "${rule}".`);
  return row;
}

/** Whether updates of a variable without a constraint leave elements whose gradient is 0 as they are (native/optim/update_rows.cpp). */
export function restsAtZero({ rule }: VariableRule, hyper: Common['hyper'], options: UpdaterOptions): boolean {
  const { accumulationSteps, emaMomentum } = options;
  return accumulationSteps === 1 && emaMomentum === null && binding.ruleRests(rule, hyper);
}

/** Compares what a class says of its rule with the row of native/optim/rules.def. */
export function checkRule({ rule, slots, program }: VariableRule): void {
  const row = rowOfRule(rule);
  if (row.scalars !== (program?.scalars.length ?? 0))
    throw new DownhillError('INTERNAL', `The update rule "${rule}" needs the names of its ${row.scalars} scalars.`);
  if (!program && row.slots !== slots.length)
    throw new DownhillError('INTERNAL', `The update rule "${rule}" needs the names of its ${row.slots} slots.`);
}
