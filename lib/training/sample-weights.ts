// Weights of the rows of a data set: those given, times those of their classes, as a column beside inputs and targets.
import { DownhillError, show } from '../errors.js';
import { elementShape } from '../losses/loss.js';
import type { LossMeasure } from '../losses/measure.js';
import { isPlain } from '../config/values.js';
import type { Source } from '../tensor/convert.js';
import { type Shape, sameShape, shapeText, sizeOf } from '../tensor/shape.js';
import type { ByPort, Ports } from '../model/ports.js';
import { type Column, type Columns, type DataLike, take } from './columns.js';
import type { Compiled } from './compiled.js';
import type { Network } from './network.js';
import { rowsIn, type Walk } from './sampling.js';

/** Weights by class, counted from 0; classes that are not among them have 1. */
export type ClassWeight = Readonly<Record<number, number>>;

export interface WeightOptions {
  /**
   * How much each row counts in loss and weightedMetrics, [n], or each element of its output but for the classes, [n, …]: numbers at least 0. The
   * loss is Σ w·L / n, as in Keras; `metrics` count each row once. For several outputs: one for all, or a list or object with one for each.
   */
  sampleWeight?: ByPort<DataLike | null>;
}

export interface TrainWeightOptions extends WeightOptions {
  /** A factor for the rows of each class, for targets that are labels, one-hot or binary: { 0: 1, 1: 5 }. */
  classWeight?: ClassWeight;
}

interface Weights {
  values: ArrayLike<number>;
  /** Of one row. */
  shape: Shape;
}

/** The values of a source; those of a Tensor are read. */
function valuesOf({ tensor, values }: Source): ArrayLike<number> {
  return values ?? tensor.dataSync();
}

/** The shape of one row's weights: one number, or the first axes of the output without that of the classes. */
function rowShape(name: string, source: Source, flat: boolean, rows: number, elements: Shape): Shape {
  const all = `[${rows}${elements.map((dim) => `, ${dim}`).join('')}]`;
  const expected = elements.length > 0 ? `[${rows}] or ${all}` : `[${rows}], one weight for each row`;
  const { shape } = source;
  const fail = (): never => {
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `${name} must have shape ${expected}; received ${flat ? `${shape[0]} values` : shapeText(shape)}.`,
    );
  };
  if (flat) return shape[0] === rows ? [] : shape[0] === rows * sizeOf(elements) ? elements : fail();
  if (shape[0] !== rows) return fail();
  const row = shape.slice(1);
  const known = (some: Shape) => sameShape(some, elements.slice(0, some.length));
  return known(row) ? row : row.at(-1) === 1 && known(row.slice(0, -1)) ? row.slice(0, -1) : fail();
}

function givenWeights(name: string, data: unknown, rows: number, elements: Shape): Weights {
  const { source, flat } = take(name, data);
  const shape = rowShape(name, source, flat, rows, elements);
  const values = valuesOf(source);
  for (let i = 0; i < values.length; i++) {
    if (values[i] >= 0 && Math.fround(values[i]) < Number.POSITIVE_INFINITY) continue;
    const finite = Number.isFinite(values[i]);
    throw new DownhillError(
      finite ? 'OUT_OF_RANGE' : 'NON_FINITE',
      `${name}[row ${Math.floor(i / sizeOf(shape))}] is ${values[i]}; weights must be finite numbers at least 0.`,
    );
  }
  return { values, shape };
}

/** What a number of the library would be rounded to by NumPy: halves to even. */
function rounded(value: number): number {
  const down = Math.floor(value);
  return value - down === 0.5 ? down + Math.abs(down % 2) : Math.round(value);
}

interface Classes {
  of: Int32Array;
  /** Of one row. */
  shape: Shape;
}

/** The class of each target: a label, the largest of the last axis, or the number itself where that axis has length 1. */
function classesOf({ source, shape }: Column, loss: LossMeasure): Classes {
  const values = valuesOf(source);
  const depth = loss.targets === 'labels' || shape.length === 0 ? 1 : shape.at(-1)!;
  const outer = depth > 1 || shape.at(-1) === 1 ? shape.slice(0, -1) : shape;
  const of = new Int32Array(values.length / depth);
  for (let i = 0; i < of.length; i++) {
    let best = 0;
    for (let c = 1; c < depth; c++) if (values[i * depth + c] > values[i * depth + best]) best = c;
    of[i] = depth === 1 ? rounded(values[i]) : best;
  }
  return { of, shape: outer };
}

function checkClassWeight(what: string, value: unknown, classes: number): Map<number, number> {
  if (!isPlain(value) && !Array.isArray(value))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be an object of weights by class, { 0: 1, 1: 5 }; received ${show(value)}.`,
    );
  const found = new Map<number, number>();
  for (const [key, weight] of Object.entries(value as Record<string, unknown>)) {
    const label = /^\d+$/.test(key) ? Number(key) : -1;
    if (label < 0 || label >= classes)
      throw new DownhillError(
        'OUT_OF_RANGE',
        `${what}: "${key}" is no class of the model's output; they are 0 to ${classes - 1}.`,
      );
    if (typeof weight !== 'number')
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${what}: the weight of class ${key} must be a number; received ${show(weight)}.`,
      );
    if (!(weight >= 0 && Number.isFinite(weight)))
      throw new DownhillError(
        'OUT_OF_RANGE',
        `${what}: the weight of class ${key} must be a finite number at least 0; received ${weight}.`,
      );
    found.set(label, weight);
  }
  return found;
}

/** a · b, of rows whose weights have these shapes, one the beginning of the other. */
function product(a: Weights, b: Weights, rows: number): Weights {
  const [fine, coarse] = a.shape.length >= b.shape.length ? [a, b] : [b, a];
  const [size, share] = [sizeOf(fine.shape), sizeOf(fine.shape) / sizeOf(coarse.shape)];
  const values = Float32Array.from(
    { length: rows * size },
    (_, i) => fine.values[i] * coarse.values[Math.floor(i / share)],
  );
  return { values, shape: fine.shape };
}

/** What one pass over rows is weighted with. */
export interface Weighting {
  sampleWeight?: unknown;
  classWeight?: unknown;
  /** Rows that have no classWeight: those of a validation split. */
  held?: Walk | null;
  /** In messages. */
  where?: string;
  /** Names the weights, too. */
  name?: string;
}

/** The columns with those of the weights where there are any. */
export function weighted(
  network: Network,
  compiled: Compiled,
  { inputs, targets }: Omit<Columns, 'weights'>,
  { sampleWeight, classWeight, held = null, where = 'fit', name = 'sampleWeight' }: Weighting,
): Columns {
  const { outputPorts } = network;
  const { rows } = inputs[0];
  const given = isGiven(classWeight);
  if (given && outputPorts.all.length > 1)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${where}: classWeight needs a model with one output; give sampleWeight for each output in its place.`,
    );
  if (given && compiled.step)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${where}: classWeight needs a loss; a trainStep weighs rows itself. Give sampleWeight, which it receives.`,
    );
  const named = isGiven(sampleWeight) && isByOutput(outputPorts, sampleWeight);
  const each = named ? outputPorts.spread(name, sampleWeight, () => false) : outputPorts.all.map(() => sampleWeight);
  const weights = targets.map((target, i): Column | null => {
    const loss = compiled.losses[i];
    const { shape } = outputPorts.all[i];
    const label = outputPorts.label(name, i);
    if (named && isGiven(each[i]) && !weighs(compiled, i))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${label} weighs nothing: the output has neither a loss nor weightedMetrics. Leave it out.`,
      );
    if (!target && !compiled.step) return null;
    const elements = loss ? elementShape(loss.label, shape, loss.axis) : shape;
    let found = isGiven(each[i]) ? givenWeights(label, each[i], rows, elements) : null;
    if (given && loss && target) {
      const byClass = classWeights(where, shape, loss, target, classWeight, held);
      found = found ? product(found, byClass, rows) : byClass;
    }
    if (!found) return null;
    const values = found.values instanceof Float32Array ? found.values : Float32Array.from(found.values);
    const source: Source = { tensor: null, values, shape: [rows, ...found.shape], dtype: 'float32' };
    return { name: label, source, rows, shape: found.shape, dtype: 'float32' };
  });
  return { inputs, targets, weights };
}

const isGiven = (value: unknown) => value !== undefined && value !== null;

/** A list or an object has weights for each output; anything else is for all of them. */
function isByOutput({ all }: Ports, given: unknown): boolean {
  const list = Array.isArray(given) && given.length === all.length && !given.some((item) => typeof item === 'number');
  return all.length === 1 || list || isPlain(given);
}

/** Whether anything of an output takes weights. */
function weighs({ step, losses, metrics }: Compiled, output: number): boolean {
  const weighted = metrics.some((metric) => metric.weighted && metric.output === output);
  return step !== null || losses[output] !== null || weighted;
}

/** By row, or by element of its output but for the classes. */
function classWeights(
  where: string,
  outputShape: Shape,
  loss: LossMeasure,
  target: Column,
  given: unknown,
  held: Walk | null,
): Weights {
  if (loss.axis !== -1 && loss.targets !== 'labels')
    throw new DownhillError('INVALID_ARGUMENT', `${where}: classWeight needs classes on the last axis.`);
  const depth = outputShape.at(loss.axis) ?? 1;
  const byClass = checkClassWeight(`${where}: classWeight`, given, depth === 1 ? 2 : depth);
  const { of, shape } = classesOf(target, loss);
  const values = Float32Array.from(of, (label) => byClass.get(label) ?? 1);
  const size = sizeOf(shape);
  for (const row of held ? rowsIn(held) : []) values.fill(1, row * size, (row + 1) * size);
  return { values, shape };
}
