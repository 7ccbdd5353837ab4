// Weights by name into a model that exists, from our files and from those of other libraries.
import { binding, type Storage } from '../binding/index.js';
import { DownhillError, show } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Weight } from '../layers/weight.js';
import type { Model } from '../model/model.js';
import { checkFunction, Options } from '../options.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import { storageOf, Tensor } from '../tensor/tensor.js';
import type { Trainer } from '../training/trainer.js';
import { slotPrefix, weightName } from './model-file.js';
import { readHead, readTensors, type TensorEntry } from './safetensors.js';

/** Where a tensor of the file goes. transpose: reverses its dimensions, or the permutation of them. */
export type MappedName = string | { name: string; transpose?: boolean | readonly number[] } | null | undefined;

export interface LoadWeightsOptions {
  /**
   * From a tensor's name and shape in the file to the name of a parameter; null leaves the tensor out. By default names are equal.
   */
  map?: (name: string, shape: readonly number[]) => MappedName;
  /** Whether every weight and every tensor must find its partner; true by default. */
  strict?: boolean;
}

/** What did not match. */
export interface LoadedWeights {
  /** Parameters that the file has no tensor for; they keep their values. */
  missing: string[];
  /** Tensors of the file that no parameter takes. */
  unexpected: string[];
  /** Tensors of another shape or type, with the reason. */
  mismatched: string[];
}

interface Match {
  entry: TensorEntry;
  weight: Weight;
  permutation: readonly number[] | null;
}

function permutationOf(where: string, transpose: unknown, rank: number): readonly number[] | null {
  if (transpose === undefined || transpose === false) return null;
  const reversed = Array.from({ length: rank }, (_, i) => rank - 1 - i);
  if (transpose === true) return reversed;
  if (
    Array.isArray(transpose) &&
    [...transpose].sort((a, b) => a - b).every((axis, i) => axis === i) &&
    transpose.length === rank
  )
    return transpose as number[];
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${where}: transpose must be true, false or a permutation of the ${rank} dimensions; received ${show(transpose)}.`,
  );
}

function targetOf(entry: TensorEntry, map: LoadWeightsOptions['map']): { name: string | null; transpose: unknown } {
  const mapped = map ? map(entry.name, [...entry.shape]) : entry.name;
  if (mapped === null || mapped === undefined) return { name: null, transpose: false };
  if (typeof mapped === 'string') return { name: mapped, transpose: false };
  if (typeof mapped === 'object' && typeof mapped.name === 'string')
    return { name: mapped.name, transpose: mapped.transpose };
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `loadWeights: map("${entry.name}") must give a name, { name, transpose } or null; it gave ${show(mapped)}.`,
  );
}

function matchAll(
  entries: Iterable<TensorEntry>,
  weights: readonly Weight[],
  map: LoadWeightsOptions['map'],
): { matches: Match[]; report: LoadedWeights } {
  const byName = new Map(weights.map((weight) => [weightName(weight), weight]));
  const taken = new Map<string, string>();
  const matches: Match[] = [];
  const report: LoadedWeights = { missing: [], unexpected: [], mismatched: [] };
  for (const entry of entries) {
    const { name, transpose } = targetOf(entry, map);
    if (name === null) continue;
    const weight = byName.get(name);
    if (!weight) {
      report.unexpected.push(name === entry.name ? name : `${entry.name} (as ${name})`);
      continue;
    }
    if (taken.has(name))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `loadWeights: map gives "${name}" for both "${taken.get(name)}" and "${entry.name}".`,
      );
    taken.set(name, entry.name);
    const permutation = permutationOf(`loadWeights: map("${entry.name}")`, transpose, entry.shape.length);
    const shape = permutation ? permutation.map((axis) => entry.shape[axis]) : entry.shape;
    if (entry.dtype !== 'F32') report.mismatched.push(`${name}: the file has ${entry.dtype}, expected F32`);
    else if (!sameShape(shape, weight.shape))
      report.mismatched.push(`${name}: the file has shape ${shapeText(shape)}, expected ${shapeText(weight.shape)}`);
    else matches.push({ entry, weight, permutation });
  }
  report.missing = [...byName.keys()].filter((name) => !taken.has(name));
  return { matches, report };
}

function checkStrict(path: string, { missing, unexpected, mismatched }: LoadedWeights): void {
  const parts = [
    missing.length > 0 ? `not in the file: ${missing.join(', ')}` : null,
    unexpected.length > 0 ? `not in the model: ${unexpected.join(', ')}` : null,
    mismatched.length > 0 ? `different: ${mismatched.join('; ')}` : null,
  ].filter((part) => part !== null);
  if (parts.length === 0) return;
  throw new DownhillError(
    'WEIGHTS_MISMATCH',
    `${path} does not fit the model: ${parts.join('. ')}. Nothing was loaded. Give map to rename tensors, or strict: false to load what fits.`,
  );
}

/** Everything is read before anything is written, so that a file that fails leaves the model as it was. */
export async function loadWeights(
  trainer: Trainer,
  model: Model,
  path: string,
  options?: LoadWeightsOptions,
): Promise<LoadedWeights> {
  const read = new Options<LoadWeightsOptions>('loadWeights', options, ['map', 'strict']);
  const { map } = read.raw;
  if (map !== undefined) checkFunction('loadWeights: map', map);
  const strict = read.flag('strict', true);
  const { weights } = model;
  const head = await readHead(path);
  const own = head.metadata.get('format') === 'downhill';
  const entries = [...head.tensors.values()].filter(({ name }) => !own || !name.startsWith(slotPrefix));
  const { matches, report } = matchAll(entries, weights, map);
  if (strict) checkStrict(path, report);
  const staged = matches.length > 0 ? binding.arena(matches.map(({ weight }) => weight.size * 4)) : [];
  await readTensors(
    path,
    head,
    matches.map(({ entry }) => entry),
    staged,
  );
  trainer.checkAlive();
  const values: Storage[] = matches.map(({ entry, permutation }, i) => {
    const tensor = new Tensor(staged[i], entry.shape, 'float32');
    return storageOf(permutation ? ops.transpose(tensor, [...permutation]) : tensor);
  });
  binding.storagesWrite(
    matches.map(({ weight }) => storageOf(weight.variable)),
    matches.map(() => 'float32' as const),
    values,
  );
  return report;
}
