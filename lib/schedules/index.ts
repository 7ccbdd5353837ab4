// The schedules of learning rates. The public `schedules` are these factories, and the base of one's own.
import { register } from '../config/registry.js';
import { Constant, constant } from './constant.js';
import { Cosine, cosine } from './cosine.js';
import { CosineRestarts, cosineRestarts } from './cosine-restarts.js';
import { Exponential, exponential } from './exponential.js';
import { InverseSqrt, inverseSqrt } from './inverse-sqrt.js';
import { InverseTime, inverseTime } from './inverse-time.js';
import { Linear, linear } from './linear.js';
import { OneCycle, oneCycle } from './one-cycle.js';
import { Piecewise, piecewise } from './piecewise.js';
import { Polynomial, polynomial } from './polynomial.js';
import { Warmup, warmup } from './warmup.js';

export { check, type ScheduleCheck } from './check.js';
export { type ConstantOptions, constant } from './constant.js';
export { type CosineOptions, cosine } from './cosine.js';
export { type CosineRestartsOptions, cosineRestarts } from './cosine-restarts.js';
export { type ExponentialOptions, exponential } from './exponential.js';
export { type InverseSqrtOptions, inverseSqrt } from './inverse-sqrt.js';
export { type InverseTimeOptions, inverseTime } from './inverse-time.js';
export { type LinearOptions, linear } from './linear.js';
export { type OneCycleOptions, oneCycle } from './one-cycle.js';
export { type PiecewiseOptions, piecewise } from './piecewise.js';
export { type PolynomialOptions, polynomial } from './polynomial.js';
export { Schedule, type ScheduleLike } from './schedule.js';
export type { Series, Verdict } from './series.js';
export { type WarmupOptions, warmup } from './warmup.js';

register('schedule', (value) => typeof value === 'function', {
  Constant: { type: Constant, make: constant },
  CosineDecay: { type: Cosine, make: cosine },
  CosineDecayRestarts: { type: CosineRestarts, make: cosineRestarts },
  ExponentialDecay: { type: Exponential, make: exponential },
  InverseSqrt: { type: InverseSqrt, make: inverseSqrt },
  InverseTimeDecay: { type: InverseTime, make: inverseTime },
  Linear: { type: Linear, make: linear },
  OneCycle: { type: OneCycle, make: oneCycle },
  PiecewiseConstantDecay: { type: Piecewise, make: piecewise },
  PolynomialDecay: { type: Polynomial, make: polynomial },
  Warmup: { type: Warmup, make: warmup, nested: { then: 'schedule' } },
});
