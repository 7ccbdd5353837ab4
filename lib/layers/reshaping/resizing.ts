// Images made larger or smaller: repeated, padded, cropped.
import type { DType } from '../../binding/native.js';
import type { Config } from '../../config/values.js';
import { DownhillError, show } from '../../errors.js';
import * as ops from '../../graph/ops.js';
import { checkCount } from '../../options.js';
import type { Shape } from '../../tensor/shape.js';
import { tensor } from '../../tensor/make.js';
import { checkSizes, type Sizes } from '../convolution/conv-base.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';

export interface UpSampling2DOptions extends LayerOptions {
  /** How often rows and columns are repeated; 2 by default. */
  size?: Sizes;
  /** 'nearest' by default. */
  interpolation?: 'nearest' | 'bilinear';
}

const images = 'images [n, height, width, channels]';

/** (size · times, size): row i has the weights of the two pixels nearest to the centre of output i. */
function interpolation(size: number, times: number): Float32Array {
  const weights = new Float32Array(size * times * size);
  for (let i = 0; i < size * times; i++) {
    const at = Math.min(Math.max((i + 0.5) / times - 0.5, 0), size - 1);
    const first = Math.floor(at);
    const second = Math.min(first + 1, size - 1);
    weights[i * size + first] += 1 - (at - first);
    weights[i * size + second] += at - first;
  }
  return weights;
}

export class UpSampling2D extends Layer {
  override readonly type = 'UpSampling2D';
  readonly size: readonly number[];
  readonly interpolation: 'nearest' | 'bilinear';

  constructor(options?: UpSampling2DOptions) {
    const read = layerOptions<UpSampling2DOptions>('upSampling2d', options, ['size', 'interpolation']);
    super('up_sampling2d', read);
    this.size = checkSizes(read.what('size'), read.raw.size ?? 2, 2);
    this.interpolation = read.oneOf('interpolation', ['nearest', 'bilinear'], 'nearest');
  }

  override getConfig(): Config {
    return { ...super.getConfig(), size: [...this.size], interpolation: this.interpolation };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (inputShape.length !== 3) throw this.mismatch(images, inputShape);
    const [height, width, channels] = inputShape as [number, number, number];
    return [height * this.size[0]!, width * this.size[1]!, channels];
  }

  override computeOutputDtype([dtype]: readonly DType[]): DType {
    return this.interpolation === 'nearest' ? dtype! : 'float32';
  }

  override call(x: Computed): Computed {
    const [n, height, width, channels] = x.shape as [number, number, number, number];
    const [down, across] = this.size as [number, number];
    if (this.interpolation === 'nearest') {
      const apart = ops.reshape(x, [n, height, 1, width, 1, channels]);
      const repeated = ops.broadcastTo(apart, [n, height, down, width, across, channels]);
      return ops.reshape(repeated, [n, height * down, width * across, channels]);
    }
    const rows = tensor(interpolation(height, down), [height * down, height]);
    const columns = tensor(interpolation(width, across), [width * across, width]);
    const tall = ops.matmul(rows, ops.reshape(x, [n, height, width * channels]));
    const wide = ops.matmul(columns, ops.reshape(tall, [n * height * down, width, channels]));
    return ops.reshape(wide, [n, height * down, width * across, channels]);
  }
}

/** One number for all sides, [height, width] for both ends of each, or [[top, bottom], [left, right]]. */
export type Margins =
  | number
  | readonly [number, number]
  | readonly [readonly [number, number], readonly [number, number]];

type Ends = [[number, number], [number, number]];

function checkMargins(what: string, value: unknown): Ends {
  const end = (name: string, given: unknown) => checkCount(name, given, { min: 0 });
  if (typeof value === 'number') {
    const all = end(what, value);
    return [
      [all, all],
      [all, all],
    ];
  }
  if (!Array.isArray(value) || value.length !== 2)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be an integer, [height, width] or [[top, bottom], [left, right]]; received ${show(value)}.`,
    );
  return value.map((side: unknown, i) => {
    if (Array.isArray(side) && side.length === 2)
      return [end(`${what}[${i}][0]`, side[0]), end(`${what}[${i}][1]`, side[1])];
    const both = end(`${what}[${i}]`, side);
    return [both, both];
  }) as Ends;
}

const copyOf = (ends: Ends): Ends => [[...ends[0]], [...ends[1]]];

export interface ZeroPadding2DOptions extends LayerOptions {
  /** 1 by default. */
  padding?: Margins;
}

export class ZeroPadding2D extends Layer {
  override readonly type = 'ZeroPadding2D';
  readonly padding: Readonly<Ends>;

  constructor(options?: ZeroPadding2DOptions) {
    const read = layerOptions<ZeroPadding2DOptions>('zeroPadding2d', options, ['padding']);
    super('zero_padding2d', read);
    this.padding = checkMargins(read.what('padding'), read.raw.padding ?? 1);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), padding: copyOf(this.padding as Ends) };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (inputShape.length !== 3) throw this.mismatch(images, inputShape);
    const [[top, bottom], [left, right]] = this.padding;
    return [inputShape[0]! + top + bottom, inputShape[1]! + left + right, inputShape[2]!];
  }

  override computeOutputDtype([dtype]: readonly DType[]): DType {
    return dtype!;
  }

  override call(x: Computed): Computed {
    const [[top, bottom], [left, right]] = this.padding;
    return ops.pad(x, [0, top, left, 0], [0, bottom, right, 0]);
  }
}

export interface Cropping2DOptions extends LayerOptions {
  /** 0 by default. */
  cropping?: Margins;
}

export class Cropping2D extends Layer {
  override readonly type = 'Cropping2D';
  readonly cropping: Readonly<Ends>;

  constructor(options?: Cropping2DOptions) {
    const read = layerOptions<Cropping2DOptions>('cropping2d', options, ['cropping']);
    super('cropping2d', read);
    this.cropping = checkMargins(read.what('cropping'), read.raw.cropping ?? 0);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), cropping: copyOf(this.cropping as Ends) };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (inputShape.length !== 3) throw this.mismatch(images, inputShape);
    const [[top, bottom], [left, right]] = this.cropping;
    const [height, width] = [inputShape[0]! - top - bottom, inputShape[1]! - left - right];
    if (height < 1 || width < 1)
      throw this.mismatch(`images larger than its cropping, [[${top}, ${bottom}], [${left}, ${right}]]`, inputShape);
    return [height, width, inputShape[2]!];
  }

  override computeOutputDtype([dtype]: readonly DType[]): DType {
    return dtype!;
  }

  override call(x: Computed): Computed {
    const [[top], [left]] = this.cropping;
    const shape = this.computeOutputShape(x.shape.slice(1));
    return ops.slice(x, [0, top, left, 0], [x.shape[0]!, ...shape]);
  }
}

/**
 * Images with rows and columns repeated, or interpolated: [n, height, width, channels] → [n, height · size, width · size, channels].
 *
 * @param options size (2), interpolation ('nearest' or 'bilinear', between the centres of pixels)
 * @example layers.upSampling2d({ size: [2, 3] });
 * @see https://keras.io/api/layers/reshaping_layers/up_sampling2d/
 */
export function upSampling2d(options?: UpSampling2DOptions): UpSampling2D {
  return new UpSampling2D(options);
}

/**
 * Images with zeros around them: [n, height, width, channels] → [n, height + top + bottom, width + left + right, channels].
 *
 * @param options padding (1): one number, [height, width], or [[top, bottom], [left, right]]
 * @example layers.zeroPadding2d({ padding: [[1, 0], [2, 0]] });
 * @see https://keras.io/api/layers/reshaping_layers/zero_padding2d/
 */
export function zeroPadding2d(options?: ZeroPadding2DOptions): ZeroPadding2D {
  return new ZeroPadding2D(options);
}

/**
 * Images without their margins: [n, height, width, channels] → [n, height − top − bottom, width − left − right, channels].
 *
 * @param options cropping (0; Keras's default of [[0, 0], [0, 0]]): one number, [height, width], or [[top, bottom], [left, right]]
 * @example layers.cropping2d({ cropping: 2 });
 * @see https://keras.io/api/layers/reshaping_layers/cropping2d/
 */
export function cropping2d(options?: Cropping2DOptions): Cropping2D {
  return new Cropping2D(options);
}
