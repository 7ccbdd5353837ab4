// The optimizers, by name.
import { type Entry, register } from '../config/registry.js';
import { DownhillError, show, unknownName } from '../errors.js';
import { Adafactor, adafactor } from './adafactor.js';
import { Adadelta, adadelta } from './adadelta.js';
import { Adagrad, adagrad } from './adagrad.js';
import { Adam, adam } from './adam.js';
import { Lamb, lamb } from './lamb.js';
import { Lars, lars } from './lars.js';
import { Adamax, adamax } from './adamax.js';
import { AdamW, adamw } from './adamw.js';
import { DeltaBarDelta, deltaBarDelta } from './delta-bar-delta.js';
import { Ftrl, ftrl } from './ftrl.js';
import { Lion, lion } from './lion.js';
import { Muon, muon } from './muon.js';
import { Nadam, nadam } from './nadam.js';
import { Optimizer } from './optimizer.js';
import { RmsProp, rmsprop } from './rmsprop.js';
import { Rprop, rprop } from './rprop.js';
import { Sgd, sgd } from './sgd.js';

export { type AdadeltaOptions, adadelta } from './adadelta.js';
export { type AdagradOptions, adagrad } from './adagrad.js';
export { type AdafactorOptions, adafactor } from './adafactor.js';
export { type AdamOptions, adam } from './adam.js';
export { type GroupOptions, type Match, ParameterGroup } from './groups.js';
export { type LambOptions, lamb } from './lamb.js';
export { type LarsOptions, lars } from './lars.js';
export type { DynamicLossScaleOptions } from './loss-scale.js';
export { type AdamaxOptions, adamax } from './adamax.js';
export { type AdamWOptions, adamw } from './adamw.js';
export { type DeltaBarDeltaOptions, deltaBarDelta } from './delta-bar-delta.js';
export { type FtrlOptions, ftrl } from './ftrl.js';
export { type LionOptions, lion } from './lion.js';
export { type AdjustLrFn, type MuonOptions, muon } from './muon.js';
export { type NadamOptions, nadam } from './nadam.js';
export type { OptimizerOptions } from './common.js';
export { type LossFunction, Optimizer } from './optimizer.js';
export type { Preset } from './presets.js';
export { type RmsPropOptions, rmsprop } from './rmsprop.js';
export { type RpropOptions, rprop } from './rprop.js';
export { type SgdOptions, sgd } from './sgd.js';

/** Options of every optimizer. */
const nested = { learningRate: 'schedule', 'groups.learningRate': 'schedule' } as const;

/** By Keras's names. In lower case, they are those of the factories in lower case, too. */
const entries: Readonly<Record<string, Entry & { make: () => Optimizer }>> = {
  Adadelta: { type: Adadelta, make: adadelta, nested },
  Adafactor: { type: Adafactor, make: adafactor, nested },
  Adagrad: { type: Adagrad, make: adagrad, nested },
  Adam: { type: Adam, make: adam, nested },
  Lamb: { type: Lamb, make: lamb, nested },
  Lars: { type: Lars, make: lars, nested },
  AdamW: { type: AdamW, make: adamw, nested },
  Adamax: { type: Adamax, make: adamax, nested },
  DeltaBarDelta: { type: DeltaBarDelta, make: deltaBarDelta, nested },
  Ftrl: { type: Ftrl, make: ftrl, nested },
  Lion: { type: Lion, make: lion, nested },
  Muon: { type: Muon, make: muon, nested },
  Nadam: { type: Nadam, make: nadam, nested },
  RMSprop: { type: RmsProp, make: rmsprop, nested },
  Rprop: { type: Rprop, make: rprop, nested },
  SGD: { type: Sgd, make: sgd, nested },
};
register('optimizer', (value) => value instanceof Optimizer, entries);

const factories = new Map(Object.values(entries).map(({ make }) => [make.name.toLowerCase(), make]));

/** An optimizer, or the name of one with its defaults. */
export type OptimizerLike = Optimizer | string;

/** The optimizer itself, or a new one by its name in any letter case ("sgd", "RMSprop", "delta_bar_delta"); throws UNKNOWN_NAME. */
export function get(optimizer: OptimizerLike): Optimizer {
  if (optimizer instanceof Optimizer) return optimizer;
  if (typeof optimizer !== 'string')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `optimizer must be an optimizer, e.g. optimizers.sgd(), or the name of one; received ${show(optimizer)}.`,
    );
  const make = factories.get(optimizer.toLowerCase().replaceAll('_', ''));
  if (!make)
    throw unknownName(
      'optimizer',
      optimizer,
      [...factories.values()].map(({ name }) => name),
    );
  return make();
}
