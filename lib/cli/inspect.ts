// What is in a file of tensors, as an object. Needs no addon, and takes files of other libraries too.
import { type Head, readHead } from '../io/head.js';
import { metadataJson } from '../io/metadata.js';

export interface InspectedTensor {
  name: string;
  dtype: string;
  shape: number[];
  bytes: number;
}

/** The report that --json prints. What a file does not have is null. */
export interface Inspection {
  file: string;
  bytes: number;
  /** As the file says: "downhill", "pt", "np" … */
  format: string | null;
  formatVersion: string | null;
  libraryVersion: string | null;
  /** "model" or "weights". */
  content: string | null;
  checksum: 'absent' | 'present' | 'correct';
  /** Elements of the tensors that are neither slots of the optimizer nor other state. */
  parameters: number;
  tensors: InspectedTensor[];
  model: unknown;
  compile: unknown;
  state: unknown;
  /** All other texts in the file. */
  metadata: Record<string, string>;
}

const ownTexts = new Set(['format', 'format_version', 'library_version', 'content', 'model', 'compile', 'state']);

export const isState = (name: string): boolean => /^(optimizer|state)\//.test(name);

/**
 * Reads the head of a file; with `verify`, all of it.
 *
 * @throws DownhillError FILE_ERROR, CORRUPT_FILE, FOREIGN_FILE.
 */
export async function inspect(file: string, verify = false): Promise<Inspection> {
  const head = await readHead(file);
  if (verify) await compareChecksum(file, head);
  const text = (name: string) => head.metadata.get(name) ?? null;
  const ours = text('format') === 'downhill';
  const json = (name: string) => (ours ? (metadataJson(file, head, name) ?? null) : null);
  const tensors = [...head.tensors.values()].map(({ name, dtype, shape, begin, end }) => ({
    name,
    dtype,
    shape,
    bytes: end - begin,
  }));
  const elements = ({ shape }: InspectedTensor) => shape.reduce((product, length) => product * length, 1);
  return {
    file,
    bytes: head.size,
    format: text('format'),
    formatVersion: ours ? text('format_version') : null,
    libraryVersion: ours ? text('library_version') : null,
    content: ours ? text('content') : null,
    checksum: !head.hasChecksum ? 'absent' : verify ? 'correct' : 'present',
    parameters: tensors
      .filter(({ name }) => !ours || !isState(name))
      .reduce((sum, tensor) => sum + elements(tensor), 0),
    tensors,
    model: json('model'),
    compile: json('compile'),
    state: json('state'),
    metadata: Object.fromEntries([...head.metadata].filter(([name]) => !ours || !ownTexts.has(name))),
  };
}

/** The one part that needs the addon, which is loaded for it alone. */
async function compareChecksum(file: string, head: Head): Promise<void> {
  const { verify } = await import('../io/safetensors.js');
  await verify(file, head);
}
