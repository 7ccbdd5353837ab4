// The factor that a loss is multiplied with before it is differentiated, and its gradients divided by in the update.
import { binding, type UpdaterOptions } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { DownhillError } from '../errors.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import type { Trace } from '../graph/trace.js';
import { Options } from '../options.js';
import { storageOf } from '../tensor/tensor.js';
import { Variable } from '../tensor/variable.js';
import type { OptimizerOptions } from './common.js';
import type { Preset } from './presets.js';

/** A loss scale that follows the gradients: doubled after growthSteps updates in a row with finite ones, halved where one is not. */
export interface DynamicLossScaleOptions {
  /** Above 0; 2¹⁵, under preset 'torch' 2¹⁶. */
  initialScale?: number;
  /** At least 1; 2000. */
  growthSteps?: number;
}

/** What files keep of a dynamic one. */
export interface LossScaleState {
  lossScale: number;
  finiteSteps: number;
}

/** Normal numbers of float32, as what undoes them is; by itself a scale grows to 2¹⁰⁰. */
const range = { min: 2 ** -126, max: 2 ** 126 };

export class LossScale {
  readonly #factor: number | null;
  readonly #dynamic: { scale: Variable; finiteSteps: Variable; growthSteps: number } | null = null;
  readonly #config: Config;

  /** @throws INVALID_ARGUMENT, OUT_OF_RANGE */
  constructor(read: Options<OptimizerOptions>, preset: Preset) {
    this.#factor = read.optionalNumber('lossScaleFactor', range) ?? null;
    const given: unknown = read.raw.lossScale ?? null;
    this.#config = { ...(this.#factor !== null && { lossScaleFactor: this.#factor }) };
    if (given === null) return;
    if (this.#factor !== null)
      throw new DownhillError('INVALID_ARGUMENT', `${read.where}: give lossScaleFactor or lossScale, not both.`);
    const where = read.what('lossScale');
    if (typeof given !== 'object' && given !== 'dynamic')
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${where} must be 'dynamic' or { initialScale, growthSteps }; received ${String(given)}. A fixed scale is lossScaleFactor.`,
      );
    const options = new Options(where, given === 'dynamic' ? {} : (given as DynamicLossScaleOptions), [
      'initialScale',
      'growthSteps',
    ]);
    const initial = options.number('initialScale', preset === 'torch' ? 2 ** 16 : 2 ** 15, range);
    const growthSteps = options.count('growthSteps', 2000, { min: 1, max: 2 ** 31 - 1 });
    const [scale, finiteSteps] = binding.arena([4, 4]);
    this.#dynamic = {
      scale: new Variable(scale, [], 'float32', 'lossScale', false),
      finiteSteps: new Variable(finiteSteps, [], 'int32', 'finiteSteps', false),
      growthSteps,
    };
    this.#dynamic.scale.assign(initial);
    this.#config = { lossScale: given === 'dynamic' ? given : { initialScale: initial, growthSteps } };
  }

  /** The options, where they were given. */
  getConfig(): Config {
    return this.#config;
  }

  /** The factor of the moment; 1 without any. */
  get value(): number {
    return this.#dynamic ? this.#dynamic.scale.dataSync()[0] : (this.#factor ?? 1);
  }

  /** What a gradient is to begin with; undefined: with 1. */
  seed(trace: Trace): SymbolicTensor | undefined {
    if (this.#dynamic) return trace.variable(this.#dynamic.scale);
    return this.#factor === null ? undefined : trace.scalar(this.#factor, 'float32');
  }

  get native(): Pick<UpdaterOptions, 'lossScaleFactor' | 'dynamicLossScale'> {
    if (!this.#dynamic) return { lossScaleFactor: Math.fround(this.#factor ?? 1), dynamicLossScale: null };
    const { scale, finiteSteps, growthSteps } = this.#dynamic;
    return {
      lossScaleFactor: 1,
      dynamicLossScale: { scale: storageOf(scale), finiteSteps: storageOf(finiteSteps), growthSteps },
    };
  }

  /** As native, but a dynamic one is a copy. */
  get copy(): Pick<UpdaterOptions, 'lossScaleFactor' | 'dynamicLossScale'> {
    const { native } = this;
    if (!native.dynamicLossScale) return native;
    const { scale, finiteSteps, growthSteps } = native.dynamicLossScale;
    const [scaleCopy, stepsCopy] = binding.storagesCopy([scale, finiteSteps]);
    return { ...native, dynamicLossScale: { scale: scaleCopy, finiteSteps: stepsCopy, growthSteps } };
  }

  get state(): LossScaleState | null {
    if (!this.#dynamic) return null;
    return { lossScale: this.value, finiteSteps: this.#dynamic.finiteSteps.dataSync()[0] };
  }

  set state(state: LossScaleState | null) {
    if (!state || !this.#dynamic) return;
    this.#dynamic.scale.assign(state.lossScale);
    this.#dynamic.finiteSteps.assign(state.finiteSteps);
  }
}
