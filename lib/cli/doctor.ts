// What this installation is, which devices it can use and why not the others, as an object.
import type { Device } from '../devices.js';
import { DownhillError } from '../errors.js';
import { libraryVersion } from '../version.js';
import type { Verification } from './verify.js';

/** The report that --json prints. */
export interface Diagnosis {
  version: string;
  node: string;
  /** Such as "linux-x64". */
  platform: string;
  /** Of the C library, where it is glibc. */
  glibc: string | null;
  /** Why the native addon cannot be loaded; null: it is loaded. */
  problem: string | null;
  devices: Device[];
  /** With --verify: of each available device. */
  verifications: Verification[] | null;
}

function glibcVersion(): string | null {
  Object.assign(process.report, { excludeNetwork: true }); // looking up names may take seconds
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime ?? null;
}

export async function diagnose(verify: boolean): Promise<Diagnosis> {
  const diagnosis: Diagnosis = {
    version: libraryVersion(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    glibc: glibcVersion(),
    problem: null,
    devices: [],
    verifications: null,
  };
  try {
    const library = await import('../index.js');
    diagnosis.devices = library.devices();
    if (verify) {
      const { verifyDevice } = await import('./verify.js');
      diagnosis.verifications = [];
      for (const { id, available } of diagnosis.devices)
        if (available) diagnosis.verifications.push(await verifyDevice(library, id));
    }
  } catch (error) {
    // Not instanceof: the library has its own class of it in dist.
    if (!(error instanceof Error) || error.name !== DownhillError.name) throw error;
    diagnosis.problem = error.message;
  }
  return diagnosis;
}

/** Nothing is wrong: the addon is there, and what was verified gave the right numbers. */
export const healthy = ({ problem, verifications }: Diagnosis): boolean =>
  problem === null && (verifications ?? []).every(({ passed }) => passed);
