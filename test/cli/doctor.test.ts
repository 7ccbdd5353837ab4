import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import * as library from 'downhill';
import { describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../lib/cli/doctor.js';
import { healthy } from '../../lib/cli/doctor.js';
import { diagnosisText } from '../../lib/cli/doctor-text.js';
import { run } from '../../lib/cli/run.js';
import { check, verifyDevice } from '../../lib/cli/verify.js';
import { libraryVersion } from '../../lib/version.js';

async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await run(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

describe('doctor', () => {
  test('tells people which devices there are, and why not the others', async () => {
    const { code, out, err } = await cli('doctor');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`downhill ${libraryVersion()}, Node ${process.versions.node}, ${process.platform}-`);
    expect(out).toMatch(/ {2}cpu .*\d+ threads, \d/);
    for (const { id, available, reason } of library.devices()) {
      expect(out).toMatch(new RegExp(`^ {2}${id} `, 'm'));
      if (!available) expect(out).toContain(`not available: ${reason}`);
    }
  });

  test('--json --verify gives programs the same, and what a test on every device found', async () => {
    const { code, out, err } = await cli('doctor', '--json', '--verify');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const diagnosis: Diagnosis = JSON.parse(out);
    expect(diagnosis).toMatchObject({ version: libraryVersion(), node: process.versions.node, problem: null });
    const available = diagnosis.devices.filter((device) => device.available).map(({ id }) => id);
    expect(available).toContain('simt'); // npm run build:simt
    expect(diagnosis.verifications!.map(({ device }) => device)).toEqual(available);
    for (const { passed, checks } of diagnosis.verifications!) {
      expect(passed).toBe(true);
      expect(checks.map(({ name }) => name)).toEqual(['matmul', 'softmax', 'training']);
    }
    expect(diagnosisText(diagnosis)).toMatch(/^cpu: matmul ok, softmax ok, training ok$/m);
  });

  test('notices wrong numbers and errors', async () => {
    const values = (found: number[]) => async () => ({ expected: [1, -2], found });
    expect(await check('a', 1e-3, values([1, -2.001]))).toMatchObject({ passed: true, error: null });
    expect(await check('a', 1e-3, values([1.01, -2]))).toMatchObject({
      passed: false,
      difference: expect.closeTo(0.005),
    });
    expect(await check('a', 1e-3, values([NaN, -2]))).toMatchObject({ passed: false });
    expect(await check('a', 1e-3, values([1]))).toMatchObject({
      passed: false,
      error: expect.stringMatching(/1 values/),
    });
    const missing = await verifyDevice(library, 'cuda:99');
    expect(missing).toMatchObject({ passed: false, checks: [{ error: expect.stringContaining('cuda:99') }, {}, {}] });

    const diagnosis: Diagnosis = { ...JSON.parse((await cli('doctor', '--json')).out), verifications: [missing] };
    expect(healthy(diagnosis)).toBe(false);
    expect(diagnosisText(diagnosis)).toMatch(/^cuda:99: matmul FAILED: .*softmax FAILED/m);
    const wrong = { device: 'x', passed: false, checks: [await check('a', 1e-3, values([1.01, -2]))] };
    expect(diagnosisText({ ...diagnosis, verifications: [wrong] })).toContain('a FAILED: off by 5.0e-3');
    expect(healthy({ ...diagnosis, verifications: null })).toBe(true);
  });

  test('tells why the addon is missing: exit code 1', () => {
    const main = join(import.meta.dirname, '../../lib/cli/main.ts');
    const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', main, 'doctor', '--json'], {
      encoding: 'utf8',
      env: { ...process.env, DOWNHILL_PREBUILD: import.meta.dirname, npm_config_platform: 'sunos' },
    });
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ problem: expect.stringMatching(/no native addon/), devices: [] });
  });

  test('takes no file', async () => {
    expect(await cli('doctor', 'x')).toMatchObject({ code: 2, err: expect.stringMatching(/takes no file/) });
  });
});
