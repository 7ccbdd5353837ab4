// Whose formula and defaults an optimizer has.
import { DownhillError } from '../errors.js';
import type { Options } from '../options.js';

/** Keras's, PyTorch's, or those of the lecture and its book, Goodfellow et al. 2016. */
export type Preset = 'keras' | 'torch' | 'book';
export const presets: readonly Preset[] = ['keras', 'torch', 'book'];

interface WithPreset {
  preset?: Preset;
}

/** The preset of these options, one of those that the optimizer has. */
export function presetOf(read: Options<WithPreset>, known: readonly Preset[] = presets): Preset {
  return read.oneOf('preset', known, 'keras');
}

const owners: Record<Preset, string> = { keras: "Keras's", torch: "PyTorch's", book: "the lecture's" };

/** Throws INVALID_ARGUMENT for an option that was given and exists under another preset only. */
export function checkPresetOption<T extends WithPreset>(
  read: Options<T>,
  option: keyof T & string,
  preset: Preset,
): void {
  if (!read.has(option) || (read.raw.preset ?? 'keras') === preset) return;
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${read.where}: ${option} exists in ${owners[preset]} form only. Leave it out, or set preset: '${preset}'.`,
  );
}
