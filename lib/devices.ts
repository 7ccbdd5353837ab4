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
  /** Bytes in all. */
  readonly memory?: number;
  /** GPUs in use: bytes that no process has taken. */
  readonly freeMemory?: number;
  /** GPUs: the newest CUDA that the driver is for, such as '13.0'. */
  readonly driver?: string;
  /** GPUs: such as '9.0'. */
  readonly computeCapability?: string;
  /** Instruction sets that kernels exist for and this machine has, best last. */
  readonly instructionSets?: readonly string[];
  /** The one in use. */
  readonly instructionSet?: string;
  /** Threads that compute. */
  readonly threads?: number;
}

/** What this process has of a device's memory, in bytes. */
export interface DeviceMemory {
  /** In use by tensors, models and their plans. */
  readonly bytes: number;
  /** The most that `bytes` was. */
  readonly peakBytes: number;
  /** Given back, and kept for the next request. */
  readonly keptBytes: number;
  /** Set by setMemoryLimit. */
  readonly limit: number | undefined;
}

let chosen = 'cpu';

/**
 * The devices there are, and for those that are not, why.
 *
 * @example devices().filter((device) => device.available).map((device) => device.id);   // ['cpu']
 */
export function devices(): Device[] {
  return binding.devices().map((device) => {
    if (device.id !== 'cpu') return device;
    return {
      ...device,
      name: binding.cpuName(),
      memory: totalmem(),
      instructionSets: binding.isas(),
      instructionSet: binding.isa(),
      threads: binding.threads(),
    };
  });
}

/** Where ops on concrete tensors run. */
export function chosenDevice(): string {
  return chosen;
}

/** Opens the device of that name, by default the chosen one, and returns its id; throws DEVICE_UNAVAILABLE with the reason, or UNKNOWN_NAME. */
export function resolveDevice(what: string, device: unknown): string {
  if (device === undefined) return chosen;
  if (device === 'cpu') return device;
  if (typeof device !== 'string' || !/^(cuda(:\d{1,4})?|simt)$/.test(device)) {
    const hint = typeof device === 'string' ? suggest(device, ['cpu', 'cuda', 'cuda:0', 'simt']) : '';
    throw new DownhillError('UNKNOWN_NAME', `${what}: unknown device ${show(device)}.${hint} See devices().`);
  }
  try {
    return binding.deviceOpen(device);
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
    throw new DownhillError(error.code, `${what}: "${device}" is not available: ${error.message}`, { cause: error });
  }
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

/**
 * Limits what this process takes of a device's memory; undefined lifts the limit. Beyond it there is OUT_OF_MEMORY, as
 * there is without one when the device is full. By default memory is taken as it is needed, up to all of it.
 *
 * @example setMemoryLimit('cuda', 8e9);
 * @throws DEVICE_UNAVAILABLE, UNKNOWN_NAME, UNSUPPORTED for the CPU
 */
export function setMemoryLimit(device: string, bytes: number | undefined): void {
  const id = openGpu('setMemoryLimit', device);
  binding.setDeviceMemoryLimit(id, bytes === undefined ? 0 : checkCount('setMemoryLimit: bytes', bytes));
}

/** What this process has of a device's memory. */
export function deviceMemory(device: string): DeviceMemory {
  const { bytes, peakBytes, keptBytes, limit } = binding.deviceMemory(openGpu('deviceMemory', device))!;
  return { bytes, peakBytes, keptBytes, limit: limit === 0 ? undefined : limit };
}

function openGpu(what: string, device: unknown): string {
  if (device === undefined)
    throw new DownhillError('INVALID_ARGUMENT', `${what} needs the name of a device, e.g. "cuda".`);
  const id = resolveDevice(what, device);
  if (id !== 'cpu') return id;
  throw new DownhillError('UNSUPPORTED', `${what}: the memory of the CPU is the system's; name a GPU, such as "cuda".`);
}

/** Sets the number of threads that compute, the caller's included. Results do not depend on it. Works between two fits, too. */
export function setThreads(count: number): void {
  binding.setThreads(checkCount('setThreads: count', count, { min: 1, max: 1024 }));
}
