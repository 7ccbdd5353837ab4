// What all optimizers share: hyperparameters, slots, native updaters, and updates of a user's own variables.
import { binding, type Storage, type Updater } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { chosenDevice } from '../devices.js';
import { DownhillError } from '../errors.js';
import { arrived } from '../graph/program.js';
import type { Output } from '../graph/structure.js';
import { checkCount, checkFunction, type Options } from '../options.js';
import { checkSchedule, type ScheduleLike } from '../schedules/schedule.js';
import type { TensorLike } from '../tensor/convert.js';
import { storageOf, type Tensor } from '../tensor/tensor.js';
import type { Variable } from '../tensor/variable.js';
import { checkPairs, checkVariables } from './arguments.js';
import { type Common, type OptimizerOptions, readCommon, slotsOf, type UpdateRule } from './common.js';
import { LossPrograms } from './loss-programs.js';
import { type Preset, presetOf } from './presets.js';
import { Rate } from './rate.js';
import { Slots } from './slots.js';
import { Updaters } from './updaters.js';

/** A function without arguments that computes a loss from Variables. */
export type LossFunction = () => Output;

/** Names of the slots that no rule has. */
const averageSlot = 'average';
const accumulatorSlot = 'gradientAccumulator';

/** Rates of a user's own schedule that are computed ahead, at most. */
const kAhead = 1024;

/** Base of the optimizers. Slots belong to the variables and are made at their first update. */
export abstract class Optimizer {
  readonly name: string;
  readonly preset: Preset;
  /** Names of the slots, in their order. */
  readonly slotNames: readonly string[];
  readonly #rule: string;
  readonly #common: Common;
  readonly #rate: Rate;
  readonly #slots: Slots;
  readonly #losses = new LossPrograms();
  readonly #updaters: Updaters;
  #queue: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(kind: string, read: Options<OptimizerOptions>, rule: UpdateRule) {
    this.name = read.text('name', kind);
    this.preset = presetOf(read, rule.presets);
    this.#rule = rule.rule;
    this.#common = readCommon(read, this.preset, rule);
    const rate = checkSchedule(read.what('learningRate'), read.raw.learningRate ?? rule.learningRate);
    this.#rate = new Rate(`${this.name}: learningRate`, rate, rule.learningRate);
    this.#updaters = new Updaters(
      (variables, gradients) => this.#make(variables, gradients),
      (updater) => this.#rate.tell(updater, 0),
    );
    const averages = this.#common.options.emaMomentum !== null;
    this.slotNames = [
      ...rule.slots,
      ...(averages ? [averageSlot] : []),
      ...(this.#common.options.accumulationSteps > 1 ? [accumulatorSlot] : []),
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
    this.#slots = new Slots(this.slotNames.length, averages ? rule.slots.length : null, start);
  }

  /** The options that make an equal optimizer, as plain JSON, with the learning rate of the moment. A subclass adds its own. */
  getConfig(): Config {
    return { name: this.name, learningRate: this.#rate.value, ...this.#common.config, preset: this.preset };
  }

  /**
   * Step size of the next update; may be set at any time, also while a model trains. Under a schedule it is the schedule's, and only
   * another schedule can be set.
   */
  get learningRate(): number {
    const { accumulationSteps, scheduleByStep } = this.#common.options;
    return this.#rate.at(scheduleByStep ? (this.iterations + 1) * accumulationSteps - 1 : this.iterations);
  }

  set learningRate(value: number | ScheduleLike) {
    this.#rate.set(value);
    this.#updaters.tellAll();
  }

  /** Updates made so far. */
  get iterations(): number {
    return Math.floor(this.steps / this.#common.options.accumulationSteps);
  }

  set iterations(value: number) {
    const { accumulationSteps } = this.#common.options;
    const max = Math.floor(Number.MAX_SAFE_INTEGER / accumulationSteps);
    this.steps = checkCount(`${this.name}: iterations`, value, { min: 0, max }) * accumulationSteps;
  }

  /** Steps so far: updates, and those that only accumulated gradients. For training and files. */
  get steps(): number {
    return this.#updaters.steps;
  }

  set steps(value: number) {
    this.#updaters.steps = checkCount(`${this.name}: steps`, value, { min: 0 });
  }

  /**
   * Computes the rates of the next steps, at most `limit` (0: any number), where the schedule is a user's own, and gives how many steps may
   * be made with them (0: any number). For training.
   */
  ready(limit: number): number {
    if (!this.#rate.isOwn) return limit;
    const { accumulationSteps, scheduleByStep } = this.#common.options;
    const steps = limit > 0 ? Math.min(limit, kAhead) : kAhead;
    const first = scheduleByStep ? this.steps : this.iterations;
    const end = scheduleByStep ? this.steps + steps : Math.floor((this.steps + steps) / accumulationSteps);
    this.#rate.ready(first, end);
    this.#updaters.tellAll();
    return steps;
  }

  /** With useEma, gives variables the values of their moving averages, as fit does at its end. */
  finalizeVariableValues(variables: readonly Variable[]): void {
    this.#checkAlive();
    checkVariables(`${this.name}.finalizeVariableValues`, variables);
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
    this.#checkAlive();
    const { gradients, variables } = checkPairs(`${this.name}.applyGradients`, pairs);
    if (variables.length === 0) return;
    await this.#enqueue(async () => {
      await arrived(gradients);
      const bound = this.#updaters.own(variables);
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
    checkVariables(`${this.name}.minimize`, variables);
    // Traced now, so that it reads what the caller's closure holds now; run when its turn comes.
    const traced = this.#losses.trace(`${this.name}.minimize`, lossFn, variables);
    return this.#enqueue(async () => {
      const bound = this.#updaters.own(variables);
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
    return this.#updaters.bind(variables, gradients);
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
    this.#updaters.clear();
    this.#updaters.steps = 0;
    this.#slots.clear();
  }

  /** Releases slots and updaters; later updates reject with DISPOSED. */
  dispose(): void {
    this.#updaters.clear();
    this.#losses.clear();
    this.#slots.clear();
    this.#disposed = true;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #make(variables: readonly Variable[], gradients: readonly Storage[]): Updater {
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
    return binding.updaterNew(this.#rule, segments, [this.#common.hyper], this.#common.options);
  }

  #apply(updater: Updater): Promise<void> {
    this.#updaters.activate(updater);
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

  #checkAlive(): void {
    if (this.#disposed)
      throw new DownhillError('DISPOSED', `The optimizer "${this.name}" has been disposed of. Make a new one.`);
  }
}
