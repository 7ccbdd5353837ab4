import { execFileSync } from 'node:child_process';
import { arch, cpus, loadavg, platform, totalmem } from 'node:os';

export type Machine = ReturnType<typeof machine>;

/** What the figures depend on, and no name of a host. */
export function machine() {
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  return {
    cpu: model,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${platform()} ${arch()}`,
    node: process.version,
    load: Number(loadavg()[0]!.toFixed(2)),
  };
}

export function slug({ cpu, cores }: { cpu: string; cores: number }): string {
  const words = cpu.toLowerCase().replace(/\(r\)|\(tm\)|processor|cpu|@.*|\d+-core/g, ' ');
  return `${words.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')}-${cores}-cores`;
}

/** The commit measured, marked when files differ from it. */
export function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '-uno') ? ' with changes' : '');
  } catch {
    return 'unknown';
  }
}
