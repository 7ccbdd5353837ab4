// The example with few epochs, in a process of its own.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('two questions about two pictures, and what their encoder is worth', async () => {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', 'examples/pairs.ts', '--epochs', '8'],
    { cwd: root },
  );
  expect(stderr).toBe('');
  expect(stdout).toMatch(/encoder \(Sequential\) .* first\[0\]\[0\], second\[0\]\[0\]/);
  expect(stdout).toMatch(
    /^Epoch 8\/8 .* larger_loss: \S+ - sum_loss: \S+ - larger_accuracy: \S+ - sum_accuracy: \S+$/m,
  );
  const [larger, sum, frozen, fresh] = [...stdout.matchAll(/: (0\.\d+) right/g)].map(([, value]) => Number(value));
  expect(larger).toBeGreaterThan(0.8);
  expect(sum).toBeGreaterThan(0.25); // one guess of 19
  expect(frozen).toBeGreaterThan(fresh! + 0.03);
});
