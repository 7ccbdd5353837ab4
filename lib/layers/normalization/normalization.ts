// Inputs shifted and scaled to mean 0 and variance 1, by what the data are, not by learning.
import type { Config } from '../../config/values.js';
import { DownhillError } from '../../errors.js';
import { kEpsilon } from '../../epsilon.js';
import * as ops from '../../graph/ops.js';
import { resolveInitializer } from '../../initializers/index.js';
import type { Options } from '../../options.js';
import { type TensorLike, toSource } from '../../tensor/convert.js';
import { type Shape, sizeOf } from '../../tensor/shape.js';
import { onAxes } from '../axes.js';
import { AxisLayer } from '../axis-layer.js';
import { type Computed, type LayerOptions, layerOptions } from '../layer.js';
import { checkPerFeature, type PerFeature } from './rescaling.js';
import type { Weight } from '../weight.js';

export interface NormalizationOptions extends LayerOptions {
  /** The axis or axes, of a batch [n, …], whose entries have statistics of their own; −1 by default, null: one mean and variance for all. */
  axis?: number | readonly number[] | null;
  /** With variance, in place of adapt(): a number, or one for each entry of the axis. */
  mean?: PerFeature | null;
  variance?: PerFeature | null;
  /** Undoes the normalization: x · √variance + mean; false by default. */
  invert?: boolean;
}

export class Normalization extends AxisLayer {
  override readonly type = 'Normalization';
  override readonly supportsMasking = true;
  readonly invert: boolean;
  readonly #given: { mean: PerFeature; variance: PerFeature } | null;
  #mean: Weight | null = null; // (…axes)
  #variance: Weight | null = null; // (…axes)

  constructor(options?: NormalizationOptions) {
    const keys = ['axis', 'mean', 'variance', 'invert'] as const;
    const read = layerOptions<NormalizationOptions>('normalization', options, keys);
    super('normalization', read as Options<LayerOptions>, { none: true });
    const { mean, variance } = read.raw;
    this.invert = read.flag('invert', false);
    if ((mean ?? null) === null && (variance ?? null) === null) {
      this.#given = null;
      return;
    }
    this.#given = {
      mean: checkPerFeature(read.what('mean'), read.required('mean')),
      variance: checkPerFeature(read.what('variance'), read.required('variance')),
    };
    const lists = Object.values(this.#given).filter((value) => typeof value !== 'number');
    if (lists.length > 0 && this.axes.length !== 1)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${read.what('mean')} and variance are lists for one axis only; for ${this.axes.length} axes give numbers, or call adapt(data).`,
      );
  }

  override getConfig(): Config {
    const plain = (value: PerFeature) => (typeof value === 'number' ? value : [...value]);
    return {
      ...super.getConfig(),
      mean: this.#given && plain(this.#given.mean),
      variance: this.#given && plain(this.#given.variance),
      invert: this.invert,
    };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const shape = this.featureShape(inputShape);
    const known = this.#mean?.shape;
    if (known?.some((dim, i) => dim !== shape[i]))
      throw this.mismatch(`[${known.join(', ')}] along the axis, as when it was built`, inputShape);
    for (const value of this.#given ? Object.values(this.#given) : [])
      if (typeof value !== 'number' && value.length !== shape[0])
        throw this.mismatch(`${value.length} features along the axis, as many as there are means`, inputShape);
    return inputShape;
  }

  protected override declareWeights(inputShape: Shape): void {
    if (this.#given) return;
    const shape = this.featureShape(inputShape);
    this.#mean = this.addState('mean', shape, resolveInitializer('mean', 'zeros'));
    this.#variance = this.addState('variance', shape, resolveInitializer('variance', 'ones'));
  }

  /**
   * Takes mean and variance (divided by n) from data, in double.
   *
   * @param data rows [n, …] as a typed array with inputShape given, nested arrays or a Tensor
   * @throws INVALID_ARGUMENT where mean and variance were given, EMPTY_DATA, SHAPE_MISMATCH
   * @example
   * const normalize = layers.normalization();
   * normalize.adapt(train.x);
   */
  adapt(data: TensorLike): void {
    const what = `layer "${this.name}": adapt`;
    if (this.#given) throw new DownhillError('INVALID_ARGUMENT', `${what}: mean and variance were given as options.`);
    const source = toSource(what, data);
    const flat = ArrayBuffer.isView(data) && this.inputShape !== null;
    const values = source.tensor ? source.tensor.dataSync() : source.values;
    const example = flat ? this.inputShape! : source.shape.slice(1);
    const rows = flat ? values.length / sizeOf(example) : source.shape[0];
    if (rows === undefined || !Number.isInteger(rows))
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `${what}: expected rows [n, …]; received ${values.length} values that make no whole number of them.`,
      );
    if (values.length === 0) throw new DownhillError('EMPTY_DATA', `${what}: the data have no rows.`);
    this.build(example);
    const shape = [rows, ...example];
    const { mean, variance } = statistics(values, shape, this.axesIn({ shape }));
    this.#mean!.variable.assign(Float32Array.from(mean));
    this.#variance!.variable.assign(Float32Array.from(variance));
  }

  override call(x: Computed): Computed {
    const wide = onAxes(x.shape, this.axesIn(x));
    const given = (value: PerFeature) => (typeof value === 'number' ? value : ops.reshape(value, wide));
    const mean = this.#given ? given(this.#given.mean) : ops.reshape(this.#mean!.variable, wide);
    const variance = this.#given ? given(this.#given.variance) : ops.reshape(this.#variance!.variable, wide);
    const deviation = ops.maximum(ops.sqrt(variance), kEpsilon);
    const values = x.dtype === 'float32' ? x : ops.cast(x, 'float32');
    return this.invert ? ops.add(ops.mul(values, deviation), mean) : ops.div(ops.sub(values, mean), deviation);
  }
}

/** Over all axes but these. */
function statistics(
  values: ArrayLike<number>,
  shape: Shape,
  axes: readonly number[],
): { mean: Float64Array; variance: Float64Array } {
  const count = axes.reduce((size, axis) => size * shape[axis], 1);
  // By axis, how far a step along it moves in the values and in the statistics.
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const steps = shape.map((_, axis) =>
    axes.includes(axis) ? axes.filter((other) => other > axis).reduce((size, other) => size * shape[other], 1) : 0,
  );
  const placeOf = (i: number) =>
    shape.reduce((place, dim, axis) => place + (Math.floor(i / strides[axis]) % dim) * steps[axis], 0);
  // The places repeat from row to row.
  const places = Int32Array.from({ length: strides[0] }, (_, i) => placeOf(i));
  const mean = new Float64Array(count);
  const variance = new Float64Array(count);
  const n = values.length / count;
  for (let i = 0; i < values.length; i++) mean[places[i % places.length]] += values[i] / n;
  for (let i = 0; i < values.length; i++) {
    const place = places[i % places.length];
    variance[place] += (values[i] - mean[place]) ** 2 / n;
  }
  return { mean, variance };
}

/**
 * Normalization of inputs: (x − mean)/max(√variance, 1e-7) for each entry of the axis. Mean and variance come from adapt(data), and are saved with the model,
 * or are given.
 *
 * @param options axis (−1; a list, or null for one mean and variance), mean and variance (null: adapt), invert (false), activityRegularizer, inputShape, name
 * @returns a layer that keeps the shape, with weights mean and variance of the shape of the axis, which nothing trains; none where they are given
 * @throws UNKNOWN_OPTION, INVALID_ARGUMENT, SHAPE_MISMATCH
 * @example
 * const normalize = layers.normalization({ inputShape: [13] });
 * normalize.adapt(train.x);
 * const net = sequential([normalize, layers.dense({ units: 1 })]);
 * @see https://keras.io/api/layers/preprocessing_layers/numerical/normalization/
 */
export function normalization(options?: NormalizationOptions): Normalization {
  return new Normalization(options);
}
