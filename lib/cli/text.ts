// The report of inspect for people.
import { type InspectedTensor, type Inspection, isState } from './inspect.js';

/** Texts of a file as they may go to a terminal: control characters would command it. */
export const clean = (text: string): string =>
  text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

const thousands = (count: number) => count.toLocaleString('en-US');

export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(2)} ${['B', 'KB', 'MB', 'GB', 'TB'][power]}`;
}

/** Columns under their titles; numbers on the right. */
function table(titles: string[], rows: string[][], right: number[]): string[] {
  const widths = titles.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  return [titles, ...rows].map((row) =>
    `  ${row.map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join('  ')}`.trimEnd(),
  );
}

type Plain = Record<string, unknown>;
const plain = (value: unknown): Plain => (typeof value === 'object' && value !== null ? (value as Plain) : {});

/** "Adam (learningRate 0.001, beta1 0.9)", "accuracy", … of a config. */
function configText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(configText).join(', ');
  const { className, config } = plain(value);
  if (typeof className !== 'string') return JSON.stringify(value) ?? 'none';
  const options = Object.entries(plain(config)).filter(
    ([, option]) => option !== null && option !== false && option !== 0,
  );
  const shown = options.map(
    ([name, option]) => `${name} ${typeof option === 'object' ? configText(option) : String(option)}`,
  );
  return shown.length > 0 ? `${className} (${shown.join(', ')})` : className;
}

function layerRows(model: unknown, tensors: readonly InspectedTensor[]): string[][] {
  const { layers } = plain(plain(model).config);
  if (!Array.isArray(layers)) return [];
  return layers.map((layer) => {
    const { className, config } = plain(layer);
    const { name, units, activation } = plain(config);
    const own = tensors.filter((tensor) => !isState(tensor.name) && tensor.name.startsWith(`${String(name)}/`));
    const count = own.reduce((sum, { shape }) => sum + shape.reduce((product, length) => product * length, 1), 0);
    const notes = [
      units !== undefined && `units ${String(units)}`,
      activation && `activation ${configText(activation)}`,
    ];
    return [String(name), String(className), thousands(count), notes.filter(Boolean).join(', ')];
  });
}

function stateLines(state: unknown): string[] {
  const { iterations, training } = plain(state);
  const { epoch, step, batchSize } = plain(training);
  const parts = [
    iterations !== undefined && `${String(iterations)} updates done`,
    training !== undefined &&
      training !== null &&
      `in epoch ${String(epoch)}, after ${String(step)} batches of ${String(batchSize)}`,
  ].filter(Boolean);
  return parts.length > 0 ? [`Training: ${parts.join('; ')}`] : [];
}

/** Lines for people. */
export function inspectionText(report: Inspection): string {
  const { tensors, model, compile, parameters } = report;
  const ours = report.format === 'downhill';
  const what = ours
    ? `${report.content ?? 'tensors'} of downhill ${report.libraryVersion ?? '(unknown version)'} (format ${report.formatVersion})`
    : `safetensors${report.format === null ? '' : ` (${report.format})`}`;
  const lines = [`${report.file}: ${what}, ${size(report.bytes)}, checksum ${report.checksum}`, ''];
  const layers = layerRows(model, tensors);
  if (layers.length > 0) {
    lines.push(`Model "${String(plain(plain(model).config).name ?? '')}" (${String(plain(model).className)})`);
    lines.push(...table(['Layer', 'Type', 'Parameters', ''], layers, [2]), '');
  }
  const rows = tensors.map(({ name, dtype, shape, bytes }) => [name, dtype, `[${shape.join(', ')}]`, size(bytes)]);
  lines.push(`${thousands(tensors.length)} tensors, ${thousands(parameters)} parameters`);
  if (rows.length > 0) lines.push(...table(['Tensor', 'Dtype', 'Shape', 'Size'], rows, [3]));
  lines.push('');
  if (compile !== null) {
    const { optimizer, loss, metrics, trainStep } = plain(compile);
    lines.push(`Optimizer: ${configText(optimizer)}`);
    lines.push(trainStep === undefined ? `Loss: ${configText(loss)}` : `Training step: ${configText(trainStep)}`);
    if (Array.isArray(metrics) && metrics.length > 0) lines.push(`Metrics: ${configText(metrics.flat())}`);
  }
  lines.push(...stateLines(report.state));
  for (const [name, value] of Object.entries(report.metadata))
    lines.push(`${name}: ${value.length > 200 ? `${value.slice(0, 200)}… (${value.length} characters)` : value}`);
  return `${lines.map(clean).join('\n').trimEnd()}\n`;
}
