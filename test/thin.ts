// npm run test:asan runs a part of the longest tables: memory faults come from code and shapes, and rows that differ in numbers alone
// have the same. `-- --all` runs everything there too, as npm test always does. Each kind of row stays.
const active = process.env.DOWNHILL_TESTS === 'thinned';

/** The first row of each kind, and every `every`th of the others. */
export function part<Row>(rows: readonly Row[], kindOf: (row: Row) => unknown, every = 7): Row[] {
  const seen = new Set<unknown>();
  let others = 0;
  return rows.filter((row) => {
    const kind = kindOf(row);
    if (seen.has(kind)) return ++others % every === 0;
    seen.add(kind);
    return true;
  });
}

/** All rows, or where the run is thinned a part. */
export function thinned<Row>(rows: readonly Row[], kindOf: (row: Row) => unknown, every?: number): readonly Row[] {
  return active ? part(rows, kindOf, every) : rows;
}

/** All rows on the CPU; elsewhere thinned. */
export function rowsOn<Row>(device: string, rows: readonly Row[], kindOf: (row: Row) => unknown): readonly Row[] {
  return device === 'cpu' ? rows : thinned(rows, kindOf);
}

/** `whole`, or where the run is thinned `less`. */
export const count = (whole: number, less: number): number => (active ? less : whole);
