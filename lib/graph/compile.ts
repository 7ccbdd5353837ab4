// compile(fn): a function of the user's own as a program.
import { resolveDevice } from '../devices.js';
import { checkFunction, Options } from '../options.js';
import type { ProgramView } from '../profile/profile.js';
import type { TensorLike } from '../tensor/convert.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Concrete, Outputs, Traced } from './structure.js';
import type { SymbolicTensor } from './symbolic.js';
import { type Body, TracedFunction } from './transform.js';
import { callTraced, type Value } from './trace.js';

/** One concrete value per argument of the function. */
export type Arguments<A extends readonly unknown[]> = { [K in keyof A]: TensorLike };
/** The same inside a trace. */
export type SymbolicArguments<A extends readonly unknown[]> = { [K in keyof A]: Value };

/** A function that runs as a program: called with concrete values it gives a promise, inside a traced function symbolic values. */
export interface Transformed<A extends readonly unknown[], C, S> {
  (...args: Arguments<A>): Promise<C>;
  (...args: SymbolicArguments<A>): S;
  /** Releases the plans; later calls throw DISPOSED. */
  dispose(): void;
  [Symbol.dispose](): void;
}

export interface CompiledFunction<A extends readonly unknown[], R> extends Transformed<A, Concrete<R>, Traced<R>> {
  /** The plan for arguments of these shapes, as text. */
  describe(...args: Arguments<A>): string;
  /**
   * The plan for these arguments: as text, and where its time goes when it runs on them. In a profile, Variables that the function assigns to
   * stay as they are.
   *
   * @throws profile() rejects with UNKNOWN_OPTION, DISPOSED; UNSUPPORTED on other devices than the CPU
   * @example
   * console.log(String(await f.program(x, w).profile({ runs: 100 })));
   */
  program(...args: Arguments<A>): ProgramView;
}

export interface CompileOptions {
  /** Where it runs; by default the device chosen with setDevice. */
  device?: string;
}

/** A callable around `traced`, with dispose(); `shape` puts results into their final structure. */
export function transformed<A extends readonly unknown[], C, S>(
  traced: TracedFunction,
  shape: (result: unknown) => unknown = (result) => result,
): Transformed<A, C, S> {
  const callable = ((...args: Value[]) => {
    const result = traced.call(args);
    return result instanceof Promise ? result.then(shape) : shape(result);
  }) as unknown as Transformed<A, C, S>;
  callable.dispose = () => traced.dispose();
  callable[Symbol.dispose] = () => traced.dispose();
  return callable;
}

/** Every argument as a node of its own, so that a value captured by `fn` is never the same node as its argument. */
export function ownArguments(trace: Parameters<Body>[0], args: readonly SymbolicTensor[]): SymbolicTensor[] {
  return args.map((arg) => trace.add('identity', [arg]));
}

/**
 * Compiles a function of tensors. It is traced once for each combination of argument shapes and dtypes; the plans of the last 64 are
 * kept. Tensors that it captures are constants of the trace, Variables are read at every call.
 *
 * @param fn takes symbolic tensors, returns one, an array or an object of them
 * @returns a function of concrete values that gives a promise of Tensors in the same structure; it rejects with DownhillError
 * @example
 * const f = compile((x, w) => ops.sum(ops.square(ops.matmul(x, w))));
 * const y = await f([[1, 2]], [[3], [4]]);   // Tensor of shape []
 */
export function compile<A extends SymbolicTensor[], R extends Outputs>(
  fn: (...args: A) => R,
  options?: CompileOptions,
): CompiledFunction<A, R>;
/** For functions written for Tensors, which ops take as well. */
export function compile<A extends (SymbolicTensor | Tensor)[], R extends Outputs>(
  fn: (...args: A) => R,
  options?: CompileOptions,
): CompiledFunction<A, R>;
export function compile<A extends SymbolicTensor[], R extends Outputs>(
  fn: (...args: A) => R,
  options?: CompileOptions,
): CompiledFunction<A, R> {
  checkFunction('compile: the first argument', fn);
  const read = new Options<CompileOptions>('compile', options, ['device']);
  const { device } = read.raw;
  const traced = new TracedFunction(
    'compile',
    (trace, args) => callTraced('compile', fn as (...args: SymbolicTensor[]) => R, ownArguments(trace, args)),
    device === undefined ? null : resolveDevice('compile: device', device),
  );
  const callable = transformed(traced) as unknown as CompiledFunction<A, R>;
  callable.describe = (...args) => traced.describe(args as readonly TensorLike[]);
  callable.program = (...args) => {
    const given = args as readonly TensorLike[];
    traced.describe(given); // what is wrong with the arguments is told at once
    return {
      describe: () => traced.describe(given),
      profile: async (options) => traced.profile(given, options),
    };
  };
  return callable;
}
