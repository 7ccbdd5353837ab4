// The option `axis` of losses.
import { checkCount, type Options } from '../options.js';

/** An integer, −1 by default; the shape of the predictions decides whether there is such an axis. */
export function readAxis(read: Options<{ axis?: number }>): number {
  return read.raw.axis === undefined ? -1 : checkCount(read.what('axis'), read.raw.axis, {});
}
