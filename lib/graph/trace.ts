// Tracing: a function runs once on symbolic values, and the ops it calls become nodes of one graph.
import { binding, type DType, type Graph, type Storage } from '../binding/index.js';
import { DownhillError, show } from '../errors.js';
import type { TensorLike } from '../tensor/convert.js';
import { asTensor } from '../tensor/make.js';
import { type Shape, sameShape, shapeText } from '../tensor/shape.js';
import { storageOf, type Tensor } from '../tensor/tensor.js';
import { Variable } from '../tensor/variable.js';
import { SymbolicTensor } from './symbolic.js';

/** An operand of an op: symbolic, or anything that can be made a Tensor. */
export type Value = SymbolicTensor | TensorLike;

export type Attributes = Record<string, number | boolean | string | number[]>;

/** Equal for equal attributes only; unlike JSON it tells infinities apart. */
export function attributesText(attributes: Attributes): string {
  return Object.entries(attributes)
    .map(
      ([name, value]) =>
        `${name}=${Array.isArray(value) ? `[${value.join()}]` : Object.is(value, -0) ? '-0' : String(value)}`,
    )
    .join(';');
}

let current: Trace | null = null;

/** The trace that ops join, if a traced function is running. */
export function currentTrace(): Trace | null {
  return current;
}

/**
 * The trace that an op on these operands joins, or null when it is to run at once. Throws TRACE_ERROR for symbolic values of a
 * trace that has ended or is not the running one.
 */
export function traceOf(where: string, operands: readonly unknown[]): Trace | null {
  for (const operand of operands) {
    if (!(operand instanceof SymbolicTensor)) continue;
    if (operand.trace.ended)
      throw new DownhillError(
        'TRACE_ERROR',
        `${where}: ${operand} was kept after the traced function it belongs to had returned. Return it from that function instead.`,
      );
    if (current ? operand.trace !== current : operand.trace !== firstTrace(operands))
      throw new DownhillError(
        'TRACE_ERROR',
        `${where}: ${operand} belongs to another traced function. Pass it as an argument instead of capturing it.`,
      );
  }
  return current ?? firstTrace(operands);
}

function firstTrace(operands: readonly unknown[]): Trace | null {
  for (const operand of operands) if (operand instanceof SymbolicTensor) return operand.trace;
  return null;
}

/** A graph under construction, with the concrete values it has captured. */
export class Trace {
  readonly graph: Graph = binding.graphNew();
  /** Variables read or written, in the order of their first use. */
  readonly variables = new Map<Variable, SymbolicTensor>();
  /** Inputs in graph order; the Tensor for captured ones, null for arguments. */
  readonly inputs: (Tensor | null)[] = [];
  /** What was added so far, as text: equal texts mean equal graphs, but for the identity of constants. */
  readonly signature: string[] = [];
  /** No further ops may be added. */
  ended = false;
  readonly #constants = new Map<Tensor, SymbolicTensor>();
  readonly #assigned = new Map<Variable, SymbolicTensor>();
  readonly #substitutes = new Map<Variable, SymbolicTensor>();

  /** captures: what becomes of concrete Tensors - constants of this graph, or inputs that are bound at each run. */
  constructor(readonly captures: 'constant' | 'input' = 'constant') {}

  /** Runs `body` with this as the trace that ops join. */
  run<T>(body: () => T): T {
    const outer = current;
    current = this;
    try {
      return body();
    } finally {
      current = outer;
    }
  }

  input(shape: Shape, dtype: DType, label = ''): SymbolicTensor {
    this.inputs.push(null);
    return this.#input(shape, dtype, label);
  }

  /** The node of a concrete Tensor; one node per Tensor. A Variable's is its value at each run, or what was assigned to it. */
  capture(tensor: Tensor): SymbolicTensor {
    if (tensor instanceof Variable)
      return this.#assigned.get(tensor) ?? this.#substitutes.get(tensor) ?? this.variable(tensor);
    const known = this.#constants.get(tensor);
    if (known) return known;
    const storage = storageOf(tensor);
    let symbolic: SymbolicTensor;
    if (this.captures === 'input') {
      this.inputs.push(tensor);
      symbolic = this.#input(tensor.shape, tensor.dtype, 'captured');
    } else {
      const node = binding.graphConstant(this.graph, storage, [...tensor.shape], tensor.dtype);
      symbolic = new SymbolicTensor(this, node, tensor.shape, tensor.dtype, 'constant');
    }
    this.#constants.set(tensor, symbolic);
    return symbolic;
  }

  /** The leaf node of a Variable: its value before the run. */
  variable(variable: Variable): SymbolicTensor {
    let leaf = this.variables.get(variable);
    if (!leaf) {
      const { shape, dtype, name } = variable;
      const node = binding.graphVariable(this.graph, storageOf(variable), [...shape], dtype, name);
      this.signature.push(`v${this.variables.size}:${dtype}${shapeText(shape)}`);
      leaf = new SymbolicTensor(this, node, shape, dtype, name);
      this.variables.set(variable, leaf);
    }
    return leaf;
  }

  scalar(value: number, dtype: DType): SymbolicTensor {
    this.signature.push(`${Object.is(value, -0) ? '-0' : value}:${dtype}`);
    return new SymbolicTensor(this, binding.graphScalar(this.graph, value, dtype), [], dtype, String(value));
  }

  add(op: string, inputs: readonly SymbolicTensor[], attributes: Attributes = {}): SymbolicTensor {
    const nodes = inputs.map((input) => input.node);
    const node = binding.graphAdd(this.graph, op, nodes, attributes);
    this.signature.push(`${op}(${nodes.join()})${attributesText(attributes)}`);
    return this.#at(node, op);
  }

  /** `body` is one call of a layer; with `recompute` the backward pass computes again what it makes. */
  unit<T>(recompute: boolean, body: () => T): T {
    binding.graphEnter(this.graph, recompute);
    this.signature.push(recompute ? 'again(' : '(');
    try {
      return body();
    } finally {
      binding.graphLeave(this.graph);
      this.signature.push(')');
    }
  }

  /** Nodes of d output / d wrt[i], times `seed` where given. Throws NOT_DIFFERENTIABLE. */
  gradients(output: SymbolicTensor, wrt: readonly SymbolicTensor[], seed?: SymbolicTensor): SymbolicTensor[] {
    const nodes = wrt.map((input) => input.node);
    this.signature.push(`grad(${output.node};${nodes.join()};${seed?.node ?? ''})`);
    const found = binding.graphGradients(this.graph, output.node, nodes, seed ? seed.node : -1);
    return found.map((node, i) => this.#at(node, `gradient of ${wrt[i].label}`));
  }

  /** Any value as a node of this graph. Numbers get `dtype`. */
  lift(where: string, value: unknown, dtype: DType = 'float32'): SymbolicTensor {
    if (value instanceof SymbolicTensor) return value;
    if (typeof value === 'number') return this.scalar(value, dtype);
    return this.capture(asTensor(where, value));
  }

  /** Reads of the variable give `value` in this trace; nothing is written. */
  substitute(variable: Variable, value: SymbolicTensor): void {
    this.#substitutes.set(variable, value);
  }

  /** Writes `value` to the variable at the end of each run; reads of it that follow see `value`. */
  write(variable: Variable, value: SymbolicTensor): void {
    const where = `assign to Variable "${variable.name}"`;
    traceOf(where, [value]);
    if (!sameShape(value.shape, variable.shape))
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `${where}: expected shape ${shapeText(variable.shape)}; received ${shapeText(value.shape)}.`,
      );
    this.variable(variable);
    this.#assigned.set(
      variable,
      value.dtype === variable.dtype ? value : this.add('cast', [value], { dtype: variable.dtype }),
    );
  }

  /** State writes for the program. */
  get writes(): [Storage, number][] {
    return [...this.#assigned].map(([variable, value]) => [storageOf(variable), value.node]);
  }

  #input(shape: Shape, dtype: DType, label: string): SymbolicTensor {
    const node = binding.graphInput(this.graph, [...shape], dtype, label);
    this.signature.push(`i:${dtype}${shapeText(shape)}`);
    return new SymbolicTensor(this, node, shape, dtype, label);
  }

  #at(node: number, label: string): SymbolicTensor {
    const shape = Object.freeze(binding.graphShape(this.graph, node));
    return new SymbolicTensor(this, node, shape, binding.graphDtype(this.graph, node), label);
  }
}

/** Runs a user's function and checks that it gave its result at once. */
export function callTraced<A extends unknown[], R>(where: string, fn: (...args: A) => R, args: A): R {
  const result = fn(...args);
  if (result instanceof Promise) {
    result.catch(() => undefined);
    throw new DownhillError(
      'TRACE_ERROR',
      `${where}: the function returned a promise. A traced function must return its value at once; it is ${show(fn)}.`,
    );
  }
  return result;
}
