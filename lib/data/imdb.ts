// IMDB: film reviews, positive or negative.
import { join } from 'node:path';
import { Options } from '../options.js';
import { fileError, inOrder, readFolder, readText } from './files.js';
import { type Labelled, mixed, type TextSet, type Texts, textSet } from './texts.js';

export interface ImdbOptions {
  /** The folder aclImdb, with train/pos, train/neg, test/pos and test/neg, one text file for each review. */
  directory: string;
}

const needs = 'data.imdb needs the folders train and test there, each with pos and neg.';

async function readSet(directory: string): Promise<TextSet> {
  const reviews: Labelled[] = [];
  for (const [label, name] of ['neg', 'pos'].entries()) {
    const folder = join(directory, name);
    const files = (await readFolder(folder, needs)).filter((file) => file.endsWith('.txt'));
    if (files.length === 0) throw fileError(folder, `the folder has no .txt file. ${needs}`);
    for (const text of await inOrder(files, (file) => readText(join(folder, file)))) reviews.push({ text, label });
  }
  return textSet(mixed(reviews));
}

/**
 * The film reviews of the Large Movie Review Dataset as texts, 25,000 and 25,000 of them; label 1 is a positive one. Their order mixes the labels and is
 * always the same. data.bagOfWords makes vectors of them.
 *
 * @param options directory
 * @returns `train` and `test`, each `x`, an array of texts, and `y` [n]
 * @throws FILE_ERROR when a folder is missing or empty, or a file is no UTF-8 text, with the byte
 * @example
 * const { train, test } = await data.imdb({ directory: 'aclImdb' });
 * const words = data.bagOfWords(train.x, { vocabulary: 10_000 });
 * @see Maas et al. 2011, Learning Word Vectors for Sentiment Analysis
 */
export async function imdb(options: ImdbOptions): Promise<Texts> {
  const directory = new Options<ImdbOptions>('data.imdb', options, ['directory']).text('directory');
  const train = await readSet(join(directory, 'train'));
  return { train, test: await readSet(join(directory, 'test')) };
}
