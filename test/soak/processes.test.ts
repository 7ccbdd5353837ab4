// A fit in progress neither holds up nor crashes whatever ends its process, its thread or its caller.
import { expect, test } from 'vitest';
import { child } from './child.js';

const LIMIT = 20_000;

test('process.exit', async () => {
  const { code, signal, stderr } = await child('exit', ['exit'], LIMIT);
  expect({ code, signal, stderr }).toEqual({ code: 3, signal: null, stderr: '' });
});

test.each(['throw', 'callback'])('an exception that nobody catches: %s', async (how) => {
  const { code, signal, stderr } = await child('exit', [how], LIMIT);
  expect({ code, signal }).toEqual({ code: 1, signal: null });
  expect(stderr).toContain('Error: mine');
});

test('references that are dropped', async () => {
  const { code, signal, stdout, stderr } = await child('dropped', [], LIMIT);
  expect({ code, signal, stdout, stderr }).toEqual({ code: 0, signal: null, stdout: '8\n', stderr: '' });
});

test('workers that train, and are terminated while they do', async () => {
  const { code, signal, stdout, stderr } = await child('workers', [], 2 * LIMIT);
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({ rounds: 3, finite: true });
});
