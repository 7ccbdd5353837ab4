// Diagnostics every so many steps of a fit.
import type { Config } from '../config/values.js';
import { curvatureOf } from '../diagnostics/curvature.js';
import { type Batch, compiledOf, Data } from '../diagnostics/data.js';
import { normsOf } from '../diagnostics/gradient-norm.js';
import { noiseOf } from '../diagnostics/noise-scale.js';
import { Probe } from '../diagnostics/probe.js';
import { sharpnessOf } from '../diagnostics/sharpness.js';
import { updateRatios } from '../diagnostics/update-ratios.js';
import { DownhillError, show } from '../errors.js';
import type { Model } from '../model/model.js';
import { checkOneOf, Options } from '../options.js';
import { sameShape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import type { InputLike, RowType, Targets } from '../training/columns.js';
import type { ByPort } from '../model/ports.js';
import type { RowTypes } from '../training/programs.js';
import { Claims } from '../training/position.js';
import { type Moment, Saver } from './saver.js';

const kinds = ['gradientNorm', 'curvature', 'sharpness', 'noiseScale', 'updateRatios'] as const;

/** What is recorded. */
export type Recorded = (typeof kinds)[number];

export interface DiagnosticsOptions {
  /** Steps between two records; 100 by default. */
  everySteps?: number;
  /** Data that is looked at, with its targets y; by default the batch of the step that was just made. No part of a config. */
  x?: ByPort<InputLike>;
  y?: Targets;
  /** ['gradientNorm', 'curvature', 'updateRatios'] by default; also 'sharpness' (some 30 times the cost of a step) and 'noiseScale'. */
  record?: readonly Recorded[];
  /** Rows that are computed at a time, 256 by default. */
  batchSize?: number;
  /** Whether dropout drops; false by default. */
  training?: boolean;
  /** Fixes what is drawn: dropout's masks, the start vector of 'sharpness'. 0 by default. */
  seed?: number;
  /** Of 'sharpness': most products of the Hessian with a vector; 30 by default. */
  iterations?: number;
  /** Of 'sharpness', relative; 0.01 by default. */
  tolerance?: number;
}

/** One look at a training. What was not asked for is missing. */
export interface DiagnosticsRecord {
  /** Counted from 0. */
  epoch: number;
  /** Steps that the optimizer had made. */
  step: number;
  /** ε of the next update. */
  learningRate: number;
  /** The training loss, with regularizers, on the data that was looked at. */
  loss: number;
  /** ‖g‖₂ */
  gradientNorm?: number;
  /** gᵀg and gᵀHg; whether ½ε²gᵀHg > εgᵀg. */
  gTg?: number;
  gTHg?: number;
  harmful?: boolean;
  /** Of the Hessian; 2/ε; negative and positive eigenvalues. */
  largestEigenvalue?: number;
  smallestEigenvalue?: number;
  limit?: number;
  saddle?: boolean;
  /** tr(Σ)/|G|², in rows, and the standard error σ/√n of one example's gradient: σ. */
  noiseScale?: number;
  sigma?: number;
  /** ‖Δw‖/‖w‖ of the step after the record, by the name of the weight. */
  updateRatios?: Record<string, number>;
}

interface State {
  records: DiagnosticsRecord[];
  /** The weights before the step whose ratios belong to the last record. */
  before: Tensor[] | null;
}

const where = 'callbacks.diagnostics';

/** Parts that data is cut into for 'noiseScale', and rows of one, at most. */
const kParts = 16;
const kPartRows = 32;

function checkRecord(value: unknown): Recorded[] {
  if (value === undefined) return ['gradientNorm', 'curvature', 'updateRatios'];
  if (!Array.isArray(value) || value.length === 0)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${where}: record must be a list of ${kinds.join(', ')}; received ${show(value)}.`,
    );
  return value.map((item: unknown, i) => checkOneOf(`${where}: record[${i}]`, item as Recorded, kinds));
}

function sameTypes(a: RowTypes, b: RowTypes): boolean {
  const same = (one: RowType | null, other: RowType | null) =>
    one && other ? one.dtype === other.dtype && sameShape(one.shape, other.shape) : one === other;
  const [ours, theirs] = [a, b].map(({ targets, weights }) => [...targets, ...weights]);
  return ours.every((type, i) => same(type, theirs[i] ?? null));
}

type Checked = Required<Omit<DiagnosticsOptions, 'x' | 'y'>>;

export class Diagnostics extends Saver {
  override readonly looks = true;
  /** A fit may go on without it. */
  readonly optionalState = true;
  readonly #options: Checked;
  readonly #given: { x: ByPort<InputLike>; y: Targets } | null;
  #state: State = { records: [], before: null };
  /** Of the given data, while a fit runs. */
  #data: Data | null = null;
  #probe: Probe | null = null;

  constructor(options: DiagnosticsOptions = {}) {
    super();
    // A config holds no data: without it, a rebuilt callback looks at the batch in hand.
    const read = new Options<DiagnosticsOptions>(where, options, [
      'everySteps',
      'x',
      'y',
      'record',
      'batchSize',
      'training',
      'seed',
      'iterations',
      'tolerance',
    ]);
    const { x, y } = read.raw;
    if ((x === undefined) !== (y === undefined))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${where}: give x and y, or neither; received ${x === undefined ? 'y' : 'x'} alone.`,
      );
    this.#given = x === undefined || y === undefined ? null : { x, y };
    this.#options = {
      everySteps: read.count('everySteps', 100),
      record: checkRecord(read.raw.record),
      batchSize: read.count('batchSize', 256),
      training: read.flag('training', false),
      seed: read.count('seed', 0, { min: 0, max: 2 ** 32 - 1 }),
      iterations: read.count('iterations', 30),
      tolerance: read.number('tolerance', 0.01, { above: 0 }),
    };
  }

  getConfig(): Config {
    return { ...this.#options, record: [...this.#options.record] };
  }

  /** One per `everySteps` steps of the fit. */
  get records(): readonly DiagnosticsRecord[] {
    return this.#state.records;
  }

  getState(): State {
    return { records: [...this.#state.records], before: this.#state.before };
  }

  setState({ records, before }: State): void {
    this.#state = { records: [...records], before };
  }

  checkState(state: unknown, place: string): void {
    const claims = Claims.of(place, state);
    const { records, before } = claims.values;
    if (!Array.isArray(records)) claims.fail('records', 'a list');
    for (const [i, record] of (records as unknown[]).entries()) {
      const each = Claims.of(`${place}.records[${i}]`, record);
      for (const key of ['epoch', 'step'] as const) each.count(key);
      for (const key of ['learningRate', 'loss'] as const) each.number(key);
    }
    const { weights } = this.model!;
    const fits = (value: unknown, i: number) =>
      value instanceof Tensor && value.dtype === 'float32' && sameShape(value.shape, weights[i].shape);
    if (before !== null && !(Array.isArray(before) && before.length === weights.length && before.every(fits)))
      claims.fail('before', 'null or tensors of the shapes of the weights');
  }

  onTrainBegin(): void {
    this.#state = { records: [], before: null };
    this.#forget();
  }

  onTrainEnd(): void {
    this.#forget();
  }

  override stepsLeft(step: number): number {
    const { everySteps } = this.#options;
    return this.#state.before ? 1 : everySteps - (step % everySteps);
  }

  override async between({ kind, epoch, step }: Moment): Promise<void> {
    if (kind !== 'step') return;
    const { before, records } = this.#state;
    const last = records.at(-1);
    // A resumed fit asks again at the step at which it was saved.
    if (last?.step === step) return;
    if (before && last) {
      records[records.length - 1] = { ...last, updateRatios: await updateRatios(this.model!, before) };
      this.#state.before = null;
    }
    if (step > 0 && step % this.#options.everySteps === 0) await this.#look(epoch, step);
  }

  override async finish(): Promise<void> {}

  async #look(epoch: number, step: number): Promise<void> {
    const net = this.model!;
    const data = await this.#rows(net);
    if (!data) return;
    const { batchSize, record, iterations, tolerance } = this.#options;
    const probe = this.#probeFor(net, data);
    const batches = data.batches(batchSize);
    const { learningRate } = probe.compiled.optimizer;
    const gradient = await probe.gradient(batches);
    const found: DiagnosticsRecord = { epoch, step, learningRate, loss: gradient.loss };
    if (record.includes('gradientNorm'))
      found.gradientNorm = (await normsOf(probe, gradient.vector, gradient.loss)).norm;
    if (record.includes('curvature')) {
      const { gTg, gTHg, harmful } = await curvatureOf(probe, batches, gradient, learningRate);
      Object.assign(found, { gTg, gTHg, harmful });
    }
    gradient.vector.dispose();
    if (record.includes('sharpness')) {
      const ends = await sharpnessOf(probe, batches, { iterations, tolerance }, 'lanczos', learningRate);
      const { largest, smallest, limit, saddle } = ends;
      Object.assign(found, { largestEigenvalue: largest, smallestEigenvalue: smallest, limit, saddle });
    }
    if (record.includes('noiseScale')) Object.assign(found, await this.#noise(probe, data));
    this.#state.records.push(found);
    if (record.includes('updateRatios')) this.#state.before = net.getWeights();
  }

  async #noise(probe: Probe, data: Data): Promise<Pick<DiagnosticsRecord, 'noiseScale' | 'sigma'>> {
    const size = Math.max(1, Math.min(kPartRows, Math.floor(data.rows / kParts)));
    const count = Math.min(kParts, Math.floor(data.rows / size));
    if (count < 2) return {};
    const parts = (i: number): Batch => data.batch(i * size, (i + 1) * size, i);
    const { noiseScale, sigma } = await noiseOf(
      probe,
      size,
      count,
      async (i) => (await probe.gradient([parts(i)])).vector,
    );
    return { noiseScale, sigma };
  }

  /** The given rows, or those of the last step. */
  async #rows(net: Model): Promise<Data | null> {
    if (this.#given) {
      this.#data ??= await Data.of(where, net, compiledOf(where, net), this.#given.x, this.#given.y);
      return this.#data;
    }
    const batch = net.trainingBatch(1);
    return batch && Data.ofBatch(net, batch);
  }

  #probeFor(net: Model, { types }: Data): Probe {
    const known = this.#probe;
    if (known && sameTypes(known.types, types)) known.refresh();
    else this.#probe = new Probe(where, net, compiledOf(where, net), types, this.#options);
    return this.#probe!;
  }

  #forget(): void {
    this.#data = null;
    this.#probe = null;
  }
}

/**
 * Looks at the training loss after every `everySteps` steps: ‖g‖, gᵀg and gᵀHg with the lecture's verdict, the ends of the Hessian's spectrum
 * beside 2/ε, the gradient noise scale, and how far the next step moves each weight. The numbers are in `records`. Training does not notice: its
 * weights are the same to the bit. Records are saved and resumed with the model.
 *
 * @param options everySteps (100), x and y (the batch of the step just made), record, batchSize (256), training (false), seed (0), iterations (30)
 *   and tolerance (0.01) of the sharpness
 * @throws UNKNOWN_OPTION, INVALID_ARGUMENT; the fit rejects with SHAPE_MISMATCH where x or y do not fit the model
 * @example
 * const watch = callbacks.diagnostics({ everySteps: 50, record: ['curvature', 'sharpness'] });
 * await net.fit(x, y, { epochs: 10, callbacks: [watch] });
 * watch.records.map(({ step, gTg, gTHg }) => [step, gTg, gTHg]);
 * @see diagnostics.curvature, diagnostics.sharpness, diagnostics.noiseScale, diagnostics.updateRatios
 */
export function diagnostics(options?: DiagnosticsOptions): Diagnostics {
  return new Diagnostics(options);
}
