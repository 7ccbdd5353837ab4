// What traced functions return: one value, an array of values or an object of them.
import { DownhillError, show } from '../errors.js';
import { Tensor } from '../tensor/tensor.js';
import { SymbolicTensor } from './symbolic.js';

/** One output of a traced function. */
export type Output = SymbolicTensor | Tensor | number;
export type Outputs = Output | readonly Output[] | { readonly [name: string]: Output };

/** The result of a call: the function's structure with Tensors for values. */
export type Concrete<R> = R extends Output
  ? Tensor
  : R extends readonly unknown[]
    ? { -readonly [K in keyof R]: Tensor }
    : R extends object
      ? { [K in keyof R]: Tensor }
      : never;

/** The same inside a trace. */
export type Traced<R> = R extends Output
  ? SymbolicTensor
  : R extends readonly unknown[]
    ? { -readonly [K in keyof R]: SymbolicTensor }
    : R extends object
      ? { [K in keyof R]: SymbolicTensor }
      : never;

/** A structure taken apart: its values in order, and how to put others in their places. */
export interface Flat {
  values: Output[];
  rebuild<T>(values: readonly T[]): T | T[] | Record<string, T>;
}

function isOutput(value: unknown): value is Output {
  return value instanceof SymbolicTensor || value instanceof Tensor || typeof value === 'number';
}

export function flattenOutputs(where: string, result: unknown): Flat {
  if (isOutput(result)) return { values: [result], rebuild: (values) => values[0] };
  if (Array.isArray(result)) {
    const values = result.map((value, i) => checkOutput(where, value, `item ${i} of the array`));
    return { values, rebuild: (items) => [...items] };
  }
  if (typeof result === 'object' && result !== null && !ArrayBuffer.isView(result)) {
    const names = Object.keys(result);
    const values = names.map((name) => checkOutput(where, (result as Record<string, unknown>)[name], `"${name}"`));
    return { values, rebuild: (items) => Object.fromEntries(names.map((name, i) => [name, items[i]])) };
  }
  throw new DownhillError(
    'TRACE_ERROR',
    `${where}: the function must return a tensor, an array of tensors or an object of them; it returned ${show(result)}.`,
  );
}

function checkOutput(where: string, value: unknown, place: string): Output {
  if (isOutput(value)) return value;
  throw new DownhillError(
    'TRACE_ERROR',
    `${where}: every value that the function returns must be a tensor; ${place} is ${show(value)}.`,
  );
}
