// Sums and weights as the means that logs show.
import type { Logs } from '../callbacks/callback.js';

/** Means by label: sums holds (sum, weight) for each of the labels. */
export function meansOf(labels: readonly string[], sums: Float64Array, prefix = ''): Logs {
  return Object.fromEntries(labels.map((label, i) => [prefix + label, sums[2 * i] / sums[2 * i + 1]]));
}
