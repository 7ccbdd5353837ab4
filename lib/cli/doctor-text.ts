// The report of doctor for people.
import type { Device } from '../devices.js';
import type { Diagnosis } from './doctor.js';
import { clean, size } from './text.js';
import type { Check } from './verify.js';

function about(device: Device): string {
  const { name, memory, freeMemory, driver, computeCapability, instructionSet, threads } = device;
  return [
    name,
    computeCapability && `compute capability ${computeCapability}`,
    driver && `driver for CUDA ${driver}`,
    instructionSet,
    threads && `${threads} threads`,
    memory && `${size(memory)}${freeMemory === undefined ? '' : ` (${size(freeMemory)} free)`}`,
  ]
    .filter(Boolean)
    .join(', ');
}

function checkText({ name, passed, difference, tolerance, error }: Check): string {
  if (passed) return `${name} ok`;
  return `${name} FAILED: ${error ?? `off by ${difference?.toExponential(1)} of the largest value, at most ${tolerance} is right`}`;
}

/** Lines for people. */
export function diagnosisText({ version, node, platform, glibc, problem, devices, verifications }: Diagnosis): string {
  const lines = [`downhill ${version}, Node ${node}, ${platform}${glibc === null ? '' : `, glibc ${glibc}`}`];
  if (problem !== null) lines.push('', problem);
  const width = Math.max(...devices.map(({ id }) => id.length), 0);
  for (const device of devices) {
    const state = device.available ? about(device) : `not available: ${device.reason}`;
    lines.push(`  ${device.id.padEnd(width)}  ${state}`);
  }
  for (const { device, checks } of verifications ?? []) lines.push(`${device}: ${checks.map(checkText).join(', ')}`);
  return `${lines
    .flatMap((line) => line.split('\n'))
    .map(clean)
    .join('\n')}\n`;
}
