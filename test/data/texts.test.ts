// Folders of reviews and the corpus of mails, made small.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { data } from 'downhill';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fails } from '../support.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'downhill-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

describe('imdb', () => {
  const reviews = 70; // of each kind: more than are read at once
  async function write(): Promise<void> {
    for (const set of ['train', 'test'])
      for (const label of ['pos', 'neg'])
        for (let i = 0; i < (set === 'train' ? reviews : 3); i++)
          await put(`${set}/${label}/${i}_7.txt`, `${set} ${label} ${i} – schön`);
    await put('train/urls_pos.txt', 'http://');
    await put('train/pos/notes.md', 'no review');
  }

  test('texts and labels, mixed in an order that does not change', async () => {
    await write();
    const { train, test: tests } = await data.imdb({ directory: folder });
    expect([train.x.length, train.y.length, tests.x.length]).toEqual([2 * reviews, 2 * reviews, 6]);
    for (const [i, text] of train.x.entries())
      expect(text).toMatch(train.y[i] ? /^train pos \d+ – schön$/ : /^train neg/);
    expect(new Set(train.x).size).toBe(2 * reviews);
    const firsts = train.y.slice(0, reviews).reduce((a, b) => a + b, 0);
    expect(Math.abs(firsts / reviews - 0.5)).toBeLessThan(0.2);
    expect((await data.imdb({ directory: folder })).train.x).toEqual(train.x);
  });

  test('errors name folder, file and byte', async () => {
    await fails('FILE_ERROR', /train.neg: the folder is missing.*pos and neg/, () => data.imdb({ directory: folder }));
    await write();
    await put('test/pos/1_7.txt', Buffer.from([0x67, 0x75, 0xc3, 0x74]));
    await fails('FILE_ERROR', /test.pos.1_7\.txt: byte 2 is not UTF-8/, () => data.imdb({ directory: folder }));
    await put('test/pos/1_7.txt', Buffer.concat([Buffer.from('a \ufffd b '), Buffer.of(0xff)]));
    await fails('FILE_ERROR', /1_7\.txt: byte 8 is not UTF-8/, () => data.imdb({ directory: folder }));
    await rm(join(folder, 'train/neg'), { recursive: true });
    await mkdir(join(folder, 'train/neg'));
    await fails('FILE_ERROR', /train.neg: the folder has no \.txt/, () => data.imdb({ directory: folder }));
    await fails('INVALID_ARGUMENT', /directory/, () => data.imdb(undefined as never));
  });
});

describe('spamAssassin', () => {
  const mail = (i: number) => ({
    id: String(i),
    group: i % 3 === 0 ? 'spam-1' : i % 3 === 1 ? 'easy-ham-2' : 'hard-ham-1',
    text: `From: a@b\r\nSubject: Offer ${i}\r\n of the day\r\nX-Spam: yes\r\n\r\nBody ${i}\n\nSubject: more`,
  });

  async function write(count = 10): Promise<void> {
    const names = Array.from({ length: count }, (_, i) => `${mail(i).group}/${i}.txt`);
    await put('data/file_list.json', JSON.stringify(names));
    for (const [i, name] of names.entries())
      await put(`data/${name.replace('.txt', '.json')}`, JSON.stringify(mail(i)));
  }

  test('subject and body, or all, of a fifth for testing', async () => {
    await write();
    const { train, test: tests } = await data.spamAssassin({ directory: folder });
    expect([train.x.length, tests.x.length]).toEqual([8, 2]);
    const all = [...train.x, ...tests.x];
    expect(new Set(all)).toEqual(
      new Set(Array.from({ length: 10 }, (_, i) => `Offer ${i} of the day\nBody ${i}\n\nSubject: more`)),
    );
    const labels = [...train.y, ...tests.y];
    for (const [i, text] of all.entries())
      expect(labels[i]).toBe(Number(/Offer (\d+)/.exec(text)![1]) % 3 === 0 ? 1 : 0);
    const whole = await data.spamAssassin({ directory: folder, headers: true });
    expect(whole.train.x[0]).toMatch(/^From: a@b\r\nSubject/);
    expect(whole.train.y).toEqual(train.y);
  });

  test('errors', async () => {
    await fails('FILE_ERROR', /not installed: run `npm i @stdlib\/datasets-spam-assassin`/, () => data.spamAssassin());
    await fails('FILE_ERROR', /file_list\.json cannot be read/, () => data.spamAssassin({ directory: folder }));
    await write();
    await put('data/spam-1/3.json', '{"text": ');
    await fails('FILE_ERROR', /3\.json: is no JSON/, () => data.spamAssassin({ directory: folder }));
    await put('data/spam-1/3.json', '{"text": 5}');
    await fails('FILE_ERROR', /3\.json: is no mail/, () => data.spamAssassin({ directory: folder }));
    await put('data/file_list.json', '["../secret.txt"]');
    await fails('FILE_ERROR', /file_list\.json: is no list/, () => data.spamAssassin({ directory: folder }));
    await fails('INVALID_ARGUMENT', /headers/, () => data.spamAssassin({ headers: 1 as never }));
  });
});
