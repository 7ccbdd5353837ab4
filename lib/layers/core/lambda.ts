// A function of ops as a layer.
import { serialize } from '../../config/registry.js';
import type { DType } from '../../binding/native.js';
import type { Config } from '../../config/values.js';
import { DownhillError, show } from '../../errors.js';
import { SymbolicTensor } from '../../graph/symbolic.js';
import { callTraced, Trace } from '../../graph/trace.js';
import { checkFunction, checkShape } from '../../options.js';
import { type Shape, sameShape } from '../../tensor/shape.js';
import { Tensor } from '../../tensor/tensor.js';
import { type CallContext, type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';
import { type OneOrMore, shapesOf } from '../output.js';

/** Of one value [n, …], or of a list of them where the layer is applied to several. */
export type LambdaFunction = (x: never, context: CallContext) => Computed;

export interface LambdaOptions extends LayerOptions {
  /** Of ops, from a batch, or a list of them, to one. Variables that it reads are no weights of the layer. */
  function: LambdaFunction;
  /** Of one example; by default found out by calling the function on symbolic values. */
  outputShape?: readonly number[] | null;
}

/** Rows of the values that find out the shape. */
const kRows = 3;

interface Inferred {
  key: string;
  /** Of one example. */
  shape: Shape;
  dtype: DType;
}

export class Lambda extends Layer {
  override readonly type = 'Lambda';
  readonly #function: LambdaFunction;
  readonly #outputShape: Shape | null;
  #latest: Inferred | null = null;

  constructor(options: LambdaOptions | LambdaFunction) {
    const given = typeof options === 'function' ? { function: options } : options;
    const read = layerOptions<LambdaOptions>('lambda', given, ['function', 'outputShape']);
    super('lambda', read);
    this.#function = checkFunction(read.what('function'), read.required('function'));
    const { outputShape } = read.raw;
    this.#outputShape = outputShape ? checkShape(read.what('outputShape'), outputShape, 1) : null;
  }

  override get takesSeveral(): boolean {
    return true;
  }

  override getConfig(): Config {
    const config = serialize(this.#function, '');
    if (config.className === 'Function' && ['', 'function'].includes(config.config.name as string))
      throw new DownhillError(
        'UNSUPPORTED',
        `Layer "${this.name}" (Lambda): its function has no name, and a file holds functions by name only. Name it, const half = (x) => ops.mul(x, 0.5), ` +
          'and load the file with customObjects: { half }.',
      );
    return {
      ...super.getConfig(),
      function: config,
      ...(this.#outputShape && { outputShape: [...this.#outputShape] }),
    };
  }

  override get built(): boolean {
    return true;
  }

  /** It has no weights, and call() looks at what the function gives. */
  override build(): void {}

  override computeOutputShape(inputShape: OneOrMore<Shape>, inputDtypes?: readonly DType[]): Shape {
    return this.#outputShape ?? this.#inferred(shapesOf(inputShape), inputDtypes).shape;
  }

  override computeOutputDtype(inputDtypes: readonly DType[], inputShape?: OneOrMore<Shape>): DType {
    return inputShape ? this.#inferred(shapesOf(inputShape), inputDtypes).dtype : 'float32';
  }

  /** What the function makes of symbolic values; found out once for the latest shapes and dtypes. */
  #inferred(shapes: readonly Shape[], dtypes?: readonly DType[]): Inferred {
    const key = JSON.stringify([shapes, dtypes]);
    if (this.#latest?.key === key) return this.#latest;
    const trace = new Trace();
    try {
      const inputs = shapes.map((shape, i) => trace.input([kRows, ...shape], dtypes?.[i] ?? 'float32'));
      const { shape, dtype } = trace.run(() =>
        this.call(inputs.length === 1 ? inputs[0] : inputs, { training: false }),
      );
      this.#latest = { key, shape: shape.slice(1), dtype };
      return this.#latest;
    } finally {
      trace.ended = true;
    }
  }

  override call(x: OneOrMore<Computed>, context: CallContext): Computed {
    const what = `layer "${this.name}"`;
    const result: unknown = callTraced(what, this.#function as (x: unknown, context: CallContext) => unknown, [
      x,
      context,
    ]);
    if (!(result instanceof SymbolicTensor || result instanceof Tensor))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${what}: its function must return a value made by ops; it returned ${show(result)}.`,
      );
    const [{ shape: given }] = [x].flat() as [Computed];
    const { shape } = result;
    // Rows that find out the shape are none of the caller's: no message tells how many.
    const made = (rows: string) => (shape.length === 0 ? 'a scalar' : `[${[rows, ...shape.slice(1)].join(', ')}]`);
    if (shape[0] !== given[0])
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `Layer "${this.name}" (Lambda): its function must keep the axis of the batch, the first; of [${['n', ...given.slice(1)].join(', ')}] it made ${made('m')}${shape.length === 0 ? '' : ', and m is not n'}.`,
      );
    if (this.#outputShape && !sameShape(shape.slice(1), this.#outputShape))
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `Layer "${this.name}" (Lambda): its function must give [${['n', ...this.#outputShape].join(', ')}], as outputShape says; it gave ${made('n')}.`,
      );
    return result;
  }
}

/**
 * A function of ops as a layer without weights: of a batch [n, …], or of a list of them where the layer is applied to several.
 *
 * A file holds the function by name only: give it one, and pass it as customObjects when loading.
 *
 * @param options the function, or { function, outputShape, name }
 * @example
 * const half = (x) => ops.mul(x, 0.5);
 * layers.lambda(half);
 * @see https://keras.io/api/layers/core_layers/lambda/
 */
export function lambda(options: LambdaOptions | LambdaFunction): Lambda {
  return new Lambda(options);
}
