// A profile as a table.
import { shapeText } from '../tensor/shape.js';
import type { Profile } from './profile.js';

const prefixes = ['', 'k', 'M', 'G', 'T'];

function scaled(number: number, unit: string): string {
  let prefix = 0;
  for (; number >= 1000 && prefix < 4; prefix++) number /= 1000;
  return `${prefix === 0 ? Math.round(number) : number.toFixed(1)} ${prefixes[prefix]}${unit}`;
}

/** Three digits. */
function digits(number: number): string {
  return number >= 100 ? String(Math.round(number)) : number.toPrecision(3);
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** A line per step, what no step accounts for, and the totals. */
export function profileText({ steps, microseconds, flops, bytes, limits, runs, device, threads }: Profile): string {
  const rows = steps.map((step, i) => [
    String(i),
    step.op,
    `${step.inputs.map(shapeText).join(' ')} -> ${step.outputs.map(shapeText).join(' ')}`,
    step.label,
    digits(step.microseconds),
    percent(step.share),
    step.flops > 0 ? digits(step.gflops) : '',
    step.bytes > 0 ? digits(step.gigabytes) : '',
    step.flops + step.bytes > 0 ? `${percent(step.ofLimit)} of ${step.bound}` : '',
  ]);
  const rest = microseconds - steps.reduce((sum, step) => sum + step.microseconds, 0);
  rows.push(['', 'rest', '', '', digits(rest), percent(rest / microseconds), '', '', '']);
  rows.push([
    '',
    'total',
    '',
    '',
    digits(microseconds),
    percent(1),
    digits(flops / microseconds / 1e3),
    digits(bytes / microseconds / 1e3),
    '',
  ]);
  const head = ['#', 'step', 'shapes', 'label', 'µs', 'share', 'GFLOP/s', 'GB/s', 'of the limit'];
  const right = new Set([0, 4, 5, 6, 7, 8]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (right.has(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join('  ')
      .trimEnd();
  return [
    line(head),
    ...rows.map(line),
    `${scaled(flops, 'FLOP')}, ${scaled(bytes, 'B')} moved; medians of ${runs} runs on ${device}, ${threads} threads`,
    `limits: ${digits(limits.gflops)} GFLOP/s, ${digits(limits.gigabytes)} GB/s in memory, ${digits(limits.cachedGigabytes)} GB/s in cache`,
    '',
  ].join('\n');
}
