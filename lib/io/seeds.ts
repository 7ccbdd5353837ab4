// Seeds of the layers that draw while they train, by path: also of those within layers of the user's own, which no config tells of.
import type { Layer } from '../layers/layer.js';
import { walkLayers } from '../layers/names.js';
import type { Claims } from '../training/position.js';

export type Seeds = Readonly<Record<string, number>>;

export function seedsOf(net: Layer): Seeds {
  const seeds: [path: string, seed: number][] = [];
  walkLayers(net, (layer, path) => {
    const seed = layer.restoreSeed && layer.getConfig().seed;
    if (typeof seed === 'number') seeds.push([path, seed]);
  });
  return Object.fromEntries(seeds);
}

export function readSeeds(claims: Claims): Seeds {
  return Object.fromEntries(Object.keys(claims.values).map((path) => [path, claims.count(path)]));
}

/** Paths of layers that draw, and have no seed among these. */
export function missingSeeds(net: Layer, seeds: Seeds): string[] {
  return Object.keys(seedsOf(net)).filter((path) => !Object.hasOwn(seeds, path));
}

export function restoreSeeds(net: Layer, seeds: Seeds): void {
  walkLayers(net, (layer, path) => {
    if (Object.hasOwn(seeds, path)) layer.restoreSeed?.(seeds[path]);
  });
}
