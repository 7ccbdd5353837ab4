// Files of other libraries, known by their first bytes, so that messages can say what somebody has there.

const starts: readonly [hex: string, kind: string, remedy: string][] = [
  [
    '894844460d0a1a0a',
    "an HDF5 file, such as Keras's .h5",
    'In Python, save the weights with the package safetensors.',
  ],
  [
    '504b0304',
    "a ZIP archive, such as PyTorch's .pt, Keras's .keras or NumPy's .npz",
    'In Python, save the tensors with the package safetensors.',
  ],
  ['8002', 'a pickle of Python', 'In Python, save the tensors with the package safetensors.'],
  ['8004', 'a pickle of Python', 'In Python, save the tensors with the package safetensors.'],
  ['934e554d5059', 'an array of NumPy (.npy)', 'In Python, save it with the package safetensors.'],
  ['47475546', 'a GGUF file', 'Convert it to safetensors.'],
  ['1f8b', 'compressed by gzip', 'Decompress it first.'],
  ['28b52ffd', 'compressed by Zstandard', 'Decompress it first.'],
  ['7b', 'JSON', 'Models in JSON are read by modelFromJSON.'],
];

/** What a file that begins with these bytes is, when it is a known other format. */
export function knownFormat(start: Uint8Array): { kind: string; remedy: string } | undefined {
  const hex = Buffer.from(start.buffer, start.byteOffset, start.byteLength).toString('hex');
  const found = starts.find(([magic]) => hex.startsWith(magic));
  return found && { kind: found[1], remedy: found[2] };
}
