// The optimizers, by name.
import { register } from '../config/registry.js';
import { DownhillError, show, unknownName } from '../errors.js';
import { Adafactor, adafactor } from './adafactor.js';
import { Adam, adam } from './adam.js';
import { Lamb, lamb } from './lamb.js';
import { Lars, lars } from './lars.js';
import { Muon, muon } from './muon.js';
import { Optimizer } from './optimizer.js';
import { Sgd, sgd } from './sgd.js';

export { type AdafactorOptions, adafactor } from './adafactor.js';
export { type AdamOptions, adam } from './adam.js';
export { type GroupOptions, type Match, ParameterGroup } from './groups.js';
export { type LambOptions, lamb } from './lamb.js';
export { type LarsOptions, lars } from './lars.js';
export type { DynamicLossScaleOptions } from './loss-scale.js';
export { type AdjustLrFn, type MuonOptions, muon } from './muon.js';
export { type LossFunction, Optimizer, type OptimizerOptions, type Preset } from './optimizer.js';
export { type SgdOptions, sgd } from './sgd.js';

const factories: Readonly<Record<string, () => Optimizer>> = { sgd, adafactor, adam, lamb, lars, muon };

/** Options of every optimizer. */
const nested = { learningRate: 'schedule', 'groups.learningRate': 'schedule' } as const;

register('optimizer', (value) => value instanceof Optimizer, {
  Adafactor: { type: Adafactor, make: adafactor, nested },
  Adam: { type: Adam, make: adam, nested },
  Lamb: { type: Lamb, make: lamb, nested },
  Lars: { type: Lars, make: lars, nested },
  Muon: { type: Muon, make: muon, nested },
  SGD: { type: Sgd, make: sgd, nested },
});

/** An optimizer, or the name of one with its defaults. */
export type OptimizerLike = Optimizer | string;

/** The optimizer itself, or a new one by its name in any letter case ("sgd", "Adam"); throws UNKNOWN_NAME. */
export function get(optimizer: OptimizerLike): Optimizer {
  if (optimizer instanceof Optimizer) return optimizer;
  if (typeof optimizer !== 'string')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `optimizer must be an optimizer, e.g. optimizers.sgd(), or the name of one; received ${show(optimizer)}.`,
    );
  const name = optimizer.toLowerCase();
  if (!Object.hasOwn(factories, name)) throw unknownName('optimizer', optimizer, Object.keys(factories));
  return factories[name]();
}
