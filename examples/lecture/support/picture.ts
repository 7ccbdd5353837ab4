// Charts of Observable Plot as SVG files, without a browser.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

export { Plot };

/** Where scripts draw unless `--out FOLDER` says otherwise. */
export const pictures = fileURLToPath(new URL('../pictures', import.meta.url));

/** The names of lines, in their colours, in the top right corner. */
export function legend(titles: readonly string[]): Plot.Markish[] {
  const frame = {
    frameAnchor: 'top-right',
    fontSize: 13,
    fontWeight: 'bold',
    stroke: 'white',
    strokeWidth: 4,
  } as const;
  return titles.map((title, i) =>
    Plot.text([title], { ...frame, text: [title], fill: [title], dx: -8, dy: 10 + 17 * i }),
  );
}

export interface Curve {
  title: string;
  /** By epoch or step, from the first on. */
  values: readonly number[];
}

/** Draws curves over their index, counted from 1. */
export function drawCurves(out: string, name: string, curves: readonly Curve[], options: Plot.PlotOptions): void {
  const rows = curves.flatMap(({ title, values }) => values.map((value, i) => ({ title, at: i + 1, value })));
  picture(out, name, {
    width: 760,
    height: 440,
    color: { domain: curves.map(({ title }) => title) },
    ...options,
    marks: [
      Plot.line(rows, { x: 'at', y: 'value', stroke: 'title', z: 'title', strokeWidth: 1.8 }),
      ...legend(curves.map(({ title }) => title)),
    ],
  });
}

/** Draws a chart into `out`/`name`.svg and says so. */
export function picture(out: string, name: string, options: Plot.PlotOptions): void {
  const { document } = parseHTML('<html></html>');
  const chart = Plot.plot({ grid: true, ...options, document: document as never });
  // With a title, a legend or a caption it is a figure: the chart is the last drawing in it.
  const drawing = chart.tagName.toLowerCase() === 'svg' ? chart : [...chart.querySelectorAll(':scope > svg')].at(-1)!;
  drawing.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  mkdirSync(out, { recursive: true });
  const path = join(out, `${name}.svg`);
  writeFileSync(path, `${drawing.outerHTML}\n`);
  console.log(`Drawn: ${name}.svg`);
}
