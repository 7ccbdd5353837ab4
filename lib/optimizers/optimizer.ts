// What all optimizers share: hyperparameters, slots, native updaters, and updates of a user's own variables.
import { binding, type Storage, type Updater, type UpdaterOptions } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { chosenDevice } from '../devices.js';
import { DownhillError, show } from '../errors.js';
import { arrived } from '../graph/program.js';
import type { Output } from '../graph/structure.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import type { Trace } from '../graph/trace.js';
import { checkCount, checkFunction, type Options } from '../options.js';
import { checkSchedule, type ScheduleLike } from '../schedules/schedule.js';
import type { TensorLike } from '../tensor/convert.js';
import { storageOf, type Tensor } from '../tensor/tensor.js';
import type { Variable } from '../tensor/variable.js';
import { checkPairs, checkVariables } from './arguments.js';
import { type Common, type OptimizerOptions, readCommon, restsAtZero, type UpdateRule } from './common.js';
import { CheckedGroup, type GroupOwner, ParameterGroup, ruleOfAll } from './groups.js';
import { LossPrograms } from './loss-programs.js';
import { type Preset, presetOf } from './presets.js';
import { Rate } from './rate.js';
import { accumulatorSlot, averageSlot, nativeUpdater, type Row, rowsOf } from './rows.js';
import { type Slot, type SlotShape, Slots } from './slots.js';
import { Updaters } from './updaters.js';

/** A function without arguments that computes a loss from Variables. */
export type LossFunction = () => Output;

/** Rates of a user's own schedule that are computed ahead, at most. */
const kAhead = 1024;

/** What files keep of an optimizer beside its slots. */
export interface OptimizerState {
  iterations: number;
  steps: number;
  skipped?: number;
  lossScale?: number;
  finiteSteps?: number;
}

/** Base of the optimizers. Slots belong to the variables and are made at their first update. */
export abstract class Optimizer {
  readonly name: string;
  readonly preset: Preset;
  /** Names of the slots, in their order; a variable may have some of them. */
  readonly slotNames: readonly string[];
  /** Their rates can be set: optimizer.groups[0].learningRate = 0.01. */
  readonly groups: readonly ParameterGroup[];
  readonly #rule: UpdateRule;
  /** By native group. */
  readonly #rows: readonly Row[];
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
    this.#common = readCommon(read, this.preset, rule);
    const rate = checkSchedule(read.what('learningRate'), read.raw.learningRate ?? rule.learningRate);
    this.#rate = new Rate(`${this.name}: learningRate`, rate, rule.learningRate);
    this.#updaters = new Updaters(
      (variables, gradients) => this.#make(variables, gradients),
      (updater) => {
        for (const [row, { rate }] of this.#rows.entries()) rate().tell(updater, row);
      },
    );
    const groups = this.#readGroups(read, new.target as unknown as ClassOfGroups);
    this.groups = groups.map(({ group }) => group);
    this.#rule = rule;
    const all = ruleOfAll(read.where, [rule, ...groups.map(({ rule }) => rule)]);
    const averages = this.#common.options.emaMomentum !== null;
    this.#rows = [
      { group: 0, rule, hyper: this.#common.hyper, rate: () => this.#rate },
      ...groups.map(({ group, rule }, i) => ({
        group: i + 1,
        rule,
        hyper: group.hyper,
        rate: () => group.rate ?? this.#rate,
      })),
    ].flatMap((row) => rowsOf(row, all));
    this.slotNames = [
      ...new Set(this.#rows.flatMap(({ rule }) => rule.slots)),
      ...(averages ? [averageSlot] : []),
      ...(this.#common.options.accumulationSteps > 1 ? [accumulatorSlot] : []),
    ];
    const start = (name: string, variable: Variable) => {
      const { group, starts } = this.#rows[this.#rowOf(variable)];
      const value = starts?.[name] ?? 0;
      return value === 'learningRate' ? (this.groups[group - 1] ?? this).learningRate : value;
    };
    this.#slots = new Slots((variable) => this.slotShapes(variable), averages ? averageSlot : null, start);
  }

  /** Options that follow from those of a group. */
  static impliedByGroup(_own: Config): Config {
    return {};
  }

  /** The options that make an equal optimizer, as plain JSON, with the learning rate of the moment. A subclass adds its own. */
  getConfig(): Config {
    const groups = this.groups.length > 0 ? { groups: this.groups.map((group) => group.getConfig()) } : {};
    const { config } = this.#common;
    return { name: this.name, learningRate: this.#rate.value, ...config, ...groups, preset: this.preset };
  }

  /**
   * Step size of the next update; may be set at any time, also while a model trains. Under a schedule it is the schedule's, and only
   * another schedule can be set. Groups with a rate of their own keep it: groups[i].learningRate is theirs.
   */
  get learningRate(): number {
    return this.#rate.at(this.#next);
  }

  set learningRate(value: number | ScheduleLike) {
    this.#rate.set(value);
    this.#updaters.tellAll();
  }

  /** Updates made so far, without those that were skipped. */
  get iterations(): number {
    return Math.floor(this.steps / this.#common.options.accumulationSteps) - this.skipped;
  }

  set iterations(value: number) {
    const { accumulationSteps } = this.#common.options;
    const { skipped } = this;
    const max = Math.floor(Number.MAX_SAFE_INTEGER / accumulationSteps) - skipped;
    const updates = checkCount(`${this.name}: iterations`, value, { min: 0, max }) + skipped;
    this.#updaters.count(updates * accumulationSteps, skipped);
  }

  /** Updates that were left out because a gradient was not finite (skipNonFinite, lossScale). */
  get skipped(): number {
    return this.#updaters.skipped;
  }

  /** The factor that the next loss is multiplied with: 1 without lossScaleFactor and lossScale. Gradients for applyGradients are to have it. */
  get lossScale(): number {
    return this.#common.lossScale.value;
  }

  /** What the gradients of a loss begin with; undefined: with 1. For training. */
  lossSeed(trace: Trace): SymbolicTensor | undefined {
    return this.#common.lossScale.seed(trace);
  }

  /** Steps so far: updates, and those that only accumulated gradients. For training and files. */
  get steps(): number {
    return this.#updaters.steps;
  }

  /** What files keep beside the slots; what is at its start is left out. */
  get state(): OptimizerState {
    const { steps, skipped } = this;
    return { iterations: this.iterations, steps, ...(skipped > 0 && { skipped }), ...this.#common.lossScale.state };
  }

  /** Puts in place what `state` gave; iterations follow from the rest. */
  restore({ steps, skipped = 0, lossScale, finiteSteps }: Omit<OptimizerState, 'iterations'>): void {
    this.#updaters.count(steps, skipped);
    if (lossScale !== undefined && finiteSteps !== undefined) this.#common.lossScale.state = { lossScale, finiteSteps };
  }

  /**
   * Computes the rates of the next steps, at most `limit` (0: any number), where the schedule is a user's own, and gives how many steps may
   * be made with them (0: any number). For training.
   */
  ready(limit: number): number {
    const rates = [this.#rate, ...this.groups.flatMap(({ rate }) => rate ?? [])];
    const own = rates.filter((rate) => rate.isOwn);
    if (own.length === 0) return limit;
    const { accumulationSteps, scheduleByStep } = this.#common.options;
    const steps = limit > 0 ? Math.min(limit, kAhead) : kAhead;
    const made = this.steps - this.skipped * accumulationSteps;
    const first = scheduleByStep ? made : this.iterations;
    const end = scheduleByStep ? made + steps : Math.floor((made + steps) / accumulationSteps);
    for (const rate of own) rate.ready(first, end);
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
   * Makes one update with the given gradients: [[gradient, variable], …]. Calls run in their order. With a loss scale they are those of the
   * loss times `lossScale`.
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
    const seed = (trace: Trace) => this.lossSeed(trace);
    const traced = this.#losses.trace(`${this.name}.minimize`, lossFn, variables, seed);
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

  /**
   * An updater that does what the next step would do, with the rate that it would have, to copies of variables: their names are those of the
   * originals, their slots their own. This optimizer does not count it. For profiles.
   */
  rehearse(copies: readonly Variable[], gradients: readonly Storage[]): Updater {
    this.#checkAlive();
    const updater = this.#make(copies, gradients, this.#common.lossScale.copy);
    this.#rows.forEach(({ rate }, i) => {
      binding.updaterSet(updater, i, 'learningRate', rate().at(this.#next));
    });
    binding.updaterSetIterations(updater, this.steps, this.skipped);
    return updater;
  }

  /** Whether updates go over those rows of a variable alone that have a gradient, where it has some by rows. For describe(). */
  updatesRows(variable: Variable): boolean {
    const { rule, hyper } = this.#rows[this.#rowOf(variable)];
    return variable.constraint === null && restsAtZero(rule, hyper, this.#common.options);
  }

  /** The slots of a variable; null before its first update. For files. */
  slotsOf(variable: Variable): readonly Slot[] | null {
    return this.#slots.get(variable);
  }

  /** The slots that a variable has from its first update on, in the order of slotNames. For files. */
  slotShapes(variable: Variable): readonly SlotShape[] {
    const { shape } = variable;
    const { rule } = this.#rows[this.#rowOf(variable)];
    const shapes = rule.slotShapes?.(shape) ?? Object.fromEntries(rule.slots.map((name) => [name, shape]));
    return this.slotNames.flatMap((name) => {
      if (name === averageSlot || name === accumulatorSlot) return { name, shape };
      return Object.hasOwn(shapes, name) ? { name, shape: shapes[name] } : [];
    });
  }

  /** The slots of these variables, with the values they begin at where they are new. For files. */
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
    this.#updaters.count(0, 0);
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

  /** The row of a variable: that of the first group that matches, or the optimizer's own. */
  #rowOf(variable: Variable): number {
    const group = this.groups.findIndex((own) => own.has(variable.name)) + 1;
    const first = this.#rows.findIndex((row) => row.group === group);
    return this.#rows[first].isOther?.(variable) ? first + 1 : first;
  }

  #make(variables: readonly Variable[], gradients: readonly Storage[], changed: Partial<UpdaterOptions> = {}): Updater {
    for (const group of this.groups) group.checkMatches(variables);
    const items = variables.map((variable, i) => ({ variable, gradient: gradients[i], row: this.#rowOf(variable) }));
    return nativeUpdater(items, this.#slots.of(variables), this.#rows, { ...this.#common.options, ...changed });
  }

  /** What schedules count, at the next update. */
  get #next(): number {
    const { accumulationSteps, scheduleByStep } = this.#common.options;
    return scheduleByStep ? (this.iterations + 1) * accumulationSteps - 1 : this.iterations;
  }

  /** A group has the numbers that a whole optimizer of this class with its options would have. */
  #readGroups(read: Options<OptimizerOptions>, Class: ClassOfGroups): { group: ParameterGroup; rule: UpdateRule }[] {
    const { groups = [] } = read.raw as { groups?: unknown };
    const what = read.what('groups');
    if (!Array.isArray(groups))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${what} must be a list of { match, …options }; received ${show(groups)}.`,
      );
    const owner: GroupOwner = {
      next: (rate) => rate.at(this.#next),
      changed: () => this.#updaters.tellAll(),
      rate: this.#rate,
    };
    return groups.map((given, i) => {
      const group = new CheckedGroup(`${what}[${i}]`, given, read.raw);
      const whole = group.within(() => new Class({ ...group.merged, ...Class.impliedByGroup(group.own) }));
      return { group: new ParameterGroup(group, whole.#common.hyper, owner), rule: whole.#rule };
    });
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

type ClassOfGroups = (new (options: Config) => Optimizer) & Pick<typeof Optimizer, 'impliedByGroup'>;
