// Base of layers with the option `axis`: of a batch [n, …], other than the first.
import type { Config } from '../config/values.js';
import type { Options } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import { axesOf, checkAxes } from './axes.js';
import { Layer, type LayerOptions } from './layer.js';

export abstract class AxisLayer extends Layer {
  /** As given; none where the axis may be null and is. */
  protected readonly axes: readonly number[];

  constructor(kind: string, read: Options<LayerOptions>, { several = true, none = false } = {}) {
    super(kind, read);
    const { axis } = read.raw as { axis?: unknown };
    this.axes = none && axis === null ? [] : checkAxes(`${read.where}: axis`, axis, -1, several);
  }

  override getConfig(): Config {
    const { axes } = this;
    return { ...super.getConfig(), axis: axes.length > 1 ? [...axes] : (axes[0] ?? null) };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    this.featureShape(inputShape);
    return inputShape;
  }

  /** Counted from 0, that of the batch. */
  protected axesIn(x: { shape: Shape }): readonly number[] {
    return axesOf(this.axes, x.shape.length)!;
  }

  /** Dimensions of the axes, of one example. Throws SHAPE_MISMATCH where it has no such axis. */
  protected featureShape(inputShape: Shape): Shape {
    const axes = axesOf(this.axes, inputShape.length + 1);
    if (!axes) throw this.mismatch(`an input with axis ${this.axes.join(' and ')}, other than the batch's`, inputShape);
    return axes.map((axis) => inputShape[axis - 1]);
  }
}
