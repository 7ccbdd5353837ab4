// Optimizers side by side.
import { type optimizers, seed as seedRandom } from 'downhill';

/** Columns of a table: numbers are rounded to four digits. */
export type Row = Record<string, number | string>;

/** Rows of a table: what `train` gives for each optimizer. Each starts from the same seed: the same weights, the same order of examples. */
export async function compare(
  choices: Record<string, () => optimizers.Optimizer>,
  seed: number,
  train: (optimizer: optimizers.Optimizer, title: string) => Promise<Row>,
): Promise<Record<string, Row>> {
  const rows: Record<string, Row> = {};
  for (const [title, make] of Object.entries(choices)) {
    seedRandom(seed);
    const begin = performance.now();
    const columns = Object.entries(await train(make(), title)).map(([name, value]) => [
      name,
      typeof value === 'number' ? Number(value.toPrecision(4)) : value,
    ]);
    rows[title] = { ...Object.fromEntries(columns), seconds: Math.round((performance.now() - begin) / 1000) };
  }
  return rows;
}
