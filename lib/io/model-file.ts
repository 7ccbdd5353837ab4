// What a file of a model holds beside its tensors: texts in the metadata, names of weights and slots.
import { DownhillError } from '../errors.js';
import type { Weight } from '../layers/weight.js';
import { libraryVersion } from '../version.js';
import type { Head } from './head.js';
import { metadataJson } from './metadata.js';

export const formatVersion = 1;

/** What the training has come to. */
export interface SavedState {
  iterations: number;
}

export const weightName = ({ owner, name }: Weight): string => `${owner.name}/${name}`;
export const slotPrefix = 'optimizer/';
export const slotName = (slot: string, weight: Weight): string => `${slotPrefix}${slot}/${weightName(weight)}`;

/** Metadata of a file; `parts` are stored as JSON. */
export function metadataOf(content: 'model' | 'weights', parts: Record<string, unknown>): Record<string, string> {
  const texts = Object.entries(parts).map(([key, value]) => [key, JSON.stringify(value)]);
  return {
    format: 'downhill',
    format_version: String(formatVersion),
    library_version: libraryVersion(),
    content,
    ...Object.fromEntries(texts),
  };
}

/** Throws unless the head is of a file that holds a model of a version that we read. */
export function checkModelFile(path: string, { metadata }: Head): void {
  if (metadata.get('format') !== 'downhill')
    throw new DownhillError(
      'FOREIGN_FILE',
      `${path} is a safetensors file of another program: it has no description of a model. Build the model and call net.loadWeights(path).`,
    );
  const version = Number(metadata.get('format_version'));
  if (!Number.isInteger(version) || version < 1)
    throw new DownhillError(
      'CORRUPT_FILE',
      `${path}: its format version "${metadata.get('format_version')}" is no number.`,
    );
  if (version > formatVersion)
    throw new DownhillError(
      'UNSUPPORTED',
      `${path} has format version ${version}, written by downhill ${metadata.get('library_version')}; this version reads up to ` +
        `${formatVersion}. Update downhill.`,
    );
  if (metadata.get('content') !== 'model')
    throw new DownhillError(
      'FOREIGN_FILE',
      `${path} holds weights alone, without a model. Build the model and call net.loadWeights(path).`,
    );
}

/** A part of the metadata; errors while it is used name the file. */
export function readPart<T>(path: string, head: Head, name: string, use: (value: unknown) => T): T {
  const value = metadataJson(path, head, name);
  if (value === undefined)
    throw new DownhillError('CORRUPT_FILE', `${path}: the text "${name}" is missing from its metadata.`);
  try {
    return use(value);
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
    // An unknown class is the caller's to name; anything else is the file's fault.
    const code = error.code === 'UNKNOWN_NAME' ? error.code : 'CORRUPT_FILE';
    throw new DownhillError(code, `${path}: ${error.message}`, { cause: error });
  }
}
