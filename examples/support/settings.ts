// What the command line may change: npx tsx examples/adam-cnn.ts --epochs 5 --directory cifar-10-batches-bin
import { parseArgs } from 'node:util';

/** The defaults, numbers and texts, changed by `--name value`; `--seed N` says where random draws start. */
export function settings<T extends Record<string, number | string>>(defaults: T): T & { seed: number } {
  const all: Record<string, number | string> = { seed: 1, ...defaults };
  const options = Object.fromEntries(Object.keys(all).map((name) => [name, { type: 'string' as const }]));
  const given = parseArgs({ options }).values as Record<string, string | undefined>;
  const read = Object.entries(all).map(([name, value]) => {
    const text = given[name];
    if (text === undefined || typeof value === 'string') return [name, text ?? value];
    if (!Number.isFinite(Number(text))) throw new Error(`--${name} must be a number; received ${text}.`);
    return [name, Number(text)];
  });
  return Object.fromEntries(read);
}
