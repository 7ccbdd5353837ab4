// Configs that are wrong in any way give errors that name the place.
import { initializers, layers, modelFromJSON, sequential } from 'downhill';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { withoutInitialValues } from '../../lib/layers/weight.js';
import { throwsAtOnce } from '../support.js';

describe('malformed configs', () => {
  const config = () =>
    JSON.parse(
      JSON.stringify(
        sequential([
          layers.flatten({ inputShape: [2, 2] }),
          layers.dense({ units: 3, kernelInitializer: initializers.randomNormal({ seed: 1 }) }),
        ]),
      ),
    );
  type Json = ReturnType<typeof config>;
  const cases: [string, (json: Json) => unknown, string, RegExp][] = [
    [
      'class',
      (j) => (j.config.layers[1].className = 'Dence'),
      'UNKNOWN_NAME',
      /^model\.config\.layers\[1\]\.className: .*mean "Dense"/,
    ],
    [
      'no class',
      (j) => delete j.config.layers[0].className,
      'INVALID_ARGUMENT',
      /^model\.config\.layers\[0\]\.className must be/,
    ],
    ['prototype', (j) => (j.config.layers[1].className = 'constructor'), 'UNKNOWN_NAME', /layers\[1\]/],
    [
      'type',
      (j) => (j.config.layers[1].config.units = 'ten'),
      'INVALID_ARGUMENT',
      /^model\.config\.layers\[1\]\.config\.units: /,
    ],
    [
      'range',
      (j) => (j.config.layers[1].config.units = 0),
      'OUT_OF_RANGE',
      /^model\.config\.layers\[1\]\.config\.units: /,
    ],
    [
      'required',
      (j) => delete j.config.layers[1].config.units,
      'INVALID_ARGUMENT',
      /^model\.config\.layers\[1\]\.config: .*"units"/,
    ],
    [
      'extra',
      (j) => (j.config.layers[1].config.unit = 1),
      'UNKNOWN_OPTION',
      /^model\.config\.layers\[1\]\.config\.unit: .*"units"/,
    ],
    [
      'nested',
      (j) => (j.config.layers[1].config.kernelInitializer.config.stddev = -1),
      'OUT_OF_RANGE',
      /^model\.config\.layers\[1\]\.config\.kernelInitializer\.config\.stddev: /,
    ],
    [
      'kind',
      (j) => (j.config.layers[1].config.kernelInitializer.className = 'Dense'),
      'UNKNOWN_NAME',
      /kernelInitializer\.className: unknown initializer/,
    ],
    [
      'name',
      (j) => (j.config.layers[1].config.activation = 'rellu'),
      'UNKNOWN_NAME',
      /^model\.config\.layers\[1\]\.config\.activation: .*"relu"/,
    ],
    ['list', (j) => (j.config.layers[1] = [1]), 'INVALID_ARGUMENT', /^model\.config\.layers\[1\] must be a layer/],
    ['null', (j) => (j.config.layers[1] = null), 'INVALID_ARGUMENT', /^model\.config\.layers\[1\] must be a layer/],
    ['layers', (j) => (j.config.layers = 'Dense'), 'INVALID_ARGUMENT', /^model\.config/],
    ['no layers', (j) => delete j.config.layers, 'INVALID_ARGUMENT', /^model\.config: .*"layers"/],
    ['config', (j) => (j.config = 3), 'INVALID_ARGUMENT', /^model\.config must be a plain object/],
    ['shape', (j) => (j.config.inputShape = [5]), 'SHAPE_MISMATCH', /^model\.config/],
    ['infinite', (j) => (j.config.layers[1].config.units = 'Infinity'), 'OUT_OF_RANGE', /config\.units: /],
    [
      'op',
      (j) => (j.config.layers[1].config.activation = { className: 'Op', config: { name: 'epx' } }),
      'UNKNOWN_NAME',
      /activation\.config\.name: unknown op "epx"/,
    ],
  ];

  test.each(cases)('%s', (_, change, code, message) => {
    const json = config();
    change(json);
    throwsAtOnce(code as never, message, () => modelFromJSON(json));
    throwsAtOnce(code as never, message, () => modelFromJSON(JSON.stringify(json)));
  });

  test('text that is no JSON, deep JSON, and a key that would change the prototype', () => {
    throwsAtOnce('INVALID_ARGUMENT', /no JSON/, () => modelFromJSON('{"className": "Sequ'));
    throwsAtOnce('INVALID_ARGUMENT', /nested at most/, () => modelFromJSON(`${'['.repeat(1e5)}${']'.repeat(1e5)}`));
    throwsAtOnce('INVALID_ARGUMENT', /__proto__/, () =>
      modelFromJSON('{"className":"Sequential","config":{"layers":[],"__proto__":{"name":"x"}}}'),
    );
    for (const value of [null, 3, [], '', 'null', '3'])
      throwsAtOnce('INVALID_ARGUMENT', /^model/, () => modelFromJSON(value as never));
  });

  test('any part replaced by anything gives a model or an error of ours, never another', () => {
    const paths: (string | number)[][] = [];
    const walk = (value: unknown, path: (string | number)[]) => {
      paths.push(path);
      if (typeof value === 'object' && value !== null)
        for (const key of Object.keys(value)) walk((value as Json)[key], [...path, key]);
    };
    walk(config(), []);
    fc.assert(
      fc.property(fc.constantFrom(...paths.slice(1)), fc.jsonValue({ maxDepth: 2 }), (path, value) => {
        const json = config();
        const parent = path.slice(0, -1).reduce((part, key) => part[key], json);
        parent[path.at(-1)!] = value;
        try {
          withoutInitialValues(() => modelFromJSON(JSON.stringify(json)));
        } catch (error) {
          expect((error as Error).name, String((error as Error).stack)).toBe('DownhillError');
        }
      }),
      { numRuns: 2000 },
    );
  });
});
