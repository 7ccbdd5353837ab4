// Devices by name, and why one is not available. The emulator stands for all GPUs here.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deviceMemory, devices, setDevice, setMemoryLimit, setThreads } from 'downhill';
import nodeGypBuild from 'node-gyp-build';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { binding } from '../lib/binding/index.js';
import { resolveDevice } from '../lib/devices.js';
import { codeOf, failure } from './errors.js';
import { temporaryFolder } from './io/files.js';

process.env.DOWNHILL_SIMT_MEMORY = '1000000';
process.env.DOWNHILL_SIMT_COMPUTE = '7.5';

const root = join(import.meta.dirname, '..');
const start = binding.threads();
afterAll(() => setThreads(start));
afterEach(() => setDevice('cpu'));

describe('devices', () => {
  it('lists the CPU', () => {
    const cpu = devices()[0]!;
    expect(cpu).toMatchObject({ id: 'cpu', available: true, instructionSet: binding.isa() });
    expect(cpu.name!.length).toBeGreaterThan(2);
    expect(cpu.memory).toBeGreaterThan(1e8);
    expect(cpu.instructionSets).toContain(cpu.instructionSet);
  });

  it('lists the emulator', () => {
    const simt = devices().find(({ id }) => id === 'simt')!;
    expect(simt, 'npm run build:simt').toMatchObject({ available: true, memory: 1e6, computeCapability: '7.5' });
    expect(simt).not.toHaveProperty('reason');
  });

  it('says why one is missing, in the list and when it is asked for', () => {
    const missing = devices().filter(({ available }) => !available);
    for (const { id, reason } of missing) {
      expect(reason).toMatch(/CPU\b.*\.$/s);
      for (const body of [() => setDevice(id), () => deviceMemory(id)])
        expect(failure(body)).toMatchObject({ code: 'DEVICE_UNAVAILABLE', message: expect.stringContaining(reason!) });
    }
    expect(codeOf(() => setDevice('cuda:99'))).toBe('DEVICE_UNAVAILABLE');
  });

  it.each(['cpi', 'simt:0', 'cuda:', 'cuda:-1', 'CUDA', '', 5, null])('refuses %j', (name) => {
    expect(failure(() => setDevice(name as never))).toMatchObject({
      code: 'UNKNOWN_NAME',
      message: expect.stringContaining('devices()'),
    });
  });

  it('are chosen for what is made from then on', () => {
    setDevice('simt');
    expect(resolveDevice('test', undefined)).toBe('simt');
    expect(codeOf(() => setDevice('cuda:99'))).toBe('DEVICE_UNAVAILABLE');
    expect(resolveDevice('test', undefined)).toBe('simt');
    expect(codeOf(() => setDevice(undefined as never))).toBe('INVALID_ARGUMENT');
  });

  it('sets the number of threads', () => {
    setThreads(2);
    expect(devices()[0]!.threads).toBe(2);
    for (const count of [0, -1, 1.5, NaN]) expect(codeOf(() => setThreads(count))).toBe('OUT_OF_RANGE');
    expect(codeOf(() => setThreads('2' as never))).toBe('INVALID_ARGUMENT');
  });
});

describe('memory of a device', () => {
  it('is counted, and limited', () => {
    expect(deviceMemory('simt')).toMatchObject({ bytes: 0, limit: undefined });
    setMemoryLimit('simt', 5000);
    expect(deviceMemory('simt').limit).toBe(5000);
    setMemoryLimit('simt', undefined);
    expect(deviceMemory('simt').limit).toBeUndefined();
    expect(devices().find(({ id }) => id === 'simt')!.freeMemory).toBe(1e6);
  });

  it('is not that of the CPU', () => {
    expect(codeOf(() => deviceMemory('cpu'))).toBe('UNSUPPORTED');
    expect(codeOf(() => setMemoryLimit('cpu', 1))).toBe('UNSUPPORTED');
    expect(codeOf(() => binding.setDeviceMemoryLimit('cpu', 1))).toBe('UNSUPPORTED');
    expect(binding.deviceMemory('cpu')).toBeNull();
    for (const bytes of [0, -1, 0.5]) expect(codeOf(() => setMemoryLimit('simt', bytes))).toBe('OUT_OF_RANGE');
    expect(codeOf(() => setMemoryLimit(undefined as never, 1))).toBe('INVALID_ARGUMENT');
  });
});

describe('libraries beside the addon', () => {
  const temporary = temporaryFolder();
  const addon = nodeGypBuild.path(root);
  const simt = join(dirname(addon), 'libdownhill_simt.so');

  /** The list of devices of an addon with that file as its CUDA library. */
  function list(cuda: (file: string) => void) {
    const folder = mkdtempSync(join(temporary, 'addon-'));
    const release = join(folder, 'build', 'Release');
    mkdirSync(release, { recursive: true });
    copyFileSync(addon, join(release, 'downhill.node'));
    cuda(join(release, 'libdownhill_cuda.so'));
    const program = `import { devices } from ${JSON.stringify(join(root, 'lib/index.ts'))}; console.log(JSON.stringify(devices()));`;
    const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      cwd: root,
      env: { ...process.env, DOWNHILL_PREBUILD: folder },
      encoding: 'utf8',
    });
    return Object.fromEntries((JSON.parse(output) as { id: string }[]).map((device) => [device.id, device]));
  }

  it.each<[string, (file: string) => void, RegExp]>([
    ['none', () => {}, /has no CUDA library, .*libdownhill_cuda\.so.*npm run build:cuda/],
    ['a text', (file) => writeFileSync(file, 'no library'), /refuses to load .*npm run build:cuda/],
    ['another library', (file) => copyFileSync(addon, file), /not of this version.*no interface/],
    [
      'that of another device',
      (file) => copyFileSync(simt, file),
      /has interface \d+ of "simt", and .*"cuda" is needed/,
    ],
  ])('%s', (_, cuda, reason) => {
    const found = list(cuda);
    expect(found).toMatchObject({ cpu: { available: true }, cuda: { available: false }, simt: { available: false } });
    expect(found).toMatchObject({ cuda: { reason: expect.stringMatching(reason) } });
    expect(found).toMatchObject({ simt: { reason: expect.stringMatching(/emulator.*npm run build:simt/) } });
  });
});
