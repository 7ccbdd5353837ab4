// Helpers for tests of failures.
import { DownhillError } from 'downhill';

/** The code of the DownhillError that `body` throws; throws when it throws none. */
export function codeOf(body: () => unknown): string {
  return failure(body).code;
}

/** The DownhillError that `body` throws. */
export function failure(body: () => unknown): DownhillError {
  let result: unknown;
  try {
    result = body();
  } catch (error) {
    if (error instanceof DownhillError) return error;
    throw new Error(`Expected a DownhillError; it threw ${String(error)}`);
  }
  throw new Error(`Expected a DownhillError; it returned ${String(result)}`);
}

/** What a promise rejects with; throws when it is fulfilled. */
export async function rejection(promise: unknown): Promise<unknown> {
  if (!(promise instanceof Promise)) throw new Error('Expected a promise');
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`Expected a rejection; it was fulfilled with ${String(result)}`);
}
