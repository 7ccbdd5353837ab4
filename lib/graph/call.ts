// One op: a node of the running trace, or a one-op program run at once.
import { binding, type DType, type Workspace } from '../binding/index.js';
import { chosenDevice } from '../devices.js';
import type { TensorLike } from '../tensor/convert.js';
import { asTensor } from '../tensor/make.js';
import { type Shape, sameShape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { LruCache } from './lru.js';
import { TracedProgram } from './program.js';
import { SymbolicTensor } from './symbolic.js';
import { type Attributes, attributesText, Trace, traceOf, type Value } from './trace.js';

/** Programs of single ops, by op, attributes, shapes and dtypes. */
const programs = new LruCache<TracedProgram>(512);
let workspace: Workspace | null = null;

/** The last call of an op, which the next one mostly repeats: comparing is cheaper than making its key. */
interface LastCall {
  readonly operands: readonly { readonly shape: Shape; readonly dtype: DType }[];
  readonly attributes: Attributes;
  readonly device: string;
  readonly program: TracedProgram;
}
const lastCalls = new Map<string, LastCall>();

/** Drops the cached programs, which keep the kernels of the instruction set that they were compiled for. */
export function forgetPrograms(): void {
  programs.clear();
  lastCalls.clear();
}

const noAttributes: Attributes = Object.freeze({});

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
  attributes: Attributes = noAttributes,
  partners: readonly Value[] = operands,
): SymbolicTensor | Tensor {
  const where = `ops.${op}`;
  const dtype = scalarDtype(partners);
  const trace = traceOf(where, operands);
  if (trace) {
    const lifted = operands.map((operand) => trace.lift(where, operand, dtype));
    return trace.add(op, lifted, attributes);
  }
  const given: Tensor[] = [];
  for (const operand of operands) given.push(concrete(where, operand as TensorLike, dtype));
  return runOnce(op, given, attributes);
}

function concrete(where: string, operand: TensorLike, dtype: DType): Tensor {
  return asTensor(where, operand, typeof operand === 'number' ? dtype : undefined);
}

function runOnce(op: string, operands: readonly Tensor[], attributes: Attributes): Tensor {
  const device = chosenDevice();
  const last = lastCalls.get(op);
  if (last && repeats(last, operands, attributes, device)) return last.program.run(operands).outputs[0];
  const signature = operands.map((operand) => `${operand.dtype}[${operand.shape.join()}]`).join(';');
  const program = programs.get(`${device} ${op}(${signature})${attributesText(attributes)}`, () => {
    const trace = new Trace();
    const inputs = operands.map((operand) => trace.input(operand.shape, operand.dtype));
    workspace ??= binding.workspaceNew();
    return new TracedProgram(trace, [trace.add(op, inputs, attributes)], workspace, device);
  });
  // Attributes are compared by identity, so only those that cannot change are remembered.
  if (Object.isFrozen(attributes)) {
    const seen = operands.map(({ shape, dtype }) => ({ shape, dtype }));
    lastCalls.set(op, { operands: seen, attributes, device, program });
  }
  return program.run(operands).outputs[0];
}

function repeats(last: LastCall, operands: readonly Tensor[], attributes: Attributes, device: string): boolean {
  if (last.attributes !== attributes || last.device !== device || last.operands.length !== operands.length)
    return false;
  for (let i = 0; i < operands.length; i++) {
    const { shape, dtype } = operands[i];
    if (dtype !== last.operands[i].dtype || !sameShape(shape, last.operands[i].shape)) return false;
  }
  return true;
}
