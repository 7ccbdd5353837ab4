// The initializers, by name.
import { register } from '../config/registry.js';
import { DownhillError, show, unknownName } from '../errors.js';
import { lookUp } from '../names.js';
import { Constant, constant, Ones, ones, Zeros, zeros } from './constant.js';
import { GlorotNormal, GlorotUniform, glorotNormal, glorotUniform } from './glorot.js';
import { HeNormal, HeUniform, heNormal, heUniform } from './he.js';
import { Identity, identity } from './identity.js';
import { Initializer } from './initializer.js';
import { LecunNormal, LecunUniform, lecunNormal, lecunUniform } from './lecun.js';
import { Orthogonal, orthogonal } from './orthogonal.js';
import { RandomNormal, randomNormal } from './random-normal.js';
import { RandomUniform, randomUniform } from './random-uniform.js';
import { Sparse, sparse } from './sparse.js';
import { TruncatedNormal, truncatedNormal } from './truncated-normal.js';
import { UniformFanIn, uniformFanIn } from './uniform-fan-in.js';
import { VarianceScaling, varianceScaling } from './variance-scaling.js';

export { type ConstantOptions, constant, ones, zeros } from './constant.js';
export { type FromTargetsOptions, fromTargets } from './from-targets.js';
export { glorotNormal, glorotUniform } from './glorot.js';
export { heNormal, heUniform } from './he.js';
export { type IdentityOptions, identity } from './identity.js';
export { Initializer, type SeedOptions } from './initializer.js';
export { lecunNormal, lecunUniform } from './lecun.js';
export { type OrthogonalOptions, orthogonal } from './orthogonal.js';
export { type RandomNormalOptions, randomNormal } from './random-normal.js';
export { type RandomUniformOptions, randomUniform } from './random-uniform.js';
export { type SparseOptions, sparse } from './sparse.js';
export { type TruncatedNormalOptions, truncatedNormal } from './truncated-normal.js';
export { type UniformFanInOptions, uniformFanIn } from './uniform-fan-in.js';
export {
  type FanMode,
  type FanOptions,
  type ScaledDistribution,
  type VarianceScalingOptions,
  varianceScaling,
} from './variance-scaling.js';

const factories: Readonly<Record<string, () => Initializer>> = {
  zeros,
  ones,
  constant,
  randomNormal,
  randomUniform,
  truncatedNormal,
  varianceScaling,
  orthogonal,
  identity,
  lecunUniform,
  lecunNormal,
  glorotUniform,
  glorotNormal,
  heUniform,
  heNormal,
  uniformFanIn,
  sparse,
  // Keras's short names.
  normal: randomNormal,
  uniform: randomUniform,
};

register('initializer', (value) => value instanceof Initializer, {
  Constant: { type: Constant, make: constant },
  GlorotNormal: { type: GlorotNormal, make: glorotNormal },
  GlorotUniform: { type: GlorotUniform, make: glorotUniform },
  HeNormal: { type: HeNormal, make: heNormal },
  HeUniform: { type: HeUniform, make: heUniform },
  Identity: { type: Identity, make: identity },
  LecunNormal: { type: LecunNormal, make: lecunNormal },
  LecunUniform: { type: LecunUniform, make: lecunUniform },
  Ones: { type: Ones, make: ones },
  Orthogonal: { type: Orthogonal, make: orthogonal },
  RandomNormal: { type: RandomNormal, make: randomNormal },
  RandomUniform: { type: RandomUniform, make: randomUniform },
  Sparse: { type: Sparse, make: sparse },
  TruncatedNormal: { type: TruncatedNormal, make: truncatedNormal },
  UniformFanIn: { type: UniformFanIn, make: uniformFanIn },
  VarianceScaling: { type: VarianceScaling, make: varianceScaling },
  Zeros: { type: Zeros, make: zeros },
});
/** An initializer or the name of one with its defaults. */
export type InitializerLike = Initializer | string;

/** The initializer itself, or the one of that name; throws UNKNOWN_NAME. `what` names the option in messages. */
export function resolveInitializer(what: string, value: unknown): Initializer {
  if (value instanceof Initializer) return value;
  if (typeof value !== 'string')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be an initializer or the name of one; received ${show(value)}.`,
    );
  const factory = lookUp(factories, value) ?? lookUp(factories, value.charAt(0).toLowerCase() + value.slice(1));
  if (!factory) throw unknownName(`initializer (${what})`, value, Object.keys(factories));
  return factory();
}
