// One op: a node of the running trace, or a one-op program run at once.
import { binding, type DType, type Workspace } from '../binding/index.js';
import { chosenDevice } from '../devices.js';
import type { TensorLike } from '../tensor/convert.js';
import { asTensor } from '../tensor/make.js';
import { Tensor } from '../tensor/tensor.js';
import { LruCache } from './lru.js';
import { TracedProgram } from './program.js';
import { SymbolicTensor } from './symbolic.js';
import { type Attributes, attributesText, Trace, traceOf, type Value } from './trace.js';

/** Programs of single ops, by op, attributes, shapes and dtypes. */
const programs = new LruCache<TracedProgram>(512);
let workspace: Workspace | null = null;

/** Drops the cached programs, which keep the kernels of the instruction set that they were compiled for. */
export function forgetPrograms(): void {
  programs.clear();
}

/** dtype that numbers get beside these operands: that of the tensors, but float32 for a fraction beside integers. */
function scalarDtype(operands: readonly unknown[]): DType {
  let integers = false;
  for (const operand of operands) {
    if (typeof operand === 'number') {
      if (!Number.isInteger(operand) || Math.abs(operand) > 0x7fffffff) return 'float32';
    } else if (operand instanceof SymbolicTensor || operand instanceof Tensor) {
      if (operand.dtype === 'float32') return 'float32';
      integers = true;
    } else if (!(operand instanceof Int32Array)) return 'float32';
    else integers = true;
  }
  return integers ? 'int32' : 'float32';
}

/**
 * Applies an op of the table. Symbolic when an operand is or a traced function is running, else a Tensor whose values are
 * computed by the time they are read. `partners`: the operands whose dtype numbers take, by default all.
 */
export function call(
  op: string,
  operands: readonly Value[],
  attributes: Attributes = {},
  partners: readonly Value[] = operands,
): SymbolicTensor | Tensor {
  const where = `ops.${op}`;
  const dtype = scalarDtype(partners);
  const trace = traceOf(where, operands);
  if (trace) {
    const lifted = operands.map((operand) => trace.lift(where, operand, dtype));
    return trace.add(op, lifted, attributes);
  }
  return runOnce(
    op,
    operands.map((operand) => concrete(where, operand as TensorLike, dtype)),
    attributes,
  );
}

function concrete(where: string, operand: TensorLike, dtype: DType): Tensor {
  return asTensor(where, operand, typeof operand === 'number' ? dtype : undefined);
}

function runOnce(op: string, operands: readonly Tensor[], attributes: Attributes): Tensor {
  const signature = operands.map((operand) => `${operand.dtype}[${operand.shape.join()}]`).join(';');
  const device = chosenDevice();
  const program = programs.get(`${device} ${op}(${signature})${attributesText(attributes)}`, () => {
    const trace = new Trace();
    const inputs = operands.map((operand) => trace.input(operand.shape, operand.dtype));
    workspace ??= binding.workspaceNew();
    return new TracedProgram(trace, [trace.add(op, inputs, attributes)], workspace, device);
  });
  return program.run(operands).outputs[0];
}
