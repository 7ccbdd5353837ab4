// What the public namespaces offer, walked: each factory has a golden and a docstring (test/config has the classes).
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as downhill from 'downhill';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (...parts: string[]) => readFileSync(join(root, ...parts), 'utf8');
const filesOf = (folder: string) => readdirSync(join(root, folder));
const goldens = filesOf('test/golden')
  .filter((name) => name.endsWith('.json'))
  .map((name) => read('test/golden', name))
  .join('\n')
  .replace(/\s+/g, '');
/** Metrics of whole fits. */
const listed = new Set(
  [...goldens.matchAll(/"metrics":\[([^\]]*)\]/g)].flatMap(([, names]) => names.match(/\w+/g) ?? []),
);

/** How a golden names its subject; factories whose numbers follow from a formula in their own tests; functions that are no factories. */
const families = {
  optimizers: { keys: ['optimizer'], formula: [], others: ['get'] },
  losses: { keys: ['loss'], formula: [], others: [] },
  metrics: { keys: ['metric', 'loss'], formula: ['zeroOneLoss'], others: [] },
  initializers: { keys: ['initializer'], formula: ['fromTargets'], others: ['resolveInitializer'] },
  schedules: { keys: ['schedule'], formula: ['constant', 'warmup', 'inverseSqrt'], others: ['check'] },
  regularizers: { keys: ['regularizer'], formula: [], others: [] },
  constraints: { keys: ['constraint'], formula: [], others: [] },
} satisfies Record<string, { keys: string[]; formula: string[]; others: string[] }>;

const all = { ...downhill } as unknown as Record<string, Record<string, unknown>>;

for (const [space, { keys, formula, others }] of Object.entries(families)) {
  const namespace = all[space];
  const factories = Object.entries(namespace)
    .filter(([name, value]) => typeof value === 'function' && /^[a-z]/.test(name) && !others.includes(name as never))
    .map(([name]) => name);
  const sources = filesOf(`lib/${space}`).map((name) => read('lib', space, name));
  // Losses are metrics as well, and stand in their own folder.
  if (space === 'metrics') sources.push(...filesOf('lib/losses').map((name) => read('lib/losses', name)));

  describe(space, () => {
    test('has factories', () => expect(factories.length).toBeGreaterThan(3));

    test.each(factories)('%s', (name) => {
      const proved = keys.some((key) => goldens.includes(`"${key}":"${name}"`)) || listed.has(name);
      expect(proved || formula.includes(name as never), 'a golden').toBe(true);
      const docstring = new RegExp(`/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/\\nexport (?:function|const) ${name}\\b`);
      expect(
        sources.some((source) => docstring.test(source)),
        'a docstring',
      ).toBe(true);
    });
  });
}
