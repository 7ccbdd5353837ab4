// A plane through the loss.
import { binding } from '../binding/index.js';
import { DownhillError, show } from '../errors.js';
import * as ops from '../graph/ops.js';
import { checkNumber, Options } from '../options.js';
import type { ByPort } from '../model/ports.js';
import type { Model } from '../model/model.js';
import { type TensorLike, toSource } from '../tensor/convert.js';
import { copyOf } from '../tensor/make.js';
import { elementBytes, sameShape, shapeText, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import type { InputLike, Targets } from '../training/columns.js';
import type { Batch } from './data.js';
import { type DataOptions, dataKeys, probed } from './options.js';
import type { Kind, Probe } from './probe.js';

export interface LossSurfaceOptions extends DataOptions {
  /** 'random' (default): normal draws, normalised by filter; or two lists with an array for each trained weight. */
  directions?: 'random' | readonly [readonly TensorLike[], readonly TensorLike[]];
  /** [low, high] of both coordinates, in units of the directions; [−1, 1] by default. */
  range?: readonly [low: number, high: number];
  /** Points along each coordinate, at least 2; 21 by default. */
  steps?: number;
}

export interface LossSurface {
  /** The coordinates of both directions. */
  coordinates: number[];
  /** losses[i][j] at θ + coordinates[i] · d₁ + coordinates[j] · d₂; may be NaN or Infinity. */
  losses: number[][];
}

/** Loss at θ + a · d₁ + b · d₂. */
const shiftedLoss = (probe: Probe): Kind => ({
  name: 'shiftedLoss',
  extra: [[probe.size], [probe.size], [], []],
  shift: (parameters, [first, second, a, b]) => {
    const [d1, d2] = [probe.split(first), probe.split(second)];
    return parameters.map((w, i) => ops.add(w, ops.add(ops.mul(a, d1[i]), ops.mul(b, d2[i]))));
  },
  body: ({ logs }) => [logs[0], logs[1]],
});

async function lossAt(probe: Probe, batches: readonly Batch[], extra: readonly Tensor[]): Promise<number> {
  const kind = shiftedLoss(probe);
  let [sum, weight] = [0, 0];
  for (const batch of batches) {
    const [lossSum, rows] = await probe.run(kind, batch, extra);
    sum += lossSum.dataSync()[0];
    weight += rows.dataSync()[0];
  }
  return sum / weight;
}

/**
 * Random directions, of which each filter (the weights into one unit: a kernel's last axis) has the norm of the model's, so that a step of 1 means
 * the same in networks of other scales. Biases and other vectors are not moved.
 */
async function randomDirection(probe: Probe, seed: number, stream: number): Promise<Float32Array> {
  const values = new Float32Array(probe.size);
  let begin = 0;
  const weights = await Promise.all(probe.trainedValues().map((tensor) => tensor.data()));
  for (const [i, { shape, size }] of probe.trained.entries()) {
    if (shape.length >= 2) {
      const [draws] = binding.arena([size * elementBytes]);
      binding.storageRandom(draws, 'normal', 0, 1, seed, stream + 2 * i);
      const direction = binding.storageRead(draws, 'float32');
      scaleFilters(direction as Float32Array, weights[i] as Float32Array, shape[shape.length - 1]);
      values.set(direction, begin);
    }
    begin += size;
  }
  return values;
}

/** Gives each filter of the direction the norm of the weights': elements filter, filter + filters, … */
function scaleFilters(direction: Float32Array, weights: Float32Array, filters: number): void {
  const [own, wanted] = [new Float64Array(filters), new Float64Array(filters)];
  direction.forEach((value, i) => {
    own[i % filters] += value ** 2;
    wanted[i % filters] += weights[i] ** 2;
  });
  direction.forEach((value, i) => {
    direction[i] = own[i % filters] > 0 ? value * Math.sqrt(wanted[i % filters] / own[i % filters]) : 0;
  });
}

function givenDirection(where: string, probe: Probe, list: unknown): Float32Array {
  if (!Array.isArray(list) || list.length !== probe.trained.length)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${where}: a direction is a list with an array for each of the ${probe.trained.length} trained weights; received ${show(list)}.`,
    );
  const parts = probe.trained.map(({ shape, variable }, i) => {
    const what = `${where}: the direction of ${variable.name}`;
    const source = toSource(what, list[i]);
    const flat = ArrayBuffer.isView(list[i]);
    if (flat ? source.shape[0] !== sizeOf(shape) : !sameShape(source.shape, shape))
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `${what} must have shape ${shapeText(shape)}; received ${shapeText(source.shape)}.`,
      );
    return source.values ?? source.tensor.dataSync();
  });
  const values = new Float32Array(probe.size);
  let begin = 0;
  for (const part of parts) {
    values.set(part, begin);
    begin += part.length;
  }
  return values;
}

function checkRange(what: string, value: unknown): [number, number] {
  if (value === undefined) return [-1, 1];
  if (!Array.isArray(value) || value.length !== 2)
    throw new DownhillError('INVALID_ARGUMENT', `${what} must be [low, high]; received ${show(value)}.`);
  const low = checkNumber(`${what}[0]`, value[0]);
  return [low, checkNumber(`${what}[1]`, value[1], { above: low })];
}

/**
 * The training loss on a plane through the model's weights θ: L(θ + a d₁ + b d₂) over a grid of a and b. Plateaus, ravines and cliffs show in a
 * contour plot of it.
 *
 * @param options directions ('random', filter-normalised, or two lists of arrays), range ([−1, 1]), steps (21), batchSize (256), training (false),
 *   seed (0)
 * @returns coordinates [steps], losses [steps][steps]: rows along d₁
 * @throws (rejects) as gradientNorm; SHAPE_MISMATCH for directions that do not fit the trained weights
 * @example
 * const { coordinates, losses } = await diagnostics.lossSurface(net, x, y, { range: [-0.5, 0.5], steps: 11 });
 * @see Li et al. 2018, Visualizing the Loss Landscape of Neural Nets (arXiv:1712.09913)
 */
export async function lossSurface(
  net: Model,
  x: ByPort<InputLike>,
  y: Targets,
  options?: LossSurfaceOptions,
): Promise<LossSurface> {
  const where = 'diagnostics.lossSurface';
  const read = new Options<LossSurfaceOptions>(where, options, [...dataKeys, 'directions', 'range', 'steps']);
  const [low, high] = checkRange(read.what('range'), read.raw.range);
  const steps = read.count('steps', 21, { min: 2 });
  const directions: unknown = read.raw.directions ?? 'random';
  if (directions !== 'random' && !(Array.isArray(directions) && directions.length === 2))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${read.what('directions')} must be "random" or two lists of arrays; received ${show(directions)}.`,
    );
  const { probe, batches } = await probed(where, net, x, y, read);
  const { seed } = probe.options;
  const values = Array.isArray(directions)
    ? directions.map((direction) => givenDirection(read.what('directions'), probe, direction))
    : [await randomDirection(probe, seed, 0), await randomDirection(probe, seed, 1)];
  const [first, second] = values.map((direction) => vectorOf(direction));
  const coordinates = Array.from({ length: steps }, (_, i) => low + ((high - low) * i) / (steps - 1));
  const losses: number[][] = [];
  for (const a of coordinates) {
    const row: number[] = [];
    for (const b of coordinates) row.push(await lossAt(probe, batches, [first, second, scalarOf(a), scalarOf(b)]));
    losses.push(row);
  }
  return { coordinates, losses };
}

function vectorOf(values: Float32Array): Tensor {
  const source = { tensor: null, values, shape: [values.length], dtype: 'float32' } as const;
  return new Tensor(copyOf('direction', source, 'float32'), [values.length], 'float32');
}

function scalarOf(value: number): Tensor {
  return new Tensor(binding.storageFrom(Float64Array.of(value), 'float32'), [], 'float32');
}
