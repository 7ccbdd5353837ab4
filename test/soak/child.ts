// Runs a program of this folder in a process of its own.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  milliseconds: number;
}

/** Ends it by force after `limit` milliseconds: then `signal` is SIGKILL. */
export function child(program: string, args: string[] = [], limit = 60_000): Promise<Ended> {
  const file = fileURLToPath(new URL(`programs/${program}.ts`, import.meta.url));
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, ['--expose-gc', '--import', 'tsx', file, ...args], { cwd: root });
    let stdout = '';
    let stderr = '';
    running.stdout.on('data', (text: Buffer) => {
      stdout += text.toString();
    });
    running.stderr.on('data', (text: Buffer) => {
      stderr += text.toString();
    });
    const timer = setTimeout(() => running.kill('SIGKILL'), limit);
    running.on('error', reject);
    running.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr, milliseconds: performance.now() - begun });
    });
  });
}
