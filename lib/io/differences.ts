// Where two configs differ, for messages.
import { isPlain } from '../config/values.js';

/** Most differences that a message lists. */
const most = 8;

function text(value: unknown): string {
  if (value === undefined) return 'nothing';
  const json = JSON.stringify(value);
  return json.length > 60 ? `${json.slice(0, 57)}...` : json;
}

/** "path: this in the file, that in the model", for every value that differs; `ignored` says which paths do not matter. */
export function differences(file: unknown, model: unknown, path: string, ignored: (path: string) => boolean): string[] {
  if (ignored(path) || Object.is(file, model)) return [];
  if (Array.isArray(file) && Array.isArray(model) && file.length === model.length)
    return file.flatMap((item, i) => differences(item, model[i], `${path}[${i}]`, ignored));
  if (isPlain(file) && isPlain(model)) {
    const keys = [...new Set([...Object.keys(file), ...Object.keys(model)])];
    return keys.flatMap((key) => differences(file[key], model[key], `${path}.${key}`, ignored));
  }
  if (Array.isArray(file) && Array.isArray(model))
    return [`${path}: ${file.length} items in the file, ${model.length} here`];
  return [`${path}: ${text(file)} in the file, ${text(model)} here`];
}

export function listed(found: readonly string[]): string {
  const more = found.length - most;
  return found.slice(0, most).join('; ') + (more > 0 ? `; and ${more} more` : '');
}
