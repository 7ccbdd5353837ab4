// Native groups, and the native updater that is made of them.
import { binding, type Storage, type Updater, type UpdaterOptions } from '../binding/index.js';
import { storageOf } from '../tensor/tensor.js';
import type { Variable } from '../tensor/variable.js';
import { checkRule, type UpdateRule, type VariableRule } from './common.js';
import type { Rate } from './rate.js';
import { arenaFor, type Slot } from './slots.js';
import { unitsOf } from './units.js';
import { updateGraphs } from './update-programs.js';

/** Names of the slots that no rule has. */
export const averageSlot = 'average';
export const accumulatorSlot = 'gradientAccumulator';

/** A native group: variables of a parameter group (0: of none) with one rule. */
export interface Row {
  group: number;
  rule: VariableRule;
  /** By the native names. */
  hyper: Record<string, number>;
  rate: () => Rate;
  /** As in UpdateRule. */
  starts?: UpdateRule['starts'];
  /** Which of its variables have the next row instead. */
  isOther?: UpdateRule['isOther'];
}

/** The rows of one parameter group; `all` stands for its rule, but programs are the group's own. */
export function rowsOf(row: Row & { rule: UpdateRule }, all: UpdateRule): Row[] {
  const { rule, hyper } = row;
  const { other, isOther } = rule;
  const rows: Row[] = [{ ...row, rule: rule.program ? rule : all, starts: { ...all.starts, ...rule.starts }, isOther }];
  if (other) rows.push({ ...row, rule: other, hyper: { ...hyper, ...other.hyper } });
  for (const made of rows) checkRule(made.rule);
  return rows;
}

/** items: variables with their gradients and the indices of their rows; slots: by item. */
export function nativeUpdater(
  items: readonly { variable: Variable; gradient: Storage; row: number }[],
  slots: readonly (readonly Slot[])[],
  rows: readonly Row[],
  options: UpdaterOptions,
): Updater {
  // The pass leaves the gradients of variables with a program here.
  const programmed = items.map(({ variable }) => variable).filter((_, i) => rows[items[i].row].rule.program);
  const prepared = new Map(arenaFor(programmed).map((storage, i) => [programmed[i], storage]));
  const segments = items.map(({ variable, gradient, row }, i) => {
    const named = (name: string) => slots[i].find((slot) => slot.name === name)?.storage ?? null;
    const forProgram = prepared.get(variable);
    return {
      parameter: storageOf(variable),
      gradient,
      slots: forProgram ? [forProgram] : rows[row].rule.slots.map((name) => named(name)!),
      group: row,
      average: named(averageSlot),
      accumulator: named(accumulatorSlot),
      columns: unitsOf(variable.shape),
    };
  });
  const work = items.map(({ variable, row }, i) => ({
    variable,
    slots: slots[i],
    program: rows[row].rule.program ?? null,
    group: row,
    gradient: prepared.get(variable) ?? null,
  }));
  const averaging =
    options.emaMomentum === null ? null : { slot: averageSlot, overwrites: options.emaOverwriteFrequency > 0 };
  const groups = rows.map(({ rule, hyper }) => ({ rule: rule.rule, hyper }));
  return binding.updaterNew(segments, groups, options, updateGraphs(work, averaging));
}
