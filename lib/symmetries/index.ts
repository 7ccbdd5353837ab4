// Changes of weights that leave the function of a network as it is: why loss surfaces have so many equal minima.
import { DownhillError, show } from '../errors.js';
import type { Model } from '../model/model.js';
import { checkNumber } from '../options.js';
import { checkElementwise, checkHomogeneous, hiddenUnits } from './units.js';

function perUnit(what: string, given: unknown, units: number): number[] {
  const list = Array.isArray(given)
    ? (given as unknown[])
    : ArrayBuffer.isView(given)
      ? Array.from(given as never)
      : null;
  if (!list || list.length !== units)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must have a number for each of ${units} units; received ${show(given)}.`,
    );
  return list.map((value, i) => checkNumber(`${what}[${i}]`, value));
}

/** Values of a weight with its shape, copied. */
interface Values {
  data: Float32Array;
  columns: number;
}

function valuesOf(net: Model): { all: Values[]; write: () => void } {
  const all = net.getWeights().map((weight) => ({
    data: Float32Array.from(weight.dataSync()),
    columns: weight.shape.at(-1) ?? 1,
  }));
  return { all, write: () => net.setWeights(all.map(({ data }) => data)) };
}

/**
 * Exchanges the hidden units of a dense layer: unit i becomes what unit order[i] was, with its incoming weights, bias and outgoing weights. The
 * model computes the same function; n units in m layers have n!^m such orders. An optimizer's slots stay where they are.
 *
 * @param net a sequential model
 * @param layer name of the layer; up to the next dense layer there may be elementwise activations, dropout and noise
 * @param order a permutation of 0 … units − 1
 * @throws INVALID_ARGUMENT, and then nothing has changed
 * @example symmetries.permuteUnits(net, 'dense', [2, 0, 1]);
 * @see Goodfellow et al. 2016, section 8.2.2
 */
export function permuteUnits(net: Model, layer: string, order: readonly number[] | Int32Array): void {
  const where = 'symmetries.permuteUnits';
  const hidden = hiddenUnits(where, net, layer);
  checkElementwise(where, layer, hidden);
  const { units, kernel, bias, next } = hidden;
  const from = perUnit(`${where}: order`, order, units);
  if (new Set(from).size !== units || from.some((unit) => !Number.isInteger(unit) || unit < 0 || unit >= units))
    throw new DownhillError('INVALID_ARGUMENT', `${where}: order must be a permutation of 0 to ${units - 1}.`);
  const { all, write } = valuesOf(net);
  const columns = (values: Values) => {
    const before = values.data.slice();
    for (let i = 0; i < before.length; i++) values.data[i] = before[i - (i % units) + from[i % units]!]!;
  };
  columns(all[kernel]!);
  if (bias !== null) columns(all[bias]!);
  const { data, columns: width } = all[next]!;
  const before = data.slice();
  from.forEach((unit, i) => {
    data.set(before.subarray(unit * width, (unit + 1) * width), i * width);
  });
  write();
}

/**
 * Multiplies the incoming weights and the bias of each hidden unit by a factor, and divides its outgoing weights by it. With activations for which
 * f(αx) = αf(x) the model computes the same function, up to rounding (powers of two are exact). Penalties on weights do change.
 *
 * @param net a sequential model
 * @param layer name of a dense layer whose activation is 'relu', 'leakyRelu' or 'linear'
 * @param factors above 0, one for all units or one for each
 * @throws INVALID_ARGUMENT, OUT_OF_RANGE, and then nothing has changed
 * @example symmetries.rescaleUnits(net, 'dense', 10);
 * @see Goodfellow et al. 2016, section 8.2.2
 */
export function rescaleUnits(net: Model, layer: string, factors: number | readonly number[] | Float32Array): void {
  const where = 'symmetries.rescaleUnits';
  const hidden = hiddenUnits(where, net, layer);
  checkHomogeneous(where, layer, hidden);
  const { units, kernel, bias, next } = hidden;
  const scales =
    typeof factors === 'number' ? new Array<number>(units).fill(factors) : perUnit(`${where}: factors`, factors, units);
  for (const scale of scales) checkNumber(`${where}: a factor`, scale, { above: 0 });
  const { all, write } = valuesOf(net);
  for (const place of bias === null ? [kernel] : [kernel, bias]) {
    const { data } = all[place]!;
    for (let i = 0; i < data.length; i++) data[i]! *= scales[i % units]!;
  }
  const { data, columns } = all[next]!;
  for (let i = 0; i < data.length; i++) data[i]! /= scales[Math.floor(i / columns)]!;
  write();
}
