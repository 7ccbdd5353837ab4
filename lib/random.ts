// The library's seed. Every draw without a seed of its own takes the next stream of it.
import { randomInt } from 'node:crypto';
import { checkCount } from './options.js';

/** Seeds are 32-bit. */
const kSeeds = 2 ** 32;

let current = randomInt(kSeeds);
let streams = 0;

/**
 * Fixes every random draw that has no seed of its own and is made from now on: initial weights, shuffling, dropout. The same seed gives
 * the same run, on any number of threads. Without it each process starts from a random seed.
 *
 * @param value an integer in [0, 2³²)
 */
export function seed(value: number): void {
  current = checkSeed('seed', value);
  streams = 0;
}

export function checkSeed(what: string, value: unknown): number {
  return checkCount(what, value, { min: 0, max: kSeeds - 1 });
}

/** The key of one draw: the library's seed with a stream that no other draw has. */
export function drawKey(): { seed: number; stream: number } {
  return { seed: current, stream: ++streams };
}

/** A seed of its own for something that draws again and again (shuffling, dropout), from the library's seed. */
export function drawSeed(): number {
  const key = drawKey();
  return mix(mix(key.seed) ^ key.stream);
}

/** Where the library's draws stand: its seed, and how many draws were made of it. */
export interface RandomState {
  seed: number;
  draws: number;
}

export function randomState(): RandomState {
  return { seed: current, draws: streams };
}

/** Later draws are those that would have followed randomState(). */
export function setRandomState({ seed: from, draws }: RandomState): void {
  current = from;
  streams = draws;
}

/** Spreads 32 bits: the finalizer of MurmurHash3. */
function mix(bits: number): number {
  let h = bits >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
