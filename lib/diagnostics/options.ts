// Options that diagnostics have in common.
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import type { TrainWeightOptions } from '../training/sample-weights.js';
import { type Batch, compiledOf, Data } from './data.js';
import { Probe, type ProbeOptions } from './probe.js';

export interface DataOptions extends TrainWeightOptions {
  /** Rows that are computed at a time, 256 by default; results do not depend on it, memory does. */
  batchSize?: number;
  /** Whether layers behave as in training, so that dropout drops; false by default. */
  training?: boolean;
  /** Fixes what is drawn: dropout's masks (the same in every evaluation), start vectors, samples, directions; 0 by default. */
  seed?: number;
}

export const dataKeys = ['batchSize', 'training', 'seed', 'sampleWeight', 'classWeight'] as const;

export const kBatchSize = 256;

/** Seeds are 32-bit. */
const seeds = { min: 0, max: 2 ** 32 - 1 };

export function probeOptions(read: Options<DataOptions>): ProbeOptions {
  return { training: read.flag('training', false), seed: read.count('seed', 0, seeds) };
}

export interface Probed {
  probe: Probe;
  data: Data;
  /** All rows, in order. */
  batches: Batch[];
}

/** A model's loss over x and y, with the weights as of now. */
export async function probed(
  where: string,
  net: Model,
  x: unknown,
  y: unknown,
  read: Options<DataOptions>,
): Promise<Probed> {
  const options = probeOptions(read);
  const batchSize = read.count('batchSize', kBatchSize);
  const compiled = compiledOf(where, net);
  const data = await Data.of(where, net, compiled, x, y, read.raw);
  const probe = new Probe(where, net, compiled, data.types, options);
  return { probe, data, batches: data.batches(batchSize) };
}

/** Options of a diagnostic with only the common ones. */
export function commonOptions(where: string, options: DataOptions | undefined): Options<DataOptions> {
  return new Options<DataOptions>(where, options, dataKeys);
}
