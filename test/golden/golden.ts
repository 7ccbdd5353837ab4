import { readFileSync } from 'node:fs';
import { layers, losses, type Model, optimizers, regularizers, sequential } from 'downhill';

/** A number of a golden file; JSON has no NaN and no infinities. */
export type Value = number | 'NaN' | 'Infinity' | '-Infinity';
export type Values = Value | Values[];

export interface LayerSpec {
  units: number;
  activation?: string;
  useBias?: boolean;
  kernelL2?: number;
  biasL2?: number;
}

export interface LossSpec {
  name: losses.LossName;
  options?: Record<string, number | boolean>;
}

export interface OptimizerSpec {
  /** Its factory. */
  optimizer: string;
  options: Record<string, number | boolean | string | object | null>;
}

export function read<Body>(name: string): Body {
  return JSON.parse(readFileSync(new URL(`./${name}.json`, import.meta.url), 'utf8')) as Body;
}

export function flat(values: Values | undefined): number[] {
  if (values === undefined) throw new Error('The golden file lacks these values');
  return Array.isArray(values) ? values.flatMap(flat) : [Number(values)];
}

/** Throws naming the worst element unless |actual - expected| <= absolute + relative * |expected| everywhere. */
export function expectClose(
  actual: ArrayLike<number> | number,
  expected: Values | undefined,
  where: string,
  { relative = 0, absolute = 0 }: { relative?: number; absolute?: number },
): void {
  const got = typeof actual === 'number' ? [actual] : Array.from(actual);
  const want = flat(expected);
  if (got.length !== want.length) throw new Error(`${where}: expected ${want.length} values, received ${got.length}`);
  let worst = 0;
  let message = '';
  for (const [i, value] of want.entries()) {
    if (Object.is(got[i], value) || got[i] === value) continue;
    const excess = Math.abs(got[i]! - value) / (absolute + relative * Math.abs(value));
    if (excess <= 1 || excess <= worst) continue;
    worst = excess;
    message = `${where}[${i}]: expected ${value}, received ${got[i]} (${excess.toPrecision(3)} times the tolerance)`;
    if (Number.isNaN(excess)) throw new Error(message);
  }
  if (message) throw new Error(message);
}

export function makeOptimizer({ optimizer, options }: OptimizerSpec): optimizers.Optimizer {
  return optimizers[optimizer as 'sgd'](options as optimizers.SgdOptions);
}

export function makeLoss({ name, options = {} }: LossSpec) {
  return losses[name](options);
}

/** A net of dense layers with the given weights, not compiled. */
export function makeNet(specs: LayerSpec[], features: number, start: Values[]): Model {
  const net = sequential(
    specs.map(({ kernelL2, biasL2, ...options }, index) =>
      layers.dense({
        ...options,
        ...(index === 0 && { inputShape: [features] }),
        ...(kernelL2 !== undefined && { kernelRegularizer: regularizers.l2({ l2: kernelL2 }) }),
        ...(biasL2 !== undefined && { biasRegularizer: regularizers.l2({ l2: biasL2 }) }),
      }),
    ),
  );
  net.setWeights(start as number[][]);
  return net;
}

/** Targets as `fit` takes them: labels as integers, everything else as floats. */
export function column(values: Values, kind: string): Float32Array | Int32Array {
  return kind === 'labels' ? Int32Array.from(flat(values)) : Float32Array.from(flat(values));
}
