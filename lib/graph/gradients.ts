// grad, valueAndGrad and hvp: transformations of functions, which nest.
import { DownhillError, show } from '../errors.js';
import { checkFunction } from '../options.js';
import type { TensorLike } from '../tensor/convert.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { ownArguments, type Transformed, transformed } from './compile.js';
import type { Output } from './structure.js';
import type { SymbolicTensor } from './symbolic.js';
import { callTraced, type Trace, type Value } from './trace.js';
import { TracedFunction } from './transform.js';

/** A function with one number as its value. */
export type ScalarFunction<A extends (SymbolicTensor | Tensor)[]> = (...args: A) => Output;

/** The value of `fn` as a node; throws unless it is one float32 number. */
export function scalarOutput(where: string, trace: Trace, result: unknown): SymbolicTensor {
  const single = typeof result === 'number' || (typeof result === 'object' && result !== null && 'shape' in result);
  if (!single)
    throw new DownhillError(
      'TRACE_ERROR',
      `${where}: the function must return one scalar tensor; it returned ${show(result)}.`,
    );
  const value = trace.lift(where, result);
  if (value.shape.length !== 0)
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `${where}: the function must return a scalar (shape []) to be differentiated; it returned shape ` +
        `${shapeText(value.shape)}. Reduce it, e.g. with ops.sum or ops.mean.`,
    );
  if (value.dtype !== 'float32')
    throw new DownhillError(
      'NOT_DIFFERENTIABLE',
      `${where}: the function must return float32 to be differentiated; it returned ${value.dtype}.`,
    );
  return value;
}

function checkDifferentiable(where: string, args: readonly SymbolicTensor[], argnums: readonly number[]): void {
  for (const i of argnums) {
    if (i >= args.length)
      throw new DownhillError(
        'OUT_OF_RANGE',
        `${where}: argnums asks for argument ${i}, but the call has ${args.length} argument${args.length === 1 ? '' : 's'}.`,
      );
    if (args[i].dtype !== 'float32')
      throw new DownhillError(
        'NOT_DIFFERENTIABLE',
        `${where}: argument ${i} has dtype ${args[i].dtype}; only float32 arguments have gradients.`,
      );
  }
}

function checkArgnums(where: string, argnums: number | readonly number[]): readonly number[] {
  const list: readonly unknown[] = Array.isArray(argnums) ? argnums : [argnums];
  if (list.length === 0 || !list.every((i) => Number.isInteger(i) && (i as number) >= 0))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${where}: argnums must be an argument's position (0, 1, …) or a list of them; received ${show(argnums)}.`,
    );
  return list as number[];
}

function differentiate(
  where: string,
  fn: (...args: SymbolicTensor[]) => unknown,
  trace: Trace,
  args: readonly SymbolicTensor[],
  argnums: readonly number[],
): { value: SymbolicTensor; gradients: SymbolicTensor[] } {
  checkDifferentiable(where, args, argnums);
  const own = ownArguments(trace, args);
  const value = scalarOutput(where, trace, callTraced(where, fn, own));
  const gradients = trace.gradients(
    value,
    argnums.map((i) => own[i]),
  );
  return { value, gradients };
}

type One<N, T> = N extends readonly unknown[] ? T[] : T;

/**
 * The gradient of a scalar function: ∂fn/∂argument, of the argument's shape.
 *
 * @param argnums which argument, or a list of them (the result is then an array)
 * @returns a function of fn's arguments that gives a promise of the gradient, or inside a traced function the gradient itself
 * @throws (rejects) SHAPE_MISMATCH unless fn's value is a scalar, OUT_OF_RANGE for argnums beyond the arguments
 * @example
 * const df = grad((x) => ops.sum(ops.square(x)));
 * await (await df([1, 2, 3])).array();                            // [2, 4, 6]
 * const second = grad((x) => ops.sum(grad(f)(x)));                // nests
 */
export function grad<A extends SymbolicTensor[], const N extends number | readonly number[] = number>(
  fn: ScalarFunction<A>,
  argnums?: N,
): Transformed<A, One<N, Tensor>, One<N, SymbolicTensor>>;
/** For functions written for Tensors, which ops take as well. */
export function grad<A extends (SymbolicTensor | Tensor)[], const N extends number | readonly number[] = number>(
  fn: ScalarFunction<A>,
  argnums?: N,
): Transformed<A, One<N, Tensor>, One<N, SymbolicTensor>>;
export function grad<A extends SymbolicTensor[], const N extends number | readonly number[] = number>(
  fn: ScalarFunction<A>,
  argnums?: N,
): Transformed<A, One<N, Tensor>, One<N, SymbolicTensor>> {
  checkFunction('grad: the first argument', fn);
  const wanted = argnums ?? 0;
  const list = checkArgnums('grad', wanted);
  return transformed(
    new TracedFunction('grad', (trace, args) => {
      const { gradients } = differentiate('grad', fn as never, trace, args, list);
      return Array.isArray(wanted) ? gradients : gradients[0];
    }),
  );
}

/**
 * As grad, with fn's value: [value, gradient], or [value, gradients] where argnums is a list.
 *
 * @example
 * const [loss, gradient] = await valueAndGrad((x) => ops.sum(ops.square(x)))([1, 2]);
 */
export function valueAndGrad<A extends SymbolicTensor[], const N extends number | readonly number[] = number>(
  fn: ScalarFunction<A>,
  argnums?: N,
): Transformed<A, [value: Tensor, gradient: One<N, Tensor>], [value: SymbolicTensor, gradient: One<N, SymbolicTensor>]>;
/** For functions written for Tensors, which ops take as well. */
export function valueAndGrad<
  A extends (SymbolicTensor | Tensor)[],
  const N extends number | readonly number[] = number,
>(
  fn: ScalarFunction<A>,
  argnums?: N,
): Transformed<A, [value: Tensor, gradient: One<N, Tensor>], [value: SymbolicTensor, gradient: One<N, SymbolicTensor>]>;
export function valueAndGrad<A extends SymbolicTensor[], const N extends number | readonly number[] = number>(
  fn: ScalarFunction<A>,
  argnums?: N,
): Transformed<
  A,
  [value: Tensor, gradient: One<N, Tensor>],
  [value: SymbolicTensor, gradient: One<N, SymbolicTensor>]
> {
  checkFunction('valueAndGrad: the first argument', fn);
  const wanted = argnums ?? 0;
  const list = checkArgnums('valueAndGrad', wanted);
  const traced = new TracedFunction('valueAndGrad', (trace, args) => {
    const { value, gradients } = differentiate('valueAndGrad', fn as never, trace, args, list);
    return [value, ...gradients];
  });
  const pair = <T>([value, ...gradients]: T[]) => [value, Array.isArray(wanted) ? gradients : gradients[0]];
  return transformed(traced, (result) => pair(result as unknown[]));
}

/** hvp(fn): Hessian-vector products of a scalar function. */
export interface HessianVector {
  (args: readonly TensorLike[], vectors: readonly TensorLike[]): Promise<Tensor[]>;
  (args: readonly Value[], vectors: readonly Value[]): SymbolicTensor[];
  dispose(): void;
  [Symbol.dispose](): void;
}

/**
 * The Hessian of a scalar function times vectors: Σⱼ ∂²fn/∂argᵢ∂argⱼ · vectorⱼ, one result per argument, without forming the Hessian.
 *
 * @returns a function of (args, vectors), one vector of the argument's shape per argument
 * @throws (rejects) SHAPE_MISMATCH unless the vectors match the arguments
 * @example
 * const [hv] = await hvp((x) => ops.sum(ops.pow(x, 3)))([[1, 2]], [[1, 0]]);   // [6, 0]
 */
export function hvp<A extends SymbolicTensor[]>(fn: ScalarFunction<A>): HessianVector;
/** For functions written for Tensors, which ops take as well. */
export function hvp<A extends (SymbolicTensor | Tensor)[]>(fn: ScalarFunction<A>): HessianVector;
export function hvp<A extends SymbolicTensor[]>(fn: ScalarFunction<A>): HessianVector {
  checkFunction('hvp: the first argument', fn);
  const traced = new TracedFunction('hvp', (trace, both) => {
    const count = both.length / 2;
    const args = both.slice(0, count);
    const vectors = both.slice(count);
    checkVectors(args, vectors);
    const all = args.map((_, i) => i);
    checkDifferentiable('hvp', args, all);
    const own = ownArguments(trace, args);
    const value = scalarOutput('hvp', trace, callTraced('hvp', fn as never, own));
    const products = trace
      .gradients(value, own)
      .map((gradient, i) => trace.add('sum', [trace.add('mul', [gradient, vectors[i]])]));
    return trace.gradients(
      products.reduce((a, b) => trace.add('add', [a, b])),
      own,
    );
  });
  const callable = ((args: readonly Value[], vectors: readonly Value[]) => {
    const wrong = checkLists(args, vectors);
    return wrong ? Promise.reject(wrong) : traced.call([...args, ...vectors]);
  }) as HessianVector;
  callable.dispose = () => traced.dispose();
  callable[Symbol.dispose] = () => traced.dispose();
  return callable;
}

function checkLists(args: unknown, vectors: unknown): DownhillError | null {
  if (!Array.isArray(args) || !Array.isArray(vectors))
    return new DownhillError(
      'INVALID_ARGUMENT',
      `hvp(fn) takes two lists, (args, vectors); received ${show(args)} and ${show(vectors)}.`,
    );
  if (args.length === 0 || args.length !== vectors.length)
    return new DownhillError(
      'INVALID_ARGUMENT',
      `hvp needs one vector per argument; received ${args.length} arguments and ${vectors.length} vectors.`,
    );
  return null;
}

function checkVectors(args: readonly SymbolicTensor[], vectors: readonly SymbolicTensor[]): void {
  args.forEach((arg, i) => {
    if (!sameShape(arg.shape, vectors[i].shape) || vectors[i].dtype !== 'float32')
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `hvp: vector ${i} must be float32 of shape ${shapeText(arg.shape)}, as argument ${i}; received ` +
          `${vectors[i].dtype} of shape ${shapeText(vectors[i].shape)}.`,
      );
  });
}
