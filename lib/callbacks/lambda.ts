// Callbacks of single functions.
import { Options } from '../options.js';
import { type Callback, type Hook, hooks } from './callback.js';

/**
 * A callback made of the given functions.
 *
 * @throws UNKNOWN_OPTION for a hook that does not exist
 * @example
 * callbacks.lambda({ onEpochEnd: (epoch, logs) => console.log(epoch, logs.loss) });
 */
export function lambda(functions: Pick<Callback, Hook>): Callback {
  const read = new Options('callbacks.lambda', functions, hooks);
  return { ...read.raw };
}
