// The devices that tests run on: the CPU, the emulator where it is built, a GPU where there is one. The variable DOWNHILL_TEST_DEVICES
// (cpu,simt,cuda) names them instead; one that is named and missing is an error.
import { devices, setDevice, setThreads } from 'downhill';
import { binding } from '../lib/binding/index.js';
import { forgetPrograms } from '../lib/graph/call.js';

const named = process.env.DOWNHILL_TEST_DEVICES?.split(',').map((name) => name.trim());

/** The entry of devices() for "cpu", "simt" or "cuda", the first GPU. */
function entry(name: string) {
  return devices().find(({ id }) => id === name || id === `${name}:0`);
}

function choice(): string[] {
  for (const name of named ?? []) {
    const device = entry(name);
    if (device?.available) continue;
    throw new Error(
      `DOWNHILL_TEST_DEVICES names "${name}", which is not available: ${device?.reason ?? 'there is no such device'}`,
    );
  }
  return named ?? ['cpu', 'simt', 'cuda'].filter((name) => entry(name)?.available);
}

/** Names, in the order cpu, simt, cuda unless the variable has another. */
export const testDevices: readonly string[] = choice();
/** Those that are not the CPU, whose results are compared with the CPU's. */
export const accelerators: readonly string[] = testDevices.filter((name) => name !== 'cpu');
/** Were they chosen by the variable? */
export const devicesNamed = named !== undefined;

/** The emulator runs some thousand times slower than what it emulates: sizes and repetitions are cut for it. */
export const isEmulated = (device: string) => device === 'simt';

/** A device, and on the CPU one of its instruction sets. */
export interface Place {
  title: string;
  device: string;
  isa: string | null;
  /** Thread counts at which results must have the same bits; elsewhere how often they are computed. */
  threads: readonly number[];
}

/** Every instruction set of the CPU, and the other devices. */
export const places: readonly Place[] = testDevices.flatMap((device): Place[] =>
  device === 'cpu'
    ? binding.isas().map((isa) => ({ title: isa, device, isa, threads: [1, 2, 3] }))
    : [{ title: device, device, isa: null, threads: isEmulated(device) ? [1] : [1, 1, 1] }],
);

const start = { threads: binding.threads(), isa: binding.isa() };

/** Makes everything from now on compute there. */
export function goTo({ device, isa }: Pick<Place, 'device' | 'isa'>): void {
  if (isa && isa !== binding.isa()) {
    binding.selectIsa(isa);
    forgetPrograms();
  }
  setDevice(device);
}

/** Back to the CPU as it was when the file began. */
export function goHome(): void {
  setDevice('cpu');
  setThreads(start.threads);
  if (binding.isa() !== start.isa) binding.selectIsa(start.isa);
  forgetPrograms();
}

/** The bits of float32 values, every NaN the same: processors choose different ones. */
export function bitsOf(values: Float32Array | Int32Array): Uint32Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length).slice();
  for (let i = 0; i < words.length; i++) if (Number.isNaN(values[i])) words[i] = 0x7fc00000;
  return words;
}

/** What Tensor.device and devices() call it. */
export const idOf = (device: string) => entry(device)!.id;
