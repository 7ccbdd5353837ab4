// Weights by name, from files of this library and of others.
import { binding, type Storage } from '../binding/index.js';
import { DownhillError, show } from '../errors.js';
import * as ops from '../graph/ops.js';
import { arenaLike, type Weight } from '../layers/weight.js';
import type { Model } from '../model/model.js';
import { weightNames } from '../layers/names.js';
import { checkFunction, Options } from '../options.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import { storageOf, Tensor } from '../tensor/tensor.js';
import { checkVersion, isOurs } from './description.js';
import { readFloats, readable } from './floats.js';
import { readHead, readTensors, type TensorEntry } from './safetensors.js';

/** Whose values a tensor of the file holds: a weight's name; with a transposition (true: axes reversed; or the order of its axes); null: nobody's. */
export type WeightTarget = string | { name: string; transpose?: boolean | readonly number[] } | null;

export interface LoadWeightsOptions {
  /** From the names of the file to those of net.parameters; by default names are equal. */
  map?: (name: string, shape: readonly number[]) => WeightTarget;
  /** Whether all must match, true by default; otherwise what matches is loaded, and the rest is listed in the result. */
  strict?: boolean;
}

export interface WeightsReport {
  /** Weights of the model that the file does not have. */
  missing: string[];
  /** Tensors of the file that are no weight of the model. */
  unexpected: string[];
  /** Weights whose tensor has another shape, or a dtype that no weight has. */
  mismatched: { name: string; tensor: string; expected: number[]; received: number[]; dtype: string }[];
}

interface Match {
  entry: TensorEntry;
  weight: Weight;
  /** Order of the axes of the entry; null: as they are. */
  order: readonly number[] | null;
}

/** Reads weights; nothing of the model changes unless the file was read whole. */
export async function loadWeights(
  net: Model,
  path: string,
  options: LoadWeightsOptions | undefined,
): Promise<WeightsReport> {
  const read = new Options<LoadWeightsOptions>('loadWeights', options, ['map', 'strict']);
  const map = read.raw.map === undefined ? (name: string) => name : checkFunction(read.what('map'), read.raw.map);
  const strict = read.flag('strict', true);
  void net.weights; // built, and placed together
  const names = weightNames(net);
  const head = await readHead(path);
  const ours = isOurs(head);
  if (ours) checkVersion(path, head);
  const entries = [...head.tensors.values()].filter(({ name }) => !(ours && /^(optimizer|state)\//.test(name)));
  const { matches, report } = match(path, entries, names, map);
  if (strict) checkComplete(path, report);
  const floats = matches.filter(({ entry }) => entry.dtype === 'F32');
  const staged = arenaLike(floats.map(({ weight }) => weight));
  await readTensors(
    path,
    head,
    floats.map(({ entry }) => entry),
    staged,
  );
  const storages = new Map<Match, Storage>(floats.map((item, i) => [item, staged[i]]));
  for (const item of matches)
    if (!storages.has(item)) storages.set(item, binding.storageFrom(await readFloats(path, item.entry), 'float32'));
  const values = matches.map((item) => turned(item, storages.get(item)!));
  await binding.storagesCopyAsync(
    values,
    matches.map(({ weight }) => storageOf(weight.variable)),
  );
  for (const storage of values) binding.storageDispose(storage);
  return report;
}

/** The values with their axes in the weight's order. */
function turned({ entry, order }: Match, storage: Storage): Storage {
  if (!order) return storage;
  const turned = ops.transpose(new Tensor(storage, entry.shape, 'float32'), [...order]);
  turned.dataSync(); // it may be pending
  binding.storageDispose(storage);
  return storageOf(turned);
}

function targetOf(
  what: string,
  target: unknown,
  rank: number,
): { name: string; order: readonly number[] | null } | null {
  if (target === null) return null;
  if (typeof target === 'string') return { name: target, order: null };
  if (typeof target !== 'object' || typeof (target as { name?: unknown }).name !== 'string')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must give a name, { name, transpose } or null; it gave ${show(target)}.`,
    );
  const { name, transpose } = target as { name: string; transpose?: unknown };
  const axes = Array.from({ length: rank }, (_, i) => i);
  if (transpose === undefined || transpose === false) return { name, order: null };
  if (transpose === true) return { name, order: axes.reverse() };
  const given = Array.isArray(transpose) ? (transpose as unknown[]) : [];
  if (given.length !== rank || !axes.every((axis) => given.includes(axis)))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what}: transpose must be true or the order of the ${rank} axes, such as [${axes.reverse().join(', ')}]; received ${show(transpose)}.`,
    );
  return { name, order: given as number[] };
}

function match(
  path: string,
  entries: readonly TensorEntry[],
  names: ReadonlyMap<Weight, string>,
  map: (name: string, shape: readonly number[]) => unknown,
): { matches: Match[]; report: WeightsReport } {
  const byName = new Map([...names].map(([weight, name]) => [name, weight]));
  const sources = new Map<string, string>();
  const report: WeightsReport = { missing: [], unexpected: [], mismatched: [] };
  const matches: Match[] = [];
  for (const entry of entries) {
    const what = `loadWeights: map("${entry.name}")`;
    const target = targetOf(what, map(entry.name, [...entry.shape]), entry.shape.length);
    if (!target) continue;
    const { name, order } = target;
    const weight = byName.get(name);
    if (!weight) {
      report.unexpected.push(entry.name);
      continue;
    }
    const other = sources.get(name);
    if (other !== undefined)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `loadWeights: ${path}: both "${other}" and "${entry.name}" are mapped to "${name}".`,
      );
    sources.set(name, entry.name);
    const shape = order ? order.map((axis) => entry.shape[axis]) : entry.shape;
    if (readable(entry.dtype) && sameShape(shape, weight.shape)) matches.push({ entry, weight, order });
    else {
      const { name: tensor, dtype } = entry;
      report.mismatched.push({ name, tensor, expected: [...weight.shape], received: [...shape], dtype });
    }
  }
  report.missing = [...byName.keys()].filter((name) => !sources.has(name));
  return { matches, report };
}

function checkComplete(path: string, { missing, unexpected, mismatched }: WeightsReport): void {
  const parts = [
    missing.length > 0 && `missing in the file: ${missing.join(', ')}`,
    unexpected.length > 0 && `not in the model: ${unexpected.join(', ')}`,
    mismatched.length > 0 &&
      `not fitting: ${mismatched
        .map(
          ({ name, tensor, expected, received, dtype }) =>
            `${name} of shape ${shapeText(expected)} from ${tensor}, ${dtype} of shape ${shapeText(received)}`,
        )
        .join(', ')}`,
  ].filter((part) => part !== false);
  if (parts.length === 0) return;
  throw new DownhillError(
    mismatched.length > 0 ? 'SHAPE_MISMATCH' : 'UNKNOWN_NAME',
    `loadWeights: ${path}: ${parts.join('; ')}. Give { map } for other names or layouts, or { strict: false } to load what matches.`,
  );
}
