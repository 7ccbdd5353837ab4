// The error of a loss that is not finite, with what is found out about it.
import { findNonFinite, type NonFinite } from '../diagnostics/non-finite.js';
import { DownhillError } from '../errors.js';
import type { Model } from '../model/model.js';

/** An error of the training in progress, and what was found where its loss is not finite. */
export interface Explained {
  error: unknown;
  found: NonFinite | null;
}

/** Names the layer in the error of a loss that is not finite; other errors stay as they are. Never throws. */
export async function explain(error: unknown, net: Model): Promise<Explained> {
  if (!isOfLoss(error)) return { error, found: null };
  try {
    const found = await findNonFinite(net);
    if (!found) return { error, found };
    return { error: new DownhillError(error.code, `${error.message} ${found.text}`, { cause: error }), found };
  } catch {
    return { error, found: null }; // the first error is the one to tell
  }
}

/** Whether the training ended at a loss, not at data, that is not finite. */
export function isOfLoss(error: unknown): error is DownhillError {
  return error instanceof DownhillError && error.code === 'NON_FINITE' && error.message.startsWith('The loss is ');
}
