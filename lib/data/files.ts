// Reading the files of data sets; whatever goes wrong is a FILE_ERROR that names the file.
import { isUtf8 } from 'node:buffer';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { DownhillError } from '../errors.js';

const unzip = promisify(gunzip);

/** Files that are read at the same time. */
const kAtOnce = 64;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code;

export function fileError(file: string, problem: string, cause?: unknown): DownhillError {
  return new DownhillError('FILE_ERROR', `${file}: ${problem}`, cause === undefined ? undefined : { cause });
}

const unreadable = (path: string, error: unknown) =>
  new DownhillError('FILE_ERROR', `${path} cannot be read: ${(error as Error).message}`, { cause: error });

/** undefined where there is no such file. */
async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unreadable(path, error);
  }
}

/** A file, or the same with .gz, decompressed; `needs` says what a missing one is needed for. */
export async function readPlainOrGzipped(
  directory: string,
  name: string,
  needs: string,
): Promise<{ path: string; bytes: Buffer }> {
  const plain = join(directory, name);
  const bytes = await readIfThere(plain);
  if (bytes) return { path: plain, bytes };
  const path = `${plain}.gz`;
  const compressed = await readIfThere(path);
  if (!compressed) throw new DownhillError('FILE_ERROR', `${plain} is missing, and so is ${name}.gz. ${needs}`);
  try {
    return { path, bytes: await unzip(compressed) };
  } catch (error) {
    throw new DownhillError('FILE_ERROR', `${path} cannot be decompressed: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Names in a folder, in order. */
export async function readFolder(path: string, needs: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw fileError(path, `the folder is missing. ${needs}`, error);
    throw unreadable(path, error);
  }
}

/** A file as text; names the first byte that is not UTF-8. */
export async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  const text = bytes.toString('utf8');
  if (isUtf8(bytes)) return text;
  // Wrong bytes become U+FFFD, which is also a character of its own.
  let at = -1;
  do at = text.indexOf('\ufffd', at + 1);
  while (
    at >= 0 &&
    bytes.indexOf('\ufffd', Buffer.byteLength(text.slice(0, at))) === Buffer.byteLength(text.slice(0, at))
  );
  throw fileError(path, `byte ${Buffer.byteLength(text.slice(0, at))} is not UTF-8. The file is damaged, or no text.`);
}

/** What `read` gives for each item, in their order; some at the same time. The first error in their order is thrown. */
export async function inOrder<T, R>(items: readonly T[], read: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let begin = 0; begin < items.length; begin += kAtOnce) {
    const settled = await Promise.allSettled(items.slice(begin, begin + kAtOnce).map(read));
    for (const each of settled) {
      if (each.status === 'rejected') throw each.reason;
      results.push(each.value);
    }
  }
  return results;
}

/** Where a file of a package lies: seen from the program's folder, else from this package. `missing` is said where there is none. */
export function resolvePackage(file: string, missing: string): string {
  for (const folder of [process.cwd(), import.meta.dirname]) {
    try {
      return createRequire(join(folder, 'downhill.js')).resolve(file);
    } catch (error) {
      if (codeOf(error) !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  throw new DownhillError('FILE_ERROR', missing);
}
