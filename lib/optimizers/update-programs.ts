// Graph programs that follow an update's pass over all elements: rules made of ops (Adafactor, Muon), their moving averages, and
// constraints. native/optim/update_programs.h runs them.
import { binding, type Storage, type UpdateGraphs } from '../binding/index.js';
import { constrained } from '../constraints/constraint.js';
import * as ops from '../graph/ops.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import { Trace } from '../graph/trace.js';
import type { Shape } from '../tensor/shape.js';
import { Variable } from '../tensor/variable.js';
import type { Slot } from './slots.js';

/** Values of one variable while its update is traced. */
export interface UpdateValues {
  /** After decoupled decay. */
  parameter: SymbolicTensor;
  /** After accumulation, clipping and coupled decay. */
  gradient: SymbolicTensor;
  /** By name. */
  slots: Readonly<Record<string, SymbolicTensor>>;
  /** By name. */
  scalars: Readonly<Record<string, SymbolicTensor>>;
}

/** The update of one variable as a function of ops. */
export interface UpdateProgram {
  /** The members of the rule's functor (native/optim/program_rules.h), which are scalars of the step. */
  scalars: readonly string[];
  /** New values of the parameter and of slots by name; slots that are left out stay. */
  update(values: UpdateValues): { parameter: SymbolicTensor; slots: Readonly<Record<string, SymbolicTensor>> };
}

/** What one variable needs after the pass. */
export interface Work {
  variable: Variable;
  slots: readonly Slot[];
  /** Null: the pass did the update. */
  program: UpdateProgram | null;
  /** Native group, and where the pass leaves the gradient for the program. */
  group: number;
  gradient: Storage | null;
}

export interface Averaging {
  /** Name of the slot. */
  slot: string;
  overwrites: boolean;
}

/** The graphs of those that need one; null when none does. `averaging`: null without moving averages. */
export function updateGraphs(work: readonly Work[], averaging: Averaging | null): UpdateGraphs | null {
  const scalars = new ScalarsOfStep();
  const programs = work
    .filter(({ variable, program }) => program !== null || variable.constraint !== null)
    .map((item) => trace(item, averaging, scalars));
  return programs.length > 0 ? { programs, scalars: scalars.places } : null;
}

/** Places of the scalars of a step, which all programs of an updater share. */
class ScalarsOfStep {
  readonly places: UpdateGraphs['scalars'] = [];
  readonly #known = new Map<number | null, Record<string, Variable>>();

  /** group: null for those of the moving average. */
  of(group: number | null, names: readonly string[]): Record<string, Variable> {
    let variables = this.#known.get(group);
    if (!variables) {
      const at = binding.arena(names.map(() => 4));
      variables = Object.fromEntries(names.map((name, i) => [name, hidden(at[i], [], name)]));
      this.places.push({ group, at });
      this.#known.set(group, variables);
    }
    return variables;
  }
}

function hidden(storage: Storage, shape: Shape, name: string): Variable {
  return new Variable(storage, shape, 'float32', name, false);
}

function trace(
  { variable, slots, program, group, gradient }: Work,
  averaging: Averaging | null,
  scalars: ScalarsOfStep,
): UpdateGraphs['programs'][number] {
  const graph = new Trace();
  const leaf = (of: Variable) => graph.variable(of);
  const leaves = (of: Record<string, Variable>) =>
    Object.fromEntries(Object.entries(of).map(([name, scalar]) => [name, leaf(scalar)]));
  const own = Object.fromEntries(slots.map((slot) => [slot.name, hidden(slot.storage, slot.shape, slot.name)]));
  graph.run(() => {
    let parameter = leaf(variable);
    if (program) {
      const updated = program.update({
        parameter,
        gradient: leaf(hidden(gradient!, variable.shape, 'gradient')),
        slots: leaves(own),
        scalars: leaves(scalars.of(group, program.scalars)),
      });
      for (const [name, value] of Object.entries(updated.slots)) graph.write(own[name], value);
      parameter = updated.parameter;
      if (averaging) {
        // The formula of native/optim/update_element.h.
        const { keep, take, overwrite } = leaves(scalars.of(null, ['keep', 'take', 'overwrite']));
        const average = ops.add(ops.mul(keep, leaf(own[averaging.slot])), ops.mul(take, parameter));
        graph.write(own[averaging.slot], average);
        if (averaging.overwrites) parameter = ops.where(overwrite, average, parameter);
      }
    }
    if (variable.constraint)
      parameter = constrained(`the constraint of "${variable.name}"`, variable.constraint, parameter);
    graph.write(variable, parameter);
  });
  graph.ended = true;
  return { graph: graph.graph, writes: graph.writes };
}
