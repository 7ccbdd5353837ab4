// Integers as the numbers that layers compute with.
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';

/** The same values as float32. */
export const floats = (x: Result): Result => (x.dtype === 'float32' ? x : ops.cast(x, 'float32'));
