// Where the suite runs.
import { devices } from 'downhill';
import { expect, it } from 'vitest';
import { devicesNamed, testDevices } from '../support-devices.js';

it('the emulator is there, unless DOWNHILL_TEST_DEVICES says what is', () => {
  const simt = devices().find(({ id }) => id === 'simt');
  const there = devicesNamed || simt?.available;
  expect(there, `npm run build:simt builds it, or set DOWNHILL_TEST_DEVICES=cpu. ${simt?.reason}`).toBe(true);
});

it('says on which devices the tests run', () => {
  const names = testDevices.map((name) => devices().find(({ id }) => id === name || id === `${name}:0`)!);
  console.log(`Tests run on ${names.map(({ id, name }) => `${id} (${name})`).join(', ')}.`);
  expect(names.every(({ available }) => available)).toBe(true);
});
