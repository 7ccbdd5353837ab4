// Checkpoints: which files there are, under which names, and what is in them.
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { callbacks, type FitOptions, loadModel, type Model } from 'downhill';
import { expect, test, vi } from 'vitest';
import { PathPattern } from '../../lib/callbacks/path-pattern.js';
import { temporaryFolder } from '../io/files.js';
import { net, stateOf } from '../io/models.js';
import { fails, quadrants, throwsAtOnce } from '../support.js';

const folder = temporaryFolder();
let runs = 0;
const { x, oneHot } = quadrants(100);

type Options = Parameters<typeof callbacks.modelCheckpoint>[0];

/** 5 steps per epoch. */
async function run(
  options: Options,
  more: FitOptions = {},
): Promise<{ files: string[]; at: (file: string) => string; net: Model }> {
  const place = join(folder, `${runs++}`);
  const made = net();
  const checkpoint = callbacks.modelCheckpoint({ ...options, path: join(place, options.path) });
  await made.fit(x, oneHot, { epochs: 4, batchSize: 16, validationSplit: 0.2, ...more, callbacks: [checkpoint] });
  return { files: existsSync(place) ? readdirSync(place).sort() : [], at: (file) => join(place, file), net: made };
}

test('every epoch’s end, in folders that it makes', async () => {
  const { files, at, net: made } = await run({ path: 'epoch-{epoch:03d}-{step}' });
  expect(files).toEqual(['epoch-001-5', 'epoch-002-10', 'epoch-003-15', 'epoch-004-20']);
  expect(stateOf(await loadModel(at('epoch-004-20')))).toEqual(stateOf(made));
  const again = net();
  await again.fit(x, oneHot, { epochs: 2, batchSize: 16, validationSplit: 0.2 });
  expect(stateOf(await loadModel(at('epoch-002-10')))).toEqual(stateOf(again));
});

test('one name: the last one stays', async () => {
  const { files, at, net: made } = await run({ path: 'model' });
  expect(files).toEqual(['model']);
  expect(stateOf(await loadModel(at('model')))).toEqual(stateOf(made));
});

test('every so many steps, of which the last are kept', async () => {
  expect((await run({ path: 's{step:02d}', everySteps: 3 })).files).toEqual(['s03', 's06', 's09', 's12', 's15', 's18']);
  expect((await run({ path: 's{step:02d}', everySteps: 3, keep: 2 })).files).toEqual(['s15', 's18']);
  expect((await run({ path: 'e{epoch}', keep: 1 })).files).toEqual(['e4']);
  expect((await run({ path: 'e', keep: 1 })).files).toEqual(['e']);
});

test('every so many minutes', async () => {
  expect((await run({ path: 's{step}', everyMinutes: 1000 })).files).toEqual([]);
  const { files } = await run({ path: 's{step:02d}', everyMinutes: 1e-9 }, { epochs: 2, stepsPerEpoch: 1 });
  expect(files).toEqual(['s01', 's02']);
});

test('the best only, by any number', async () => {
  const values = [3, 2, 2.5, 1];
  const better = (seen: number[]) => seen.map((value, i) => value < Math.min(Infinity, ...seen.slice(0, i)));
  const { files, net: made } = await run({ path: '{epoch}', saveBestOnly: true, monitor: 'loss' }, { epochs: 12 });
  const again = net();
  const { history } = await again.fit(x, oneHot, { epochs: 12, batchSize: 16, validationSplit: 0.2 });
  expect(stateOf(again)).toEqual(stateOf(made));
  const expected = better(history.loss!).flatMap((good, i) => (good ? [`${i + 1}`] : []));
  expect(files).toEqual(expected.sort());
  expect(better(values)).toEqual([true, true, false, true]);
  expect(
    (await run({ path: '{epoch}', saveBestOnly: true, monitor: 'loss', mode: 'max' }, { epochs: 1 })).files,
  ).toEqual(['1']);
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  expect((await run({ path: '{epoch}', saveBestOnly: true, monitor: 'val_los' })).files).toEqual([]);
  expect(warn.mock.calls).toEqual([
    [expect.stringMatching(/no "val_los".*Did you mean "val_loss"/), 'DownhillWarning'],
  ]);
  warn.mockRestore();
});

test('weights alone', async () => {
  const { at, net: made } = await run({ path: 'w', saveWeightsOnly: true });
  await fails('FOREIGN_FILE', /weights alone/, () => loadModel(at('w')));
  const other = net('sgd', 7);
  await other.loadWeights(at('w'));
  expect(other.getWeights().map((w) => [...w.dataSync()])).toEqual(made.getWeights().map((w) => [...w.dataSync()]));
});

test('patterns', () => {
  const values = { epoch: 7, step: 123, val_loss: 0.456789, 'odd name': 1, accuracy: -1.5 };
  const format = (pattern: string) => new PathPattern('path', pattern).format('path', values);
  expect(format('a-{epoch:04d}/{epoch:3d}|{epoch}')).toBe('a-0007/  7|7');
  expect(format('{val_loss:.2f} {val_loss:08.3f} {val_loss:.1e} {val_loss:f} {val_loss}')).toBe(
    '0.46 0000.457 4.6e-01 0.456789 0.456789',
  );
  expect(format('{accuracy:06.1f} {accuracy:d} {val_loss:.2}')).toBe('-001.5 -1 0.46');
  expect(() => format('{loss}')).toThrow(/nothing is named \{loss\}.*There are epoch, step, val_loss/);
  for (const bad of ['{', 'a}', '{epoch', '{epoch:04x}', '{}', '{epoch:9999d}'])
    throwsAtOnce('INVALID_ARGUMENT', /a brace that begins no field/, () => callbacks.modelCheckpoint({ path: bad }));
  const made = new PathPattern('path', '/a/{epoch:03d}-{loss}-{val_loss:8.1e}');
  for (const epoch of [0, 7, 12345])
    for (const value of [0, -1.5, 1e-12, 3e300, Number.NaN, -Infinity])
      expect(made.matches(made.format('path', { epoch, loss: value, val_loss: value }))).toBe(true);
  for (const path of ['/a/001-1-', '/a/001-../../b-1', '/a/x-1-1', '/b/001-1-1', '/a/001-1-1/x', '', '..'])
    expect(made.matches(path)).toBe(false);
  const { source } = new PathPattern('path', '/a/b+{epoch}/c.{step}').temporaries();
  expect(new RegExp(source).exec('c.12.345.6.tmp')?.[1]).toBe('345');
  expect(new RegExp(source).test('cx12.345.6.tmp')).toBe(false);
});

test('keep removes what the run before it wrote, and nothing that its file merely names', async () => {
  const place = join(folder, 'resumed');
  const path = join(place, 'e{epoch}-{loss:.3f}');
  const options = { epochs: 2, batchSize: 16 };
  const first = net();
  const checkpoint = callbacks.modelCheckpoint({ path, keep: 2 });
  await first.fit(x, oneHot, { ...options, callbacks: [checkpoint] });
  const others = ['e1', 'e1-0.1x', 'other', 'e../x'].map((name) => join(place, name));
  mkdirSync(join(place, 'e..'));
  for (const other of others) writeFileSync(other, '');
  checkpoint.setState({ best: null, written: [...others, ...checkpoint.getState().written] });
  expect(checkpoint.getState().written.length).toBe(2);
  const resume = join(place, readdirSync(place).find((name) => name.startsWith('e2-'))!);
  await first.fit(x, oneHot, { ...options, epochs: 4, resume, callbacks: [checkpoint] });
  const left = readdirSync(place);
  for (const other of others) expect(existsSync(other)).toBe(true);
  expect(left.filter((name) => /^e\d-0\.\d{3}$/.test(name)).map((name) => name.slice(0, 2))).toEqual(['e3', 'e4']);
});

test('what killed processes left is removed, and nothing else', async () => {
  const place = join(folder, 'left');
  mkdirSync(place);
  const dead = 2 ** 22 - 3; // above the largest process number of most systems
  const others = [`m1.${process.pid}.5.tmp`, 'm1.tmp', `other.${dead}.1.tmp`, 'x'];
  for (const name of [...others, `m1.${dead}.0.tmp`, `m22.${dead}.7.tmp`]) writeFileSync(join(place, name), 'left');
  const checkpoint = callbacks.modelCheckpoint({ path: join(place, 'm{epoch}') });
  await net().fit(x, oneHot, { callbacks: [checkpoint] });
  expect(readdirSync(place).sort()).toEqual([...others, 'm1'].sort());
});

test('what cannot be written ends the fit, with the model as it is', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await fails('FILE_ERROR', /Cannot create the folder .*file/, () => run({ path: '../file/x' }));
  const place = join(folder, 'directory');
  mkdirSync(join(place, 'taken'), { recursive: true });
  chmodSync(place, 0o755);
  const made = net();
  const checkpoint = callbacks.modelCheckpoint({ path: join(place, 'taken') });
  await fails('FILE_ERROR', /taken/, () => made.fit(x, oneHot, { epochs: 200, callbacks: [checkpoint] }));
  expect(made.compiled!.optimizer.iterations).toBeLessThan(200 * 7);
  await made.fit(x, oneHot, { epochs: 1 });
  await fails('INVALID_ARGUMENT', /\{nothing\}.*loss, accuracy/, () => run({ path: '{nothing}' }));
});

test('options', () => {
  throwsAtOnce('INVALID_ARGUMENT', /needs the option "path"/, () => callbacks.modelCheckpoint({} as never));
  throwsAtOnce('UNKNOWN_OPTION', /"filepath"/, () => callbacks.modelCheckpoint({ filepath: 'x' } as never));
  throwsAtOnce('OUT_OF_RANGE', /keep/, () => callbacks.modelCheckpoint({ path: 'x', keep: 0 }));
  throwsAtOnce('OUT_OF_RANGE', /everyMinutes/, () => callbacks.modelCheckpoint({ path: 'x', everyMinutes: 0 }));
});
