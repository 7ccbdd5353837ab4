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
import {
  type Common,
  checkRule,
  type OptimizerOptions,
  type Preset,
  presets,
  readCommon,
  type UpdateRule,
  type VariableRule,
} from './common.js';
import { LossPrograms } from './loss-programs.js';
import { Rate } from './rate.js';
import { arenaFor, type Slot, type SlotShape, Slots } from './slots.js';
import { updateGraphs } from './update-programs.js';
import { Updaters } from './updaters.js';

export { commonKeys, type OptimizerOptions, type Preset, presets, type UpdateRule } from './common.js';

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
  /** Names of the slots, in their order; a variable may have some of them. */
  readonly slotNames: readonly string[];
  readonly #rule: UpdateRule;
  readonly #common: Common;
  readonly #rate: Rate;
  readonly #slots: Slots;
  readonly #losses = new LossPrograms();
  readonly #updaters: Updaters;
  #queue: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(kind: string, read: Options<OptimizerOptions>, rule: UpdateRule) {
    this.name = read.text('name', kind);
    this.preset = read.oneOf('preset', presets, 'keras');
    this.#rule = rule;
    for (const own of rule.other ? [rule, rule.other] : [rule]) checkRule(own);
    this.#common = readCommon(read, this.preset, rule);
    const rate = checkSchedule(read.what('learningRate'), read.raw.learningRate ?? rule.learningRate);
    this.#rate = new Rate(`${this.name}: learningRate`, rate, rule.learningRate);
    this.#updaters = new Updaters(
      (variables, gradients) => this.#make(variables, gradients),
      (updater) => {
        for (let group = 0; group < (rule.other ? 2 : 1); group++) this.#rate.tell(updater, group);
      },
    );
    const averages = this.#common.options.emaMomentum !== null;
    this.slotNames = [
      ...new Set([...rule.slots, ...(rule.other?.slots ?? [])]),
      ...(averages ? [averageSlot] : []),
      ...(this.#common.options.accumulationSteps > 1 ? [accumulatorSlot] : []),
    ];
    this.#slots = new Slots((variable) => this.slotShapes(variable), averages ? averageSlot : null);
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
    const averages = (this.iterations === 0 ? [] : variables).flatMap((variable) => {
      const slot = this.#slots.get(variable)?.find(({ name }) => name === averageSlot);
      return slot ? { variable, slot } : [];
    });
    binding.storagesWrite(
      averages.map(({ variable }) => storageOf(variable)),
      averages.map(() => 'float32'),
      averages.map(({ slot }) => slot.storage),
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

  /** The slots of a variable; null before its first update. For files. */
  slotsOf(variable: Variable): readonly Slot[] | null {
    return this.#slots.get(variable);
  }

  /** The slots that a variable has from its first update on, in the order of slotNames. For files. */
  slotShapes(variable: Variable): readonly SlotShape[] {
    const { shape } = variable;
    const rule = this.#ruleOf(variable);
    const shapes = rule.slotShapes?.(shape) ?? Object.fromEntries(rule.slots.map((name) => [name, shape]));
    return this.slotNames.flatMap((name) => {
      if (name === averageSlot || name === accumulatorSlot) return { name, shape };
      return Object.hasOwn(shapes, name) ? { name, shape: shapes[name] } : [];
    });
  }

  /** The slots of these variables, new ones with their first values. For files. */
  makeSlots(variables: readonly Variable[]): readonly (readonly Slot[])[] {
    return this.#slots.of(variables);
  }

  /** Slots for these variables, to be filled and adopted. For files. */
  layOutSlots(variables: readonly Variable[]): readonly (readonly Slot[])[] {
    return this.#slots.layOut(variables);
  }

  /** Gives variables that have no slots theirs, with their values. For files. */
  adoptSlots(variables: readonly Variable[], slots: readonly (readonly Slot[])[]): void {
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

  #ruleOf(variable: Variable): VariableRule {
    return this.#rule.ruleOf?.(variable) ?? this.#rule;
  }

  #make(variables: readonly Variable[], gradients: readonly Storage[]): Updater {
    const { other } = this.#rule;
    const rules = other ? [this.#rule, other] : [this.#rule];
    const ruleOf = variables.map((variable) => this.#ruleOf(variable));
    // A pass of its own leaves the gradients of variables with a program here.
    const programmed = variables.filter((_, i) => ruleOf[i].program);
    const scratch = new Map(arenaFor(programmed).map((storage, i) => [programmed[i], storage]));
    const slots = this.#slots.of(variables);
    const segments = variables.map((variable, i) => {
      const named = (name: string) => slots[i].find((slot) => slot.name === name)?.storage ?? null;
      const gradient = scratch.get(variable);
      return {
        parameter: storageOf(variable),
        gradient: gradients[i],
        slots: gradient ? [gradient] : ruleOf[i].slots.map((name) => named(name)!),
        group: rules.indexOf(ruleOf[i]),
        average: named(averageSlot),
        accumulator: named(accumulatorSlot),
      };
    });
    const { hyper, options } = this.#common;
    const work = variables.map((variable, i) => ({
      variable,
      slots: slots[i],
      program: ruleOf[i].program ?? null,
      group: segments[i].group,
      gradient: scratch.get(variable) ?? null,
    }));
    const averaging =
      options.emaMomentum === null ? null : { slot: averageSlot, overwrites: options.emaOverwriteFrequency > 0 };
    return binding.updaterNew(
      segments,
      rules.map((rule) => ({ rule: rule.rule, hyper: { ...hyper, ...rule.hyper } })),
      options,
      updateGraphs(work, averaging),
    );
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
