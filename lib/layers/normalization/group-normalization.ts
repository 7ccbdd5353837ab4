// Group normalization: the channels of each example in groups.
import type { Config } from '../../config/values.js';
import { DownhillError } from '../../errors.js';
import * as ops from '../../graph/ops.js';
import type { Shape } from '../../tensor/shape.js';
import { AffineLayer, type AffineOptions, affineOptions } from './affine.js';
import type { Computed } from '../layer.js';
import { momentsOf } from './moments.js';

export interface GroupNormalizationOptions extends AffineOptions {
  /** Into how many groups the channels are cut; −1: each its own. 32 by default. */
  groups?: number;
  /** The axis of the channels, of a batch [n, …]; −1 by default. */
  axis?: number;
}

export class GroupNormalization extends AffineLayer {
  override readonly type = 'GroupNormalization';
  override readonly supportsMasking = true;
  readonly groups: number;

  constructor(options?: GroupNormalizationOptions) {
    const read = affineOptions<GroupNormalizationOptions>('groupNormalization', options, ['groups', 'axis']);
    super('group_normalization', read, false);
    this.groups = read.count('groups', 32, { min: -1 });
    if (this.groups === 0)
      throw new DownhillError('OUT_OF_RANGE', `${read.what('groups')} must be at least 1, or −1; received 0.`);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), groups: this.groups };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const [channels] = this.featureShape(inputShape);
    if (this.groups > 0 && channels % this.groups !== 0)
      throw this.mismatch(`a number of channels that ${this.groups} groups divide`, inputShape);
    return super.computeOutputShape(inputShape);
  }

  override call(x: Computed): Computed {
    const { shape } = x;
    const [axis] = this.axesIn(x);
    const groups = this.groups < 0 ? shape[axis] : this.groups;
    const split = [...shape.slice(0, axis), groups, shape[axis] / groups, ...shape.slice(axis + 1)];
    const others = split.map((_, i) => i).filter((i) => i > 0 && i !== axis);
    const { variance, centered } = momentsOf(ops.reshape(x, split), others);
    const wide = split.map((dim, i) => (i === axis || i === axis + 1 ? dim : 1));
    return ops.reshape(this.affine(centered, ops.rsqrt(ops.add(variance, this.epsilon)), wide, false), shape);
  }
}

/**
 * Group normalization: gamma · (x − μ)/√(σ² + epsilon) + beta, with mean μ and variance σ² (divided by n) of each example over the channels of a group
 * and all other axes.
 *
 * @param options groups (32; −1: each channel its own), axis (−1), epsilon (1e-3), center and scale (true: beta and gamma), betaInitializer ('zeros'),
 *   gammaInitializer ('ones'), betaRegularizer, gammaRegularizer, betaConstraint, gammaConstraint, activityRegularizer, inputShape, name, trainable
 * @returns a layer that keeps the shape, with weights gamma and beta (channels)
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE, SHAPE_MISMATCH where the groups do not divide the channels
 * @example
 * layers.groupNormalization({ groups: 8 });
 * @see Wu and He 2018, Group Normalization
 */
export function groupNormalization(options?: GroupNormalizationOptions): GroupNormalization {
  return new GroupNormalization(options);
}
