// Which devices there are, and the number of threads.
import { totalmem } from 'node:os';
import { binding } from './binding/index.js';
import { DownhillError, show, suggest } from './errors.js';
import { checkCount } from './options.js';

/** A device as devices() lists it. */
export interface Device {
  /** What setDevice takes: 'cpu', 'cuda:0', … */
  readonly id: string;
  readonly available: boolean;
  /** Why it is not available, and what to do. */
  readonly reason?: string;
  /** The model's name, e.g. of the processor. */
  readonly name?: string;
  /** Bytes. */
  readonly memory?: number;
  /** Instruction sets that kernels exist for and this machine has, best last. */
  readonly instructionSets?: readonly string[];
  /** The one in use. */
  readonly instructionSet?: string;
  /** Threads that compute. */
  readonly threads?: number;
}

const absent: Record<string, string> = {
  cuda: 'this build of downhill has no CUDA backend; it computes on the CPU. Use "cpu"',
  simt: 'this build of downhill has no SIMT emulator; it computes on the CPU. Use "cpu"',
};

let chosen = 'cpu';

/**
 * The devices there are, and for those that are not, why.
 *
 * @example devices().filter((device) => device.available).map((device) => device.id);   // ['cpu']
 */
export function devices(): Device[] {
  const cpu: Device = {
    id: 'cpu',
    available: true,
    name: binding.cpuName(),
    memory: totalmem(),
    instructionSets: binding.isas(),
    instructionSet: binding.isa(),
    threads: binding.threads(),
  };
  return [cpu, ...Object.entries(absent).map(([id, reason]) => ({ id, available: false, reason: `${reason}.` }))];
}

/** Where ops on concrete tensors run. */
export function chosenDevice(): string {
  return chosen;
}

/** The device of that name, by default the chosen one; throws DEVICE_UNAVAILABLE with the reason, or UNKNOWN_NAME. */
export function resolveDevice(what: string, device: unknown): string {
  if (device === undefined) return chosen;
  if (device === 'cpu') return device;
  const family = typeof device === 'string' ? /^(cuda|simt)(:\d+)?$/.exec(device)?.[1] : undefined;
  if (family)
    throw new DownhillError('DEVICE_UNAVAILABLE', `${what}: "${device}" is not available: ${absent[family]}.`);
  const hint = typeof device === 'string' ? suggest(device, ['cpu', ...Object.keys(absent)]) : '';
  throw new DownhillError('UNKNOWN_NAME', `${what}: unknown device ${show(device)}.${hint} See devices().`);
}

/**
 * Chooses where everything made from now on computes.
 *
 * @throws DEVICE_UNAVAILABLE with the reason, UNKNOWN_NAME
 */
export function setDevice(device: string): void {
  if (device === undefined)
    throw new DownhillError('INVALID_ARGUMENT', 'setDevice needs the name of a device, e.g. "cpu".');
  chosen = resolveDevice('setDevice', device);
}

/** Sets the number of threads that compute, the caller's included. Results do not depend on it. Works between two fits, too. */
export function setThreads(count: number): void {
  binding.setThreads(checkCount('setThreads: count', count, { min: 1, max: 1024 }));
}
