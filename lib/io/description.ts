// What a file of ours says of itself, checked.
import { type Config, decode } from '../config/values.js';
import { DownhillError } from '../errors.js';
import type { RandomState } from '../random.js';
import { Claims } from '../training/position.js';
import type { Head } from './head.js';
import { metadataJson } from './metadata.js';
import { readSeeds, type Seeds } from './seeds.js';
import { type Content, formatVersion } from './snapshot.js';

export interface Description {
  content: Content;
  /** What net.toJSON() gave. */
  model: unknown;
  /** What it was compiled with; null before compile(). */
  compile: Config | null;
  /** Updates made by the optimizer. */
  iterations: number;
  /** Steps that it made, also those that only accumulated gradients. */
  steps: number;
  /** Updates that it skipped. */
  skipped: number;
  /** Of a dynamic loss scale. */
  lossScale?: number;
  finiteSteps?: number;
  /** What the precision came to where it trained; undefined for float32 and in older files. */
  products?: string;
  random: RandomState | null;
  /** Of layers that draw while they train, by path. */
  seeds: Seeds;
  /** Where its fit stood, as position.ts reads it; undefined when no fit had begun. */
  training: unknown;
}

/** Whether a file holds what this library writes, in whatever version. */
export const isOurs = (head: Head): boolean => head.metadata.get('format') === 'downhill';

/** Throws UNSUPPORTED for a file of a newer version of the library. */
export function checkVersion(path: string, head: Head): void {
  const text = head.metadata.get('format_version') ?? '';
  const by = head.metadata.get('library_version') ?? 'of an unknown version';
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new DownhillError('CORRUPT_FILE', `${path}: format_version is ${JSON.stringify(text)}, which no version is.`);
  if (Number(text) > formatVersion)
    throw new DownhillError(
      'UNSUPPORTED',
      `${path}: written in format ${text} by downhill ${by}; this version reads formats up to ${formatVersion}. Update downhill.`,
    );
}

/** The description of a model; throws FOREIGN_FILE for a file without one. */
export function describeModel(path: string, head: Head): Description {
  if (!isOurs(head))
    throw new DownhillError(
      'FOREIGN_FILE',
      `${path}: a safetensors file of another library: it has tensors, but no model. Build the model, then read them with net.loadWeights.`,
    );
  checkVersion(path, head);
  const content = head.metadata.get('content');
  if (content === 'weights')
    throw new DownhillError(
      'FOREIGN_FILE',
      `${path}: holds weights alone, as net.saveWeights writes them. Build the model, then read them with net.loadWeights.`,
    );
  if (content !== 'model')
    throw new DownhillError('CORRUPT_FILE', `${path}: its content must be "model" or "weights".`);
  const read = (name: string) => metadataJson(path, head, name);
  const { where, values } = Claims.of(`${path}: state`, read('state'));
  const state = new Claims(where, decode(values, where) as Config);
  const compile = read('compile');
  const iterations = state.values.iterations === undefined ? 0 : state.count('iterations');
  const steps = state.values.steps === undefined ? iterations : state.count('steps');
  const skipped = state.values.skipped === undefined ? 0 : state.count('skipped', steps);
  return {
    content,
    model: read('model'),
    compile: compile === undefined ? null : Claims.of(`${path}: compile`, compile).values,
    iterations,
    steps,
    skipped,
    ...(state.values.lossScale !== undefined && {
      lossScale: lossScaleOf(state),
      finiteSteps: state.count('finiteSteps', 2 ** 31 - 1),
    }),
    ...(state.values.products !== undefined && { products: productsOf(state) }),
    random: state.values.random === undefined ? null : randomOf(state.object('random')),
    seeds: state.values.seeds === undefined ? {} : readSeeds(state.object('seeds')),
    training: state.values.training,
  };
}

function productsOf(state: Claims): string {
  const { products } = state.values;
  return products === 'float32' || products === 'tf32' || products === 'bfloat16'
    ? products
    : state.fail('products', '"float32", "tf32" or "bfloat16"');
}

function lossScaleOf(state: Claims): number {
  const scale = state.number('lossScale');
  return scale > 0 && Number.isFinite(Math.fround(scale)) && Math.fround(scale) > 0
    ? scale
    : state.fail('lossScale', 'a finite number above 0');
}

function randomOf(claims: Claims): RandomState {
  return { seed: claims.count('seed', 2 ** 32 - 1), draws: claims.count('draws') };
}

/** What the caller can mend: an unknown class or function, a feature of this build. Anything else is the file's fault. */
const callers: readonly string[] = ['UNKNOWN_NAME', 'UNSUPPORTED', 'OUT_OF_MEMORY'];

/** Errors of what is built from a file name the file. */
export function inFile<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof DownhillError) || error.message.startsWith(path)) throw error;
    const code = callers.includes(error.code) ? error.code : 'CORRUPT_FILE';
    throw new DownhillError(code, `${path}: ${error.message}`, { cause: error });
  }
}
