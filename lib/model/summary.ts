// The table that describes a model.
import type { Shape } from '../tensor/shape.js';

export interface SummaryRow {
  name: string;
  type: string;
  /** Without the batch. */
  outputShapes: readonly Shape[];
  params: number;
  /** What its inputs are, "dense[0][0]": the layer, which call of it, which output; for graphs that are no stack. */
  connectedTo?: readonly string[];
}

export interface Totals {
  trainable: number;
  nonTrainable: number;
}

const thousands = (count: number) => count.toLocaleString('en-US');

/** Size of float32 parameters, as Keras writes it. */
function bytesText(count: number): string {
  const bytes = 4 * count;
  if (bytes < 1024) return `${bytes.toFixed(2)} B`;
  const units = ['KB', 'MB', 'GB', 'TB'];
  let size = bytes / 1024;
  let unit = 0;
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return `${size.toFixed(2)} ${units[unit]}`;
}

const shapeText = (shape: Shape) => `(${['None', ...shape].join(', ')})`;

/** One line per layer with its type, output shape and number of parameters, then the totals. */
export function summaryText(name: string, rows: readonly SummaryRow[], { trainable, nonTrainable }: Totals): string {
  const connected = rows.some(({ connectedTo }) => connectedTo);
  const cells = rows.map(({ name: layer, type, outputShapes, params, connectedTo }) => {
    const shapes = outputShapes.map(shapeText);
    const shape = shapes.length === 1 ? shapes[0] : `[${shapes.join(', ')}]`;
    const row = [`${layer} (${type})`, shape, thousands(params)];
    return connected ? [...row, connectedTo?.join(', ') || '-'] : row;
  });
  const head = ['Layer (type)', 'Output Shape', 'Param #', ...(connected ? ['Connected to'] : [])];
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i].length)));
  const rule = (left: string, line: string, middle: string, right: string) =>
    left + widths.map((width) => line.repeat(width + 2)).join(middle) + right;
  const row = (texts: readonly string[], bar: string) =>
    bar + texts.map((text, i) => ` ${i === 2 ? text.padStart(widths[i]) : text.padEnd(widths[i])} `).join(bar) + bar;
  const total = (title: string, count: number) => ` ${title}: ${thousands(count)} (${bytesText(count)})`;
  return [
    `Model: "${name}"`,
    rule('┏', '━', '┳', '┓'),
    row(head, '┃'),
    rule('┡', '━', '╇', '┩'),
    ...cells.flatMap((texts, i) => (i === 0 ? [row(texts, '│')] : [rule('├', '─', '┼', '┤'), row(texts, '│')])),
    rule('└', '─', '┴', '┘'),
    total('Total params', trainable + nonTrainable),
    total('Trainable params', trainable),
    total('Non-trainable params', nonTrainable),
  ].join('\n');
}
