// The addon's exports, declared once. native/addon/ implements exactly these; a test compares the names.
// Only this folder knows them. Handles are opaque; the addon checks their type and throws, it never trusts them.

export type DType = 'float32' | 'int32';
/** How matrix products are computed: native/backend/device.h. */
export type Precision = 'float32' | 'tf32' | 'bfloat16';
/** Of random initial values. */
export type Distribution = 'uniform' | 'normal' | 'truncatedNormal';
export type NumericArray = Float32Array | Int32Array | Uint8Array | Float64Array;

declare const tag: unique symbol;
interface Handle<Name extends string> {
  readonly [tag]: Name;
}
/** A view of native memory; released when garbage-collected or disposed. */
export type Storage = Handle<'Storage'>;
export type Graph = Handle<'Graph'>;
export type Program = Handle<'Program'>;
export type Workspace = Handle<'Workspace'>;
export type Schedule = Handle<'Schedule'>;
export type Updater = Handle<'Updater'>;
export type Dataset = Handle<'Dataset'>;
export type Session = Handle<'Session'>;

/** State of an epoch after a stretch of steps. */
export interface Stretch {
  /** Batches and rows finished in this epoch so far. */
  steps: number;
  rows: number;
  /** The epoch has ended. */
  done: boolean;
  aborted: boolean;
  /** Sums of the logs over the epoch so far, and the logs of the last batch alone. */
  sums: Float64Array;
  last: Float64Array;
  /** Batches with a non-finite loss so far in this epoch (onNonFinite 'warn' and 'ignore'). */
  nonFinite: number;
}

export interface UpdaterOptions {
  /** 0: none. */
  globalClipNorm: number;
  /** Steps whose gradients make one update, by their mean. */
  accumulationSteps: number;
  /** Schedules count steps, so that an update has the number of its last one; else updates. */
  scheduleByStep: boolean;
  /** null: no moving average. */
  emaMomentum: number | null;
  /** Updates after which the parameters become their averages; 0: never. */
  emaOverwriteFrequency: number;
  /** An update with a gradient that is not finite changes nothing. */
  skipNonFinite: boolean;
  /** Fixed: gradients are divided by it. */
  lossScaleFactor: number;
  /** One that the updates change: a float32, and an int32 that counts finite updates since the last change. */
  dynamicLossScale: { scale: Storage; finiteSteps: Storage; growthSteps: number } | null;
}

/** Graph programs that follow the pass of an update, with the variables that they write, and where they find the scalars of a step. */
export interface UpdateGraphs {
  programs: { graph: Graph; writes: [Storage, number][] }[];
  /** Scalars of the rule of a group, or with null keep, take and overwrite of the moving average; 4 bytes each, in one arena. */
  scalars: { group: number | null; at: Storage[] }[];
}

/** A device as the core lists it; of the CPU, its id alone. */
export interface NativeDevice {
  id: string;
  available: boolean;
  reason?: string;
  name?: string;
  /** The newest CUDA that the driver is for, such as "13.0". */
  driver?: string;
  computeCapability?: string;
  memory?: number;
  freeMemory?: number;
}

/** Bytes of a device's memory in use by this process. */
export interface DeviceMemory {
  bytes: number;
  peakBytes: number;
  /** Given back and kept for the next request. */
  keptBytes: number;
  /** 0: none. */
  limit: number;
  /** Requests so far. */
  requests: number;
}

export interface OpRow {
  name: string;
  kind: 'unary' | 'binary' | 'ternary' | 'other' | 'composite';
  arity: number;
  attributes: string;
  gradient: string;
}

/** Errors thrown by the addon are plain Errors with a `code` property; binding/index.ts turns them into DownhillError. */
export interface NativeBinding {
  // ---- process --------------------------------------------------------------------------------
  threads(): number;
  setThreads(count: number): void;
  isa(): string;
  isas(): string[];
  selectIsa(name: string): void;
  cpuName(): string;
  /** Live bytes and allocations so far of native buffers. */
  memory(): { bytes: number; allocations: number };

  // ---- devices --------------------------------------------------------------------------------
  /** The CPU, then those of each other kind, or the kind itself with the reason why it has none. */
  devices(): NativeDevice[];
  /** Opens a device and returns its id ("cuda" is "cuda:0"). Throws DEVICE_UNAVAILABLE with the reason, UNKNOWN_NAME. */
  deviceOpen(id: string): string;
  /** null: the device has no memory of its own. */
  deviceMemory(id: string): DeviceMemory | null;
  /** 0: none. Throws UNSUPPORTED for the CPU. */
  setDeviceMemoryLimit(id: string, bytes: number): void;

  // ---- storage --------------------------------------------------------------------------------
  /**
   * Views of one new zero-filled buffer, each aligned, in order. Sizes in bytes. device: where it is first used. rows: they are gradients that steps may
   * write by rows; whether the optimizer updates such rows alone, for programDescribe.
   */
  arena(sizes: number[], device?: string, rows?: boolean[]): Storage[];
  /** Copies values, converting to dtype (float64 to float32, uint8 to either, …). */
  storageFrom(values: NumericArray, dtype: DType): Storage;
  /** A fresh typed array with the values of one storage. Blocks while pending; throws the job's error. */
  storageRead(storage: Storage, dtype: DType): Float32Array | Int32Array;
  /** Copies of several storages as of one moment (the last finished step), under one lock. */
  storagesCopy(storages: Storage[]): Storage[];
  /** Overwrites storages under one lock. Element counts must match. dtype: of the targets. */
  storagesWrite(storages: Storage[], dtypes: DType[], values: (NumericArray | Storage)[]): void;
  /** Gives every element of float32 storages this value. */
  storagesFill(storages: Storage[], value: number): void;
  storageBytes(storage: Storage): number;
  /** Where the values are: the device that computed them last, or "cpu". */
  storageDevice(storage: Storage): string;
  storageDispose(storage: Storage): void;
  /**
   * Fills a float32 storage with Philox draws, key (seed, stream), counter element: uniform in [a, b), or normal with mean a, deviation b,
   * truncated at two deviations or not.
   */
  storageRandom(storage: Storage, kind: Distribution, a: number, b: number, seed: number, stream: number): void;
  /** Fills a float32 storage (rows, columns) with gain times a random matrix with orthonormal columns, or rows where they are fewer. */
  storageOrthogonal(storage: Storage, rows: number, columns: number, gain: number, seed: number, stream: number): void;
  /** Fills a float32 storage (inputs, units): so many entries of each column are normal, the others 0. */
  storageSparse(
    storage: Storage,
    inputs: number,
    units: number,
    connections: number,
    deviation: number,
    seed: number,
    stream: number,
  ): void;

  // ---- graph ----------------------------------------------------------------------------------
  graphNew(): Graph;
  graphInput(graph: Graph, shape: number[], dtype: DType, label: string): number;
  graphConstant(graph: Graph, storage: Storage, shape: number[], dtype: DType): number;
  graphVariable(graph: Graph, storage: Storage, shape: number[], dtype: DType, label: string): number;
  graphScalar(graph: Graph, value: number, dtype: DType): number;
  /** Adds an op of native/ops/ops.def; flags as booleans, dtype attributes by name. Throws with op and shapes. */
  graphAdd(
    graph: Graph,
    op: string,
    inputs: number[],
    attrs: Record<string, number | boolean | string | number[]>,
  ): number;
  graphShape(graph: Graph, node: number): number[];
  graphDtype(graph: Graph, node: number): DType;
  /** Prefix of messages, and label of nodes, while a layer is traced; '' ends it. */
  graphScope(graph: Graph, scope: string): void;
  /**
   * Until graphLeave, nodes are those of one call of a layer. recompute: the backward pass computes again what it makes. Calls within one are part of it,
   * but for those that are recomputed where it is not.
   */
  graphEnter(graph: Graph, recompute: boolean): void;
  graphLeave(graph: Graph): void;
  /** Nodes of d output / d wrt[i], times seed (a node of output's shape; -1: output is a scalar and the seed 1). */
  graphGradients(graph: Graph, output: number, wrt: number[], seed: number): number[];
  graphDescribe(graph: Graph): string;
  /** Rows of the op table, for the test that compares it with lib/graph. */
  ops(): OpRow[];

  // ---- programs -------------------------------------------------------------------------------
  workspaceNew(): Workspace;
  /**
   * Plans and compiles for a device. targets (parallel to outputs, or empty): a storage that the output is written to, or null.
   * writes: state written back when the program has run. limit: bytes that a training step may take, and those of them that lie outside of the program;
   * beyond it layers are computed again for the backward pass. Throws MEMORY_LIMIT where that is not enough.
   */
  compile(
    graph: Graph,
    outputs: number[],
    targets: (Storage | null)[],
    writes: [Storage, number][],
    device: string,
    precision: Precision,
    limit?: { bytes: number; other: number } | null,
  ): Program;
  programDescribe(program: Program): string;
  /** What a precision of matrix products comes to on a device. */
  products(device: string, precision: Precision): Precision;
  /** arenaBytes: of what steps compute. workspaceBytes: with scratch. batchBytes: of the buffers of batches. again: ops that the backward pass repeats. */
  programStats(program: Program): {
    steps: number;
    arenaBytes: number;
    workspaceBytes: number;
    batchBytes: number;
    again: number;
    flops: number;
    bytes: number;
  };
  /**
   * Runs once with inputs in graph order. Small work with ready inputs runs before this returns and `done` is null; other
   * work is queued, the outputs are pending, and `done` settles when they are filled. Outputs with a target are not returned.
   * step: the counter of dropout.
   */
  programRun(
    program: Program,
    workspace: Workspace,
    inputs: Storage[],
    step: number,
  ): [done: Promise<void> | null, ...outputs: Storage[]];

  // ---- profiles -------------------------------------------------------------------------------
  /** The steps of a plan, in their order, with estimates of their FLOPs and bytes. */
  programSteps(
    program: Program,
  ): { op: string; label: string; inputs: number[][]; outputs: number[][]; flops: number; bytes: number }[];
  /**
   * Runs a program on a native thread until so many runs or milliseconds are over, at least once, beginning with the batch and step of
   * number `first`: on inputs, or on batches of a data set, and then an update, of variables that nobody else uses. Its state is not written.
   * Gives (runs, 3 + steps): seconds of gathering, of the update, of the whole run, then of each step. Rejects with UNSUPPORTED where the
   * device cannot tell.
   */
  programProfile(
    job: {
      program: Program;
      workspace: Workspace;
      inputs: Storage[];
      dataset: Dataset | null;
      rows: number;
      shuffled: boolean;
      updater: Updater | null;
    },
    first: number,
    runs: number,
    milliseconds: number,
  ): Promise<Float64Array>;
  /**
   * What the CPU can do at most, per second and with all threads: FLOPs, bytes in memory, bytes in caches. cache: bytes that a step may move to be
   * compared with the latter. Measured once per process, number of threads and instruction set.
   */
  limits(): Promise<{ flops: number; bytes: number; cachedBytes: number; cache: number }>;

  // ---- updates --------------------------------------------------------------------------------
  /** Names and slot counts of the rules of native/optim/rules.def, and how many scalars of a step their programs read. */
  rules(): { name: string; slots: number; scalars: number }[];
  /** Whether a rule with these hyperparameters may leave elements whose gradient is 0 as they are. */
  ruleRests(rule: string, hyper: Record<string, number | boolean>): boolean;
  /**
   * One update of many variables: segments in arena order, adjacent ones are merged. groups: a rule, and hyperparameters by the names of
   * native/optim/rule.cpp. graphs: what follows the pass; slot 0 of a segment whose rule is a program takes the gradient to it. Segments have an accumulator where
   * options.accumulationSteps is above 1, and an average where options.emaMomentum is a number.
   */
  updaterNew(
    segments: {
      parameter: Storage;
      gradient: Storage;
      slots: Storage[];
      group: number;
      accumulator: Storage | null;
      average: Storage | null;
      /** Units of adaptive clipping: element i is of unit i mod columns. */
      columns: number;
    }[],
    groups: { rule: string; hyper: Record<string, number | boolean> }[],
    options: UpdaterOptions,
    graphs: UpdateGraphs | null,
  ): Updater;
  updaterSet(updater: Updater, group: number, name: string, value: number): void;
  updaterGet(updater: Updater, group: number, name: string): number;
  /** The rate by update, or by step with scheduleByStep, counted from 0, in place of the group's learningRate; null: none. */
  updaterSchedule(updater: Updater, group: number, schedule: Schedule | null): void;
  /** Steps so far, also those that only accumulated. */
  updaterIterations(updater: Updater): number;
  /** Updates that were skipped, which iterations counts with all their steps. */
  updaterSkipped(updater: Updater): number;
  updaterSetIterations(updater: Updater, iterations: number, skipped: number): void;
  /** One update from the gradients as they stand, on a native thread, under the variables' locks. */
  updaterApply(updater: Updater, device: string): Promise<void>;
  /** A kind of native/optim/schedule.cpp with its numbers; 'table': the first update (or step) and the rates from there on. */
  scheduleNew(kind: string, numbers: Float64Array, children: Schedule[]): Schedule;
  /** The rate of an update, counted from 0. */
  scheduleValue(schedule: Schedule, step: number): number;

  // ---- data -----------------------------------------------------------------------------------
  /**
   * Copies columns once into native memory in their own element type (Storages, with their dtype, are used in place). Each column has `rows` rows
   * of `width` elements and is converted to `dtype` while batches are gathered. Throws NON_FINITE naming column, row and
   * element when a float column holds NaN or infinity and `check` is true.
   */
  datasetNew(
    columns: {
      name: string;
      data?: NumericArray | Storage;
      storageDtype?: DType;
      /** In place of data: three columns, where rows begin, indices and values; `width`: of the matrix. */
      sparse?: { indptr: Int32Array; indices: Int32Array; values: Float32Array };
      width: number;
      dtype: DType;
    }[],
    rows: number,
    check: boolean,
  ): Dataset;
  /**
   * How many values a program must have room for in a batch of so many of its sparse rows, some of which may be there more than once; null: they
   * are dense.
   */
  datasetRoom(dataset: Dataset, rows: number, repeats: boolean): number | null;

  // ---- training -------------------------------------------------------------------------------
  /**
   * A walk over a data set by batches. Column i of the data set feeds input i of the programs.
   * train: each batch runs the program (whose gradients have targets), then the updater. evaluate: no updater.
   * predict: output j of the program holds rows that are appended to results[j].
   * For train and evaluate the first outputs are float32 with as many elements as `logs` lists, added up over the epoch in double; output 0 is the
   * sum of the loss over the rows, output 1 its weight.
   */
  sessionNew(options: {
    kind: 'train' | 'evaluate' | 'predict';
    workspace: Workspace;
    updater: Updater | null;
    logs: number[];
    results: Storage[];
    onNonFinite: 'error' | 'warn' | 'ignore';
  }): Session;
  /** The program for batches of exactly `rows` rows. */
  sessionProgram(session: Session, rows: number, program: Program): void;
  /**
   * Data of the coming epochs: rows [begin, end) of a data set. set: only these of them, counted from begin; their groups, numbered from 0,
   * whose rows stay together when shuffled; how many rows an epoch draws with replacement (0: as many as there are).
   */
  sessionData(
    session: Session,
    dataset: Dataset,
    begin: number,
    end: number,
    set: { rows: Int32Array | null; groups: Int32Array | null; draws: number } | null,
  ): void;
  /**
   * Starts an epoch at its first batch and zeroes the sums. The rows are visited as they stand, in a permutation, or as drawn with
   * replacement: from Philox (seed, draw). Batches have batchSize rows; a remainder is one smaller batch (train) or is cut into powers of
   * two (evaluate, predict).
   */
  sessionEpoch(
    session: Session,
    epoch: number,
    batchSize: number,
    order: 'stored' | 'shuffled' | 'drawn',
    seed: number,
    draw: number,
  ): void;
  /** A permutation of 0 … count - 1: the one in which a session visits its rows. */
  permutation(count: number, seed: number, draw: number): Int32Array;
  /**
   * Runs on a native thread until the epoch ends, `maxSteps` steps or `maxMilliseconds` are over, or an abort. Rejects with NON_FINITE
   * (naming epoch and step) or LABEL_OUT_OF_RANGE; the weights are then those of the last finished step. `mayRunNow`: an evaluation or
   * prediction that is over sooner than a native thread would be at it runs within the call.
   */
  sessionRun(session: Session, maxSteps: number, maxMilliseconds: number, mayRunNow: boolean): Promise<Stretch>;
  /**
   * Of a session that trains: copies of the rows of a batch, by column: 0 is the next one, or after an error the one that failed, 1 the one
   * before it, …; null where the epoch has none.
   */
  sessionBatch(session: Session, back: number): Storage[] | null;
  /** Asks a running stretch to end after the step in hand. */
  sessionAbort(session: Session): void;

  // ---- files ----------------------------------------------------------------------------------
  /**
   * Writes a file atomically on a native thread: `head`, the bytes of the storages one after the other, and, when `checksum` is true, the
   * 8 bytes (little-endian) of XXH64 of all before them. Without `versions` the storages must be private copies: no lock is held. With
   * those that storageVersions gave, the file holds the contents of that moment: false, and no file, when somebody has changed them
   * meanwhile. Rejects with FILE_ERROR.
   */
  fileWrite(
    path: string,
    head: Uint8Array,
    storages: Storage[],
    checksum: boolean,
    versions?: number[],
  ): Promise<boolean>;
  /** A number for each that changes with every write to its buffer. */
  storageVersions(storages: Storage[]): number[];
  /**
   * Reads byte ranges [offsets[i], offsets[i] + bytes of storages[i]) of a file into storages, on a native thread, streaming. With `checksum`,
   * all of the file is read and its last 8 bytes are compared with XXH64 of all before them. Rejects with FILE_ERROR or CORRUPT_FILE; the
   * storages may then hold a part of the file.
   */
  fileRead(path: string, offsets: number[], storages: Storage[], checksum: boolean): Promise<void>;
  /** The same as arena, made on a native thread. */
  arenaAsync(sizes: number[]): Promise<Storage[]>;
  /** Copies bytes into storages of the same sizes on native threads, all under one lock: nobody sees a part of it, or a mixture. */
  storagesCopyAsync(from: Storage[], to: Storage[]): Promise<void>;

  // ---- resuming -------------------------------------------------------------------------------
  /** After sessionEpoch: goes on after `steps` batches with these sums, as if they had just been done. */
  sessionSeek(session: Session, steps: number, sums: Float64Array): void;
}
