// Which rows are held out, given a random order of rows or groups.
import { DownhillError } from '../errors.js';
import type { Groups } from './groups.js';

/** How many of each class make `count` rows in proportion: rounded down, the rest to the largest remainders, larger classes first. */
export function quotas(sizes: readonly number[], count: number): number[] {
  const rows = sizes.reduce((sum, size) => sum + size, 0);
  const shares = sizes.map((size, number) => ({
    number,
    size,
    whole: Math.floor((size * count) / rows),
    remainder: (size * count) % rows,
  }));
  let left = count - shares.reduce((sum, { whole }) => sum + whole, 0);
  const result = shares.map(({ whole }) => whole);
  const byRemainder = shares.sort((a, b) => b.remainder - a.remainder || b.size - a.size || a.number - b.number);
  for (const { number } of byRemainder) if (left-- > 0) result[number]++;
  return result;
}

/** Marks the first rows of the order, so many of each class as is its share of `count`. */
export function apportion(held: Uint8Array, classes: Groups | null, count: number, order: Int32Array): void {
  const left = classes ? quotas(classes.sizes, count) : [count];
  for (const row of order) {
    const number = classes ? classes.numbers[row] : 0;
    if (left[number] > 0) {
      left[number]--;
      held[row] = 1;
    }
  }
}

/** Marks whole groups, in the given order, each if the numbers of the classes are nearer to their shares with it. */
export function byGroup(
  held: Uint8Array,
  groups: Groups,
  classes: Groups | null,
  count: number,
  order: Int32Array,
): void {
  if (groups.sizes.length < 2)
    throw new DownhillError(
      'EMPTY_DATA',
      'split: all rows are of one group, which cannot be in both parts. Give more groups, or none.',
    );
  const missing = classes ? quotas(classes.sizes, count) : [count];
  const members = groups.sizes.map(() => new Map<number, number>()); // by group: rows by class
  groups.numbers.forEach((number, row) => {
    const kind = classes ? classes.numbers[row] : 0;
    members[number].set(kind, (members[number].get(kind) ?? 0) + 1);
  });
  // Of Σ (found − wanted)² over the classes, when the group is added.
  const change = (number: number) =>
    [...members[number]].reduce((sum, [kind, rows]) => sum + rows * (rows - 2 * missing[kind]), 0);
  const chosen = new Set<number>();
  for (const number of order) {
    if (chosen.size === groups.sizes.length - 1) break; // one is left for training
    if (change(number) >= 0) continue;
    chosen.add(number);
    for (const [kind, rows] of members[number]) missing[kind] -= rows;
  }
  // All groups are more than twice as large as the part: the one that fits least badly.
  if (chosen.size === 0) chosen.add([...order].reduce((best, next) => (change(next) < change(best) ? next : best)));
  groups.numbers.forEach((number, row) => {
    if (chosen.has(number)) held[row] = 1;
  });
}
