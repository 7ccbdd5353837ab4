// Paths of optimizers over a surface, and pictures of them.
import { grad, hvp, type optimizers, ops, type SymbolicTensor, tensor, variable } from 'downhill';
import { legend, Plot, picture } from './picture.js';
import { gridOf, type Surface } from './surfaces.js';

export type Point = [x: number, y: number];

export interface Path {
  title: string;
  points: Point[];
  /** f at each of them. */
  values: number[];
}

/** f at a point given as a tensor [2]. */
export function valueAt(surface: Surface, point: Parameters<typeof ops.slice>[0]) {
  return ops.sum(surface.at(ops.slice(point, [0], [1]), ops.slice(point, [1], [1])));
}

/** Where an optimizer goes from `start`. Ends early when it has left for infinity. */
export async function descend(
  title: string,
  surface: Surface,
  optimizer: optimizers.Optimizer,
  start: Point,
  steps: number,
): Promise<Path> {
  const point = variable([...start], { name: 'point' });
  const path: Path = { title, points: [], values: [] };
  for (let step = 0; step <= steps; step++) {
    const [x, y] = point.dataSync();
    if (!Number.isFinite(x + y)) break;
    path.points.push([x, y]);
    const loss = await optimizer.minimize(() => valueAt(surface, point), [point]);
    path.values.push((await loss.data())[0]);
  }
  return path;
}

/** Minimizes over x, then over y, and so on, each by one step of Newton's method, which is exact where f is a parabola. */
export async function coordinateDescent(surface: Surface, start: Point, steps: number): Promise<Path> {
  const f = (point: SymbolicTensor) => valueAt(surface, point) as SymbolicTensor;
  const [gradient, curvature] = [grad(f), hvp(f)];
  const path: Path = { title: 'coordinate descent', points: [[...start]], values: [] };
  const at = [...start] as Point;
  for (let step = 0; step < steps; step++) {
    const i = step % 2;
    const here = tensor(at);
    const slope = (await (await gradient(here)).data())[i];
    const [column] = await curvature([here], [tensor([1 - i, i])]);
    at[i] -= slope / (await column.data())[i];
    path.points.push([...at]);
  }
  for (const point of path.points) {
    const [x, y] = point.map((value) => tensor([value]));
    path.values.push((surface.at(x, y) as typeof x).dataSync()[0]);
  }
  return path;
}

export const last = <T>(values: readonly T[]): T => values[values.length - 1];

/** A table of where the paths end. */
export function printPaths(paths: readonly Path[]): void {
  const round = (value: number) => Number(value.toPrecision(4));
  console.table(
    Object.fromEntries(
      paths.map(({ title, points, values }) => [
        title,
        { steps: points.length - 1, x: round(last(points)[0]), y: round(last(points)[1]), f: round(last(values)) },
      ]),
    ),
  );
}

/** Contour lines with the paths over them. */
export async function drawPaths(
  out: string,
  name: string,
  surface: Surface,
  paths: readonly Path[],
  marks: Plot.Markish[] = [],
): Promise<void> {
  const { values, width, height } = await gridOf(surface);
  const [x1, x2] = surface.x;
  const [y1, y2] = surface.y;
  const rows = paths.flatMap(({ title, points }) =>
    points
      // A path that has left the picture ends at its border.
      .slice(0, [...points.map(([x, y]) => x < x1 || x > x2 || y < y1 || y > y2), true].indexOf(true) + 1)
      .map(([x, y]) => ({ x, y, title })),
  );
  picture(out, name, {
    width: 860,
    height: 560,
    x: { domain: [x1, x2] },
    y: { domain: [y1, y2] },
    color: { domain: paths.map(({ title }) => title) },
    clip: true,
    marks: [
      Plot.contour(values, {
        width,
        height,
        x1,
        y1,
        x2,
        y2,
        value: (v: number) => v,
        thresholds: 24,
        stroke: '#bbb',
        strokeWidth: 0.7,
      } as never),
      Plot.line(rows, { x: 'x', y: 'y', stroke: 'title', z: 'title', strokeWidth: 1.6, marker: 'dot' }),
      ...marks,
      ...legend(paths.map(({ title }) => title)),
    ],
  });
}
