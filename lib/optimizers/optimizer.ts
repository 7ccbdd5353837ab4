// What all optimizers share: hyperparameters, slots, native updaters, and updates of a user's own variables.
import {
  binding,
  type Schedule as NativeSchedule,
  type Storage,
  type Updater,
  type UpdaterOptions,
} from '../binding/index.js';
import type { Config } from '../config/values.js';
import { chosenDevice } from '../devices.js';
import { DownhillError, show } from '../errors.js';
import { LruCache } from '../graph/lru.js';
import { arrived } from '../graph/program.js';
import type { Output } from '../graph/structure.js';
import { checkCount, checkFunction, type Options } from '../options.js';
import { checkSchedule, nativeOf, nativeSchedule, rateOf, type ScheduleLike } from '../schedules/schedule.js';
import type { TensorLike } from '../tensor/convert.js';
import { asTensor } from '../tensor/make.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import { storageOf, type Tensor } from '../tensor/tensor.js';
import { Variable } from '../tensor/variable.js';
import { LossPrograms } from './loss-programs.js';
import { type Preset, presetOf } from './presets.js';
import { arenaFor, Slots } from './slots.js';
import { idsOf } from './variable-ids.js';

/** Options that every optimizer takes. */
export interface OptimizerOptions {
  /**
   * Step size, at least 0, or a schedule: one of `schedules.…` or of your own, or a function (step) => rate, of updates counted from 0.
   * With gradientAccumulationSteps, under preset 'keras', it is one of steps: an update has the rate of its last step.
   */
  learningRate?: number | ScheduleLike;
  /** Decay of the weights: decoupled (w ← w − rate · decay · w), under preset 'torch' added to the gradient (g + decay · w). */
  weightDecay?: number | null;
  /** Scales each variable's gradient to at most this norm. At most one of the three clips. */
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
  'name',
  'preset',
] as const;

/** What a class of optimizer says of itself. */
export interface UpdateRule {
  /** A row of native/optim/rules.def. */
  rule: string;
  /** Names of its slots, in their order, for files. */
  slots: readonly string[];
  /** Default of learningRate. */
  learningRate: number;
  /** Hyperparameters of the rule, by the native names. */
  hyper: Record<string, number>;
  /** Where its slots begin that do not begin at 0; 'learningRate': at the rate of the update that makes them. */
  starts?: Readonly<Record<string, number | 'learningRate'>>;
  /** Those it has, if not all. */
  presets?: readonly Preset[];
  /** Default of weightDecay. */
  weightDecay?: number;
  /** Its weight decay is decoupled under every preset. */
  decoupled?: boolean;
}

/** A function without arguments that computes a loss from Variables. */
export type LossFunction = () => Output;

interface Bound {
  variables: readonly Variable[];
  gradients: readonly Storage[];
  updater: Updater;
}

/** Names of the slots that no rule has. */
const averageSlot = 'average';
const accumulatorSlot = 'gradientAccumulator';

/** Updaters that one optimizer keeps; one per list of variables. */
const kBound = 8;

/** Rates of a user's own schedule that are computed ahead, at most. */
const kAhead = 1024;

const clips = ['clipNorm', 'clipValue', 'globalClipNorm'] as const;

/** Base of the optimizers. Slots belong to the variables and are made at their first update. */
export abstract class Optimizer {
  readonly name: string;
  readonly preset: Preset;
  /** Names of the slots, in their order. */
  readonly slotNames: readonly string[];
  readonly #rule: string;
  readonly #hyper: Record<string, number>;
  readonly #options: UpdaterOptions;
  readonly #optional: Config;
  #schedule: ScheduleLike | null = null;
  /** What the updaters take their rates from, where there is a schedule. */
  #rates: NativeSchedule | null = null;
  readonly #slots: Slots;
  readonly #losses = new LossPrograms();
  readonly #owned = new LruCache<Bound>(kBound);
  #bound: Bound[] = [];
  #active: Updater | null = null;
  #steps = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(kind: string, read: Options<OptimizerOptions>, rule: UpdateRule) {
    this.name = read.text('name', kind);
    this.preset = presetOf(read, rule.presets);
    const given = clips.filter((clip) => read.optionalNumber(clip, { above: 0 }) !== undefined);
    if (given.length > 1)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${read.where}: at most one of clipNorm, clipValue and globalClipNorm can be given; received ${given.join(' and ')}.`,
      );
    const weightDecay = read.optionalNumber('weightDecay', { min: 0 }) ?? rule.weightDecay ?? null;
    this.#rule = rule.rule;
    this.#hyper = {
      ...rule.hyper,
      learningRate: rule.learningRate,
      weightDecay: weightDecay ?? 0,
      coupledDecay: this.preset === 'torch' && !rule.decoupled ? 1 : 0,
      clipNorm: read.optionalNumber('clipNorm') ?? 0,
      clipValue: read.optionalNumber('clipValue') ?? 0,
    };
    this.#follow(checkSchedule(read.what('learningRate'), read.raw.learningRate ?? rule.learningRate));
    const useEma = read.flag('useEma', false);
    const emaMomentum = read.number('emaMomentum', 0.99, { min: 0, max: 1 });
    this.#options = {
      globalClipNorm: read.optionalNumber('globalClipNorm') ?? 0,
      accumulationSteps: read.optionalCount('gradientAccumulationSteps', { min: 2 }) ?? 1,
      // As Keras, whose schedules see its own count of steps; with PyTorch one steps a schedule after each update.
      scheduleByStep: this.preset === 'keras',
      emaMomentum: useEma ? emaMomentum : null,
      emaOverwriteFrequency: read.optionalCount('emaOverwriteFrequency') ?? 0,
    };
    const optional = [...clips, 'emaOverwriteFrequency', 'gradientAccumulationSteps'] as const;
    this.#optional = {
      weightDecay,
      ...Object.fromEntries(optional.map((key) => [key, read.raw[key] ?? null])),
      useEma,
      emaMomentum,
    };
    this.slotNames = [
      ...rule.slots,
      ...(useEma ? [averageSlot] : []),
      ...(this.#options.accumulationSteps > 1 ? [accumulatorSlot] : []),
    ];
    if (slotsOf(rule.rule) !== rule.slots.length)
      throw new DownhillError(
        'INTERNAL',
        `The update rule "${rule.rule}" needs the names of its ${slotsOf(rule.rule)} slots.`,
      );
    const start = (slot: number) => {
      const value = rule.starts?.[this.slotNames[slot]] ?? 0;
      return value === 'learningRate' ? this.learningRate : value;
    };
    this.#slots = new Slots(this.slotNames.length, useEma ? rule.slots.length : null, start);
  }

  /** The options that make an equal optimizer, as plain JSON, with the learning rate of the moment. A subclass adds its own. */
  getConfig(): Config {
    const learningRate = this.#schedule ?? this.learningRate;
    return { name: this.name, learningRate, ...this.#optional, preset: this.preset };
  }

  /**
   * Step size of the next update; may be set at any time, also while a model trains. Under a schedule it is the schedule's, and only
   * another schedule can be set.
   */
  get learningRate(): number {
    if (!this.#schedule) return this.#hyper.learningRate;
    const { accumulationSteps, scheduleByStep } = this.#options;
    const next = scheduleByStep ? (this.iterations + 1) * accumulationSteps - 1 : this.iterations;
    return rateOf(`${this.name}: learningRate`, this.#schedule, next);
  }

  set learningRate(value: number | ScheduleLike) {
    const checked = checkSchedule(`${this.name}: learningRate`, value);
    if (this.#schedule && typeof checked === 'number')
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${this.name}: learningRate follows a schedule, so that it cannot be set to ${checked}. Set another schedule, such as ` +
          `schedules.constant(${checked}), or make the optimizer with a number.`,
      );
    this.#follow(checked);
    for (const { updater } of this.#bound) this.#tell(updater);
  }

  /** Updates made so far. */
  get iterations(): number {
    return Math.floor(this.steps / this.#options.accumulationSteps);
  }

  set iterations(value: number) {
    const { accumulationSteps } = this.#options;
    const max = Math.floor(Number.MAX_SAFE_INTEGER / accumulationSteps);
    this.steps = checkCount(`${this.name}: iterations`, value, { min: 0, max }) * accumulationSteps;
  }

  /** Steps so far: updates, and those that only accumulated gradients. For training and files. */
  get steps(): number {
    return this.#active ? binding.updaterIterations(this.#active) : this.#steps;
  }

  set steps(value: number) {
    this.#steps = checkCount(`${this.name}: steps`, value, { min: 0 });
    if (this.#active) binding.updaterSetIterations(this.#active, value);
  }

  /**
   * Computes the rates of the next steps, at most `limit` (0: any number), where the schedule is a user's own, and gives how many steps may
   * be made with them (0: any number). For training.
   */
  ready(limit: number): number {
    if (!this.#schedule || nativeOf(this.#schedule)) return limit;
    const { accumulationSteps, scheduleByStep } = this.#options;
    const steps = limit > 0 ? Math.min(limit, kAhead) : kAhead;
    const first = scheduleByStep ? this.steps : this.iterations;
    const end = scheduleByStep ? this.steps + steps : Math.floor((this.steps + steps) / accumulationSteps);
    const rates = Array.from({ length: end - first }, (_, i) =>
      rateOf(`${this.name}: learningRate`, this.#schedule!, first + i),
    );
    this.#rates = nativeSchedule('table', [first, ...rates]);
    for (const { updater } of this.#bound) this.#tell(updater);
    return steps;
  }

  /** With useEma, gives variables the values of their moving averages, as fit does at its end. */
  finalizeVariableValues(variables: readonly Variable[]): void {
    this.#checkAlive();
    this.#checkVariables('finalizeVariableValues', variables);
    const slot = this.slotNames.indexOf(averageSlot);
    const averaged = slot < 0 || this.iterations === 0 ? [] : variables.filter((variable) => this.#slots.get(variable));
    binding.storagesWrite(
      averaged.map(storageOf),
      averaged.map(() => 'float32'),
      averaged.map((variable) => this.#slots.get(variable)![slot]),
    );
  }

  /**
   * Makes one update with the given gradients: [[gradient, variable], …]. Calls run in their order.
   *
   * @throws (rejects) SHAPE_MISMATCH unless each gradient has its variable's shape
   * @example await optimizer.applyGradients([[tensor([0.1, -0.2]), w]]);
   */
  async applyGradients(pairs: Iterable<readonly [gradient: TensorLike, variable: Variable]>): Promise<void> {
    const { gradients, variables } = this.#checkPairs(pairs);
    if (variables.length === 0) return;
    await this.#enqueue(async () => {
      await arrived(gradients);
      const bound = this.#own(variables);
      const types = gradients.map(() => 'float32' as const);
      binding.storagesWrite(
        [...bound.gradients],
        types,
        gradients.map((gradient) => storageOf(gradient)),
      );
      await this.#apply(bound.updater);
    });
  }

  /**
   * Makes one update of the variables that lowers lossFn, and gives the loss before it. Calls run in their order.
   *
   * @param lossFn computes a scalar with ops from the variables; Tensors that it captures may differ from call to call
   * @throws (rejects) SHAPE_MISMATCH unless the loss is a scalar
   * @example
   * const loss = await optimizer.minimize(() => ops.mean(ops.square(ops.sub(ops.matmul(x, w), y))), [w]);
   */
  async minimize(lossFn: LossFunction, variables: readonly Variable[]): Promise<Tensor> {
    this.#checkAlive();
    checkFunction(`${this.name}.minimize: lossFn`, lossFn);
    this.#checkVariables('minimize', variables);
    // Traced now, so that it reads what the caller's closure holds now; run when its turn comes.
    const traced = this.#losses.trace(`${this.name}.minimize`, lossFn, variables);
    return this.#enqueue(async () => {
      const bound = this.#own(variables);
      const { outputs, done } = this.#losses.run(traced, bound.gradients);
      if (done) await done;
      await this.#apply(bound.updater);
      return outputs[0];
    });
  }

  /**
   * The native updater of these variables with gradients in these storages, which becomes the one that counts iterations. Asked
   * again with the same lists it is the same updater. For training.
   */
  bind(variables: readonly Variable[], gradients: readonly Storage[]): Updater {
    this.#checkAlive();
    const known = this.#bound.find((bound) => same(bound.variables, variables) && same(bound.gradients, gradients));
    return this.#activate((known ?? this.#make(variables, gradients)).updater);
  }

  /** The slots of a variable, by slotNames; null before its first update. For files. */
  slotsOf(variable: Variable): readonly Storage[] | null {
    return this.#slots.get(variable);
  }

  /** The slots of these variables, with the values they begin at where they are new. For files. */
  makeSlots(variables: readonly Variable[]): readonly (readonly Storage[])[] {
    return this.#slots.of(variables);
  }

  /** Gives variables that have no slots theirs, with their values: by slot, then by variable. For files. */
  adoptSlots(variables: readonly Variable[], slots: readonly (readonly Storage[])[]): void {
    this.#slots.adopt(variables, slots);
  }

  /** Back to no slots and no updates made. For files. */
  forget(): void {
    this.#steps = 0;
    this.#active = null;
    this.#bound = [];
    this.#owned.clear();
    this.#slots.clear();
  }

  /** Releases slots and updaters; later updates reject with DISPOSED. */
  dispose(): void {
    this.#steps = this.steps;
    this.#active = null;
    this.#bound = [];
    this.#owned.clear();
    this.#losses.clear();
    this.#slots.clear();
    this.#disposed = true;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #make(variables: readonly Variable[], gradients: readonly Storage[]): Bound {
    const slots = this.#slots.of(variables);
    const rules = slotsOf(this.#rule);
    const named = (name: string, storages: readonly Storage[]) => storages[this.slotNames.indexOf(name)] ?? null;
    const segments = variables.map((variable, i) => ({
      parameter: storageOf(variable),
      gradient: gradients[i],
      slots: slots[i].slice(0, rules),
      group: 0,
      average: named(averageSlot, slots[i]),
      accumulator: named(accumulatorSlot, slots[i]),
    }));
    const updater = binding.updaterNew(this.#rule, segments, [this.#hyper], this.#options);
    this.#tell(updater);
    const bound = { variables: [...variables], gradients: [...gradients], updater };
    this.#bound = [...this.#bound.slice(1 - kBound), bound];
    return bound;
  }

  /** Updater and gradient storages for a list of the user's variables. */
  #own(variables: readonly Variable[]): Bound {
    for (const variable of variables) storageOf(variable);
    return this.#owned.get(idsOf(variables), () => this.#make(variables, arenaFor(variables)));
  }

  #activate(updater: Updater): Updater {
    if (updater !== this.#active) {
      binding.updaterSetIterations(updater, this.steps);
      this.#active = updater;
      this.#tell(updater);
    }
    return updater;
  }

  #follow(rate: number | ScheduleLike): void {
    if (typeof rate === 'number') {
      this.#hyper.learningRate = rate;
      this.#schedule = this.#rates = null;
    } else {
      this.#schedule = rate;
      // One's own becomes a table of rates before the next steps; those in hand go on with what they have.
      this.#rates = nativeOf(rate) ?? this.#rates;
    }
  }

  /** The rate, or where it comes from. */
  #tell(updater: Updater): void {
    binding.updaterSet(updater, 0, 'learningRate', this.#hyper.learningRate);
    binding.updaterSchedule(updater, 0, this.#rates);
  }

  #apply(updater: Updater): Promise<void> {
    this.#activate(updater);
    this.ready(1);
    return binding.updaterApply(updater, chosenDevice());
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(() => {
      this.#checkAlive();
      return work();
    });
    const settled = () => undefined;
    this.#queue = result.then(settled, settled);
    return result;
  }

  #checkPairs(pairs: Iterable<readonly [TensorLike, Variable]>): { gradients: Tensor[]; variables: Variable[] } {
    this.#checkAlive();
    const where = `${this.name}.applyGradients`;
    const list = isIterable(pairs) ? [...pairs] : null;
    if (!list?.every((pair) => Array.isArray(pair) && pair.length === 2))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${where} takes a list of pairs [gradient, variable]; received ${show(pairs)}.`,
      );
    const variables = list.map(([, variable]) => variable);
    this.#checkVariables('applyGradients', variables);
    const gradients = list.map(([gradient, variable]) => {
      const tensor = asTensor(`${where}: the gradient of "${variable.name}"`, gradient, 'float32');
      if (!sameShape(tensor.shape, variable.shape) || tensor.dtype !== 'float32')
        throw new DownhillError(
          'SHAPE_MISMATCH',
          `${where}: the gradient of "${variable.name}" must be float32 of shape ${shapeText(variable.shape)}; ` +
            `received ${tensor.dtype} of shape ${shapeText(tensor.shape)}.`,
        );
      return tensor;
    });
    return { gradients, variables };
  }

  #checkVariables(method: string, variables: readonly Variable[]): void {
    const where = `${this.name}.${method}`;
    if (!Array.isArray(variables))
      throw new DownhillError('INVALID_ARGUMENT', `${where} takes a list of Variables; received ${show(variables)}.`);
    for (const variable of variables as unknown[]) {
      if (!(variable instanceof Variable))
        throw new DownhillError(
          'INVALID_ARGUMENT',
          `${where} updates Variables, made by variable(…); received ${show(variable)}.`,
        );
      if (variable.dtype !== 'float32')
        throw new DownhillError(
          'DTYPE_MISMATCH',
          `${where}: "${variable.name}" is ${variable.dtype}; only float32 is updated.`,
        );
      if (!variable.trainable)
        throw new DownhillError('INVALID_ARGUMENT', `${where}: "${variable.name}" is not trainable. Leave it out.`);
      storageOf(variable);
    }
    if (new Set(variables).size !== variables.length)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${where}: a Variable is listed twice. Add its gradients up and list it once.`,
      );
  }

  #checkAlive(): void {
    if (this.#disposed)
      throw new DownhillError('DISPOSED', `The optimizer "${this.name}" has been disposed of. Make a new one.`);
  }
}

function slotsOf(rule: string): number {
  const row = binding.rules().find(({ name }) => name === rule);
  if (!row) throw new DownhillError('INTERNAL', `The addon has no update rule "${rule}".`);
  return row.slots;
}

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

function isIterable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}
