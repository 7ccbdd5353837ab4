// Numbers of a script that its command line may change: node --import tsx examples/lecture/redundancy.ts --steps 10
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/**
 * The defaults, changed by `--name number`. `--out FOLDER` says where pictures go (examples/lecture/pictures by default), `--seed N` where
 * random draws start.
 */
export function settings<T extends Record<string, number>>(defaults: T): T & { seed: number; out: string } {
  const all: Record<string, number> = { seed: 1, ...defaults };
  const options = Object.fromEntries(Object.keys(all).map((key) => [key, { type: 'string' as const }]));
  const { out, ...given } = parseArgs({ options: { ...options, out: { type: 'string' } } }).values as Record<
    string,
    string | undefined
  >;
  const numbers = Object.entries(all).map(([key, value]) => {
    const number = given[key] === undefined ? value : Number(given[key]);
    if (!Number.isFinite(number)) throw new Error(`--${key} must be a number; received ${given[key]}.`);
    return [key, number];
  });
  return { ...Object.fromEntries(numbers), out: out ?? fileURLToPath(new URL('../pictures', import.meta.url)) };
}
