// The example with small settings, as `npm start` runs it.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = (...args: string[]) =>
  promisify(execFile)(process.execPath, ['--import', 'tsx', 'examples/mnist.ts', ...args], { cwd: root });

test('prints the summary, a line per epoch, accuracies and one table; the same in every run', async () => {
  const [first, second] = await Promise.all([run('--epochs', '2'), run('--epochs', '2')]);
  expect(first.stderr).toBe('');
  expect(second.stdout).toBe(first.stdout);
  expect(first.stdout).toContain('Total params: 25,450');
  const epochs = [
    ...first.stdout.matchAll(
      /^Epoch (\d)\/2 - 57\/57 - loss: \S+ - accuracy: \S+ - val_loss: \S+ - val_accuracy: \S+$/gm,
    ),
  ];
  expect(epochs.map(([, epoch]) => epoch)).toEqual(['1', '2', '1', '2', '1', '2']);
  const accuracy = Number(/^Test accuracy: (0\.\d+)$/m.exec(first.stdout)?.[1]);
  expect(accuracy).toBeGreaterThan(0.2);
  const table = [...first.stdout.matchAll(/│ (gradient descent|momentum|Nesterov momentum) .*'(0\.\d+)' +│$/gm)];
  expect(table.map(([, name]) => name)).toEqual(['gradient descent', 'momentum', 'Nesterov momentum']);
  expect(Number(table[0][2])).toBe(accuracy);
  for (const [, name, value] of table.slice(1)) expect(Number(value), name).toBeGreaterThan(accuracy + 0.1);
});
