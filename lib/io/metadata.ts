// JSON among the texts of a file's metadata, from somebody we do not know.
import { DownhillError } from '../errors.js';
import type { Head } from './head.js';

/** Models are nested as deep as their layers, and no code that walks a config should run out of stack. */
const maxDepth = 200;

/** The first place where JSON is nested deeper than allowed, or -1. */
function tooDeep(text: string): number {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '"') for (i++; i < text.length && text[i] !== '"'; i++) i += text[i] === '\\' ? 1 : 0;
    else if (char === '{' || char === '[') {
      if (++depth > maxDepth) return i;
    } else if (char === '}' || char === ']') depth--;
  }
  return -1;
}

/**
 * The value of a text of JSON in the metadata; undefined where there is none of that name.
 *
 * @throws DownhillError CORRUPT_FILE naming file, text and position.
 */
export function metadataJson(path: string, head: Pick<Head, 'metadata'>, name: string): unknown {
  const text = head.metadata.get(name);
  if (text === undefined) return undefined;
  const fail = (reason: string, cause?: unknown): never => {
    throw new DownhillError('CORRUPT_FILE', `${path}: the text "${name}" of its metadata ${reason}.`, { cause });
  };
  const deep = tooDeep(text);
  if (deep >= 0) return fail(`is nested more than ${maxDepth} deep, at its character ${deep}`);
  try {
    return JSON.parse(text);
  } catch (error) {
    return fail(`is no JSON: ${(error as Error).message}`, error);
  }
}
