// The training side of one model: what was compiled, its programs, gradients and memory, and who uses it at the moment.
import {
  binding,
  type Dataset,
  type Program,
  type Session,
  type Storage,
  type Updater,
  type Workspace,
} from '../binding/index.js';
import type { Logs } from '../callbacks/callback.js';
import { DownhillError } from '../errors.js';
import { LruCache } from '../graph/lru.js';
import { gradientsLike, type Weight } from '../layers/weight.js';
import { type Columns, type OnNonFinite, type RowType, wantedTarget } from './columns.js';
import type { Compiled } from './compiled.js';
import type { Network } from './network.js';
import { Pauses } from './pauses.js';
import type { Position } from './position.js';
import {
  batchRows,
  evaluateProgram,
  kPrograms,
  predictProgram,
  type RowTypes,
  trainProgram,
  typesOf,
} from './programs.js';
import { lengthOf, type Walk } from './sampling.js';

/** Gradients of the trainable weights, one arena parallel to theirs. */
interface Gradients {
  weights: readonly Weight[];
  storages: readonly Storage[];
}

/** The rows of one training step. */
export interface TrainingBatch {
  /** By column. */
  inputs: readonly Storage[];
  types: RowTypes;
  /** The first three columns are sparse rows: where they begin, indices and values. */
  sparse: boolean;
}

const text = (type: RowType | string) => (typeof type === 'string' ? type : `${type.dtype}[${type.shape.join()}]`);

export class Trainer {
  readonly network: Network;
  /** Between the steps of whatever trains the model. */
  readonly pauses = new Pauses();
  /** Where the fit stands, or the last one ended. */
  position: () => Position | null = () => null;
  #compiled: Compiled | null = null;
  #gradients: Gradients | null = null;
  readonly #programs = new LruCache<Program>(kPrograms);
  #training: Workspace | null = null;
  #reading: Workspace | null = null;
  #work: string | null = null;
  #running: Session | null = null;
  #disposed = false;
  /** Rows and targets of the latest programs, for describe(). */
  #latest: { rows: number; types: RowTypes | null; room: number | null } = { rows: 32, types: null, room: null };

  constructor(network: Network) {
    this.network = network;
  }

  /** Throws NOT_COMPILED. */
  get compiled(): Compiled {
    if (!this.#compiled)
      throw new DownhillError(
        'NOT_COMPILED',
        'The model has no optimizer and loss yet. Call net.compile({ optimizer: "sgd", loss: … }) first.',
      );
    return this.#compiled;
  }

  get isCompiled(): boolean {
    return this.#compiled !== null;
  }

  set compiled(compiled: Compiled) {
    this.#checkFree('compile');
    this.#compiled = compiled;
    this.reset();
  }

  /** Forgets programs and gradients: layers, loss or what is trainable changed. */
  reset(): void {
    this.#checkFree('change');
    this.#gradients = null;
    this.#programs.clear();
    this.#latest = { ...this.#latest, types: null, room: null };
    this.position = () => null;
  }

  /** Programs are traced anew: the seeds of layers changed. For whoever has claimed the model. */
  retrace(): void {
    this.#programs.clear();
  }

  /** What trains the model at the moment, if anything does. */
  get work(): string | null {
    return this.#work;
  }

  checkAlive(): void {
    if (this.#disposed) throw new DownhillError('DISPOSED', 'This model has been disposed of. Build a new one.');
  }

  #checkFree(wanted: string): void {
    this.checkAlive();
    if (this.#work)
      throw new DownhillError(
        'BUSY',
        `${wanted}: the model is in ${this.#work}(). Await it, or abort it with a signal, before the next call that changes the model.`,
      );
  }

  /** Makes the caller the one that trains; gives what ends that. Throws BUSY. */
  claim(work: string): () => void {
    this.#checkFree(work);
    this.#work = work;
    return () => {
      this.#work = null;
      this.#running = null;
    };
  }

  /** How many numbers the sums of loss and metrics are; 0 for a model that waits for its data. */
  get sums(): number {
    return this.network.built ? this.#sizes().reduce((total, size) => total + size, 0) : 0;
  }

  /** What sums over batches come to, by label. */
  logsOf(sums: Float64Array): Logs {
    return this.compiled.logsOf(sums, this.network.outputPorts);
  }

  /** A session that trains, for rows of the target's type. */
  trainSession(onNonFinite: OnNonFinite): Session {
    this.#training ??= binding.workspaceNew();
    const session = binding.sessionNew({
      kind: 'train',
      workspace: this.#training,
      updater: this.#updater(),
      logs: this.#sizes(),
      results: [],
      onNonFinite,
    });
    this.#running = session;
    return session;
  }

  /**
   * Copies of the rows of a step of the training in progress: 0 the next one, or after an error the one that failed, 1 the last one, …; null where
   * there is none.
   */
  batch(back: number): TrainingBatch | null {
    const { types, room } = this.#latest;
    const inputs = this.#running && types && binding.sessionBatch(this.#running, back);
    return inputs && { inputs, types, sparse: room !== null };
  }

  /** The end of a fit: weights with a moving average become it. */
  finalize(): void {
    this.compiled.optimizer.finalizeVariableValues(this.#trained().weights.map((weight) => weight.variable));
  }

  evaluateSession(onNonFinite: OnNonFinite): Session {
    this.#reading ??= binding.workspaceNew();
    return binding.sessionNew({
      kind: 'evaluate',
      workspace: this.#reading,
      updater: null,
      logs: this.#sizes(),
      results: [],
      onNonFinite,
    });
  }

  predictSession(results: Storage[]): Session {
    this.#reading ??= binding.workspaceNew();
    return binding.sessionNew({
      kind: 'predict',
      workspace: this.#reading,
      updater: null,
      logs: [],
      results,
      onNonFinite: 'ignore',
    });
  }

  /** Gives a session the rows of a walk and the programs for their batches. */
  load(
    session: Session,
    kind: 'train' | 'evaluate' | 'predict',
    data: { dataset: Dataset; columns: Columns; walk: Walk; batchSize: number },
  ): void {
    const types = kind === 'predict' ? null : typesOf(data.columns);
    const { walk } = data;
    const length = lengthOf(walk);
    const roomFor = (rows: number) => binding.datasetRoom(data.dataset, rows, walk.repeats);
    const most = Math.min(data.batchSize, length);
    if (kind === 'train') this.#latest = { rows: most, types, room: roomFor(most) };
    for (const rows of batchRows(kind, length, data.batchSize))
      binding.sessionProgram(session, rows, this.program(kind, rows, types, roomFor(rows)));
    binding.sessionData(session, data.dataset, walk.begin, walk.end, walk);
  }

  /** The program for batches of `rows` rows; `room`: for the values of sparse ones. */
  program(
    kind: 'train' | 'evaluate' | 'predict',
    rows: number,
    types: RowTypes | null,
    room: number | null = null,
  ): Program {
    const key = types ? [...types.targets, '', ...types.weights].map((type) => type && text(type)).join(' ') : '';
    const sparse = room === null ? '' : ` sparse ${room}`;
    return this.#programs.get(`${kind} ${rows} ${key}${sparse}`, () => this.#build(kind, rows, types, room));
  }

  /** The plan of the latest training step, or of a prediction, as text. */
  describe(kind: 'train' | 'predict'): string {
    const { rows, types, room } = this.latest(kind);
    return binding.programDescribe(this.program(kind, rows, types, room));
  }

  /** What the latest training step had, or a prediction of as many rows has. */
  latest(kind: 'train' | 'predict'): { rows: number; types: RowTypes | null; room: number | null } {
    const { rows, types, room } = this.#latest;
    return { rows, room, types: kind === 'train' ? (types ?? this.#usualTypes()) : null };
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    // A fit in progress ends after the step in hand; its memory goes when it has.
    if (this.#running) binding.sessionAbort(this.#running);
    if (this.#gradients && !this.#work) for (const storage of this.#gradients.storages) binding.storageDispose(storage);
    this.#gradients = null;
    this.#programs.clear();
    this.#training = null;
    this.#reading = null;
  }

  #build(kind: 'train' | 'evaluate' | 'predict', rows: number, types: RowTypes | null, room: number | null): Program {
    const { network } = this;
    if (kind === 'predict') return predictProgram(network, rows, room);
    if (kind === 'evaluate') return evaluateProgram(network, this.compiled, rows, types!, room);
    const { weights, storages } = this.#trained();
    return trainProgram(network, this.compiled, rows, types!, weights, storages, room);
  }

  #trained(): Gradients {
    if (!this.#gradients) {
      const weights = this.network.weights.filter((weight) => weight.trainable);
      const { optimizer } = this.compiled;
      const updated = weights.map(({ variable }) => optimizer.updatesRows(variable));
      this.#gradients = { weights, storages: gradientsLike(weights, this.network.device, updated) };
    }
    return this.#gradients;
  }

  #updater(): Updater {
    const { weights, storages } = this.#trained();
    return this.compiled.optimizer.bind(
      weights.map((weight) => weight.variable),
      storages,
    );
  }

  #usualTypes(): RowTypes {
    const { compiled } = this;
    const { all } = this.network.outputPorts;
    const usual = (port: (typeof all)[number], i: number): RowType | null =>
      compiled.step || compiled.needsTarget(i)
        ? (wantedTarget(port, compiled.losses[i]) ?? { shape: port.shape, dtype: 'float32' })
        : null;
    return { targets: all.map(usual), weights: all.map(() => null) };
  }

  #sizes(): number[] {
    return this.compiled.sizes(this.network.outputPorts);
  }
}
