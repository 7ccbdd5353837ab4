// The CSV file of a fit: rows, quoting, appending, and what a killed run left.
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callbacks, type FitOptions, seed } from 'downhill';
import { afterAll, expect, test, vi } from 'vitest';
import { csvLine, firstLine } from '../../lib/callbacks/csv.js';
import { classifier, fails, quadrants, throwsAtOnce } from '../support.js';

const folder = mkdtempSync(join(tmpdir(), 'downhill-csv-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { x, oneHot } = quadrants(40);
const usual: FitOptions = { epochs: 3, batchSize: 16, verbose: 0 };
const lines = (path: string) => readFileSync(path, 'utf8').split('\n');
let count = 0;
const fresh = () => join(folder, 'deeper', `${++count}.csv`);

test('a row for each epoch, in the file when the epoch ends', async () => {
  const path = fresh();
  const seen: number[] = [];
  const { history } = await classifier().fit(x, oneHot, {
    ...usual,
    validationSplit: 0.2,
    callbacks: [callbacks.csvLogger({ path }), { onEpochEnd: () => void seen.push(lines(path).length) }],
  });
  expect(seen).toEqual([3, 4, 5]);
  expect(lines(path)).toEqual([
    'epoch,accuracy,loss,val_accuracy,val_loss',
    ...[0, 1, 2].map((i) =>
      [i, history.accuracy[i], history.loss[i], history.val_accuracy[i], history.val_loss[i]].join(),
    ),
    '',
  ]);
});

test('columns as Keras: of the first epoch, val_ even before the first validation; NA for what is missing', async () => {
  const path = fresh();
  const rate = callbacks.learningRateScheduler(() => 0.5);
  const options = {
    ...usual,
    validationSplit: 0.2,
    validationFreq: [2],
    callbacks: [rate, callbacks.csvLogger({ path })],
  };
  const { history } = await classifier().fit(x, oneHot, options);
  expect(lines(path)[0]).toBe('epoch,accuracy,learning_rate,loss,val_accuracy,val_loss');
  expect(
    lines(path)
      .slice(1, 4)
      .map((line) => line.split(',').slice(4)),
  ).toEqual([
    ['NA', 'NA'],
    [`${history.val_accuracy[0]}`, `${history.val_loss[0]}`],
    ['NA', 'NA'],
  ]); // prettier-ignore
});

test('fields with the separator, quotes or line breaks are quoted, and read again', () => {
  const fields = ['epoch', 'a;b', 'say "x"', 'two\nlines', 'a,b', 'cr\rlf', ''];
  const line = csvLine(fields, ';');
  expect(line).toBe('epoch;"a;b";"say ""x""";"two\nlines";a,b;"cr\rlf";\n');
  expect(firstLine(`${line}1;2;3`, ';')).toEqual(fields);
  expect(csvLine([1, Number.NaN, -Infinity, 1e-7], ',')).toBe('1,NaN,-Infinity,1e-7\n');
});

test('append: rows under the columns that are there', async () => {
  const path = fresh();
  const log = (append: boolean) => callbacks.csvLogger({ path, separator: ';', append });
  await classifier().fit(x, oneHot, { ...usual, callbacks: [log(true)] });
  await classifier().fit(x, oneHot, { ...usual, epochs: 2, callbacks: [log(true)] });
  expect(lines(path).map((line) => line.split(';')[0])).toEqual(['epoch', '0', '1', '2', '0', '1', '']);
  await classifier().fit(x, oneHot, { ...usual, epochs: 1, callbacks: [log(false)] });
  expect(lines(path).map((line) => line.split(';')[0])).toEqual(['epoch', '0', '']);

  writeFileSync(path, 'epoch;loss;other\n7;1;2'); // no line break at its end
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const { history } = await classifier().fit(x, oneHot, { ...usual, epochs: 1, callbacks: [log(true)] });
  expect(warn.mock.calls).toEqual([[expect.stringMatching(/no columns for accuracy/), 'DownhillWarning']]);
  warn.mockRestore();
  expect(lines(path)).toEqual(['epoch;loss;other', '7;1;2', `0;${history.loss[0]};NA`, '']);

  writeFileSync(path, 'epoch,loss\n');
  await fails('INVALID_ARGUMENT', /does not begin with a column "epoch".*separator ";"/, () =>
    classifier().fit(x, oneHot, { ...usual, callbacks: [log(true)] }),
  );
});

test.each([true, false])('a resumed fit writes no epoch twice (append: %s)', async (append) => {
  for (const step of [1, 3, 4, 6, 8]) {
    const [path, whole] = [fresh(), fresh()];
    const saved = join(folder, 'model-{step}.safetensors');
    const run = (log: string, more: FitOptions) => {
      seed(5);
      return classifier().fit(x, oneHot, {
        ...usual,
        ...more,
        callbacks: [callbacks.csvLogger({ path: log, append }), ...(more.callbacks ?? [])],
      });
    };
    await run(whole, {});
    // The rows of the epochs after the checkpoint are of a process that was killed.
    await run(path, { callbacks: [callbacks.modelCheckpoint({ path: saved, everySteps: 1 })] });
    appendFileSync(path, '2,0.1'); // and its last row is half-written
    await run(path, { resume: saved.replace('{step}', `${step}`) });
    expect(readFileSync(path, 'utf8'), `step ${step}`).toBe(readFileSync(whole, 'utf8'));
    // Another file is left as it is, but for what the options say.
    const other = fresh();
    writeFileSync(other, 'epoch,accuracy,loss,val_accuracy,val_loss\n9,9,9,9,9\n');
    await run(other, { resume: saved.replace('{step}', `${step}`) });
    expect(lines(other)[1].startsWith('9,9')).toBe(append);
    // And no log is needed.
    seed(5);
    await classifier().fit(x, oneHot, { ...usual, resume: saved.replace('{step}', `${step}`) });
  }
});

test('errors', async () => {
  throwsAtOnce('INVALID_ARGUMENT', /needs the option "path"/, () => callbacks.csvLogger({} as never));
  throwsAtOnce('INVALID_ARGUMENT', /separator must be one character/, () =>
    callbacks.csvLogger({ path: 'a', separator: '::' }),
  );
  throwsAtOnce('INVALID_ARGUMENT', /separator/, () => callbacks.csvLogger({ path: 'a', separator: '"' }));
  throwsAtOnce('UNKNOWN_OPTION', /"filename"/, () => callbacks.csvLogger({ filename: 'a' } as never));
  const path = fresh();
  await classifier().fit(x, oneHot, { ...usual, callbacks: [callbacks.csvLogger({ path })] });
  const net = classifier();
  const begun: number[] = [];
  await fails('FILE_ERROR', /cannot write/, () =>
    net.fit(x, oneHot, {
      ...usual,
      callbacks: [callbacks.csvLogger({ path: join(path, 'log.csv') }), { onEpochBegin: () => void begun.push(1) }],
    }),
  );
  expect(begun).toEqual([]);
  expect(existsSync(path)).toBe(true);
});
