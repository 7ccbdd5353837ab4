// Which rows of the data an epoch visits, and in which order.
import { checkPerRow, type Groups, groupsBefore, rowsWhere } from '../data/groups.js';
import { DownhillError } from '../errors.js';

/** Whether each pass over the data has an order of its own, none, or the one that was drawn once. */
export type Shuffle = boolean | 'once';

/** As the rows stand; in a random order; drawn with replacement. */
export type Order = 'stored' | 'shuffled' | 'drawn';

/** Rows of a data set that a feed visits. */
export interface Walk {
  begin: number;
  end: number;
  /** These of [begin, end), counted from begin, in place of all. */
  rows: Int32Array | null;
  /** By row: those of one group stay together when they are shuffled. */
  groups: Int32Array | null;
  /** Rows of a pass where they are drawn with replacement; 0: as many as there are. */
  draws: number;
  /** A batch may have a row more than once. */
  repeats: boolean;
}

/** Rows that a walk has to choose from. */
export function rowsOf({ begin, end, rows }: Walk): number {
  return rows ? rows.length : end - begin;
}

/** The rows that a walk has to choose from, counted from the first of the data set. */
export function rowsIn({ begin, end, rows }: Walk): Int32Array {
  return rows ? rows.map((row) => begin + row) : Int32Array.from({ length: end - begin }, (_, i) => begin + i);
}

/** Rows that a pass visits. */
export function lengthOf(walk: Walk): number {
  return walk.draws || rowsOf(walk);
}

export function allRows(rows: number): Walk {
  return { begin: 0, end: rows, rows: null, groups: null, draws: 0, repeats: false };
}

/**
 * Rows to train with and rows to validate with: the last fraction, as Keras takes it; of groups, whole ones, so many of the last ones (in the
 * order of their first rows) that their rows come nearest to it.
 */
export function splitRows(
  rows: number,
  validationSplit: number,
  groups: Groups | null,
): { train: Walk; held: Walk | null } {
  if (groups) checkPerRow('fit: groups', groups, rows);
  let split = Math.floor(rows * (1 - validationSplit));
  const grouped = groups !== null && validationSplit > 0;
  const before = grouped ? groupsBefore(groups.sizes, rows - split) : 0;
  if (grouped) split = groups.sizes.slice(0, before).reduce((sum, size) => sum + size, 0);
  if (split === 0 || (validationSplit > 0 && split === rows))
    throw new DownhillError(
      'EMPTY_DATA',
      `fit: validationSplit ${validationSplit} of ${rows} rows${grouped ? ` in ${groups.sizes.length} groups` : ''} leaves ${split} ` +
        `for training and ${rows - split} for validation; each needs at least one.`,
    );
  if (!grouped) {
    const train = { ...allRows(split), groups: groups?.numbers ?? null };
    return { train, held: split === rows ? null : { ...allRows(rows), begin: split } };
  }
  const { numbers } = groups;
  const trained = rowsWhere(rows, (row) => numbers[row] < before);
  return {
    train: { ...allRows(rows), rows: trained, groups: trained.map((row) => numbers[row]) },
    held: { ...allRows(rows), rows: rowsWhere(rows, (row) => numbers[row] >= before) },
  };
}
