// Where the time of a program goes: its steps, timed natively, beside what the machine can do.
import { binding, type Dataset, type Program, type Storage, type Updater, type Workspace } from '../binding/index.js';
import { checkNumber, Options } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import { profileText } from './text.js';

/** What the machine can do at most, on all threads, in 10⁹ per second. */
export interface ProfileLimits {
  /** FLOPs: multiply-adds of float32 in registers, as two each. */
  gflops: number;
  /** Bytes read and written in memory: of a copy or a pass in place, whichever is faster. */
  gigabytes: number;
  /** The same in a core's own cache: for steps of at most 1 MiB per thread. */
  cachedGigabytes: number;
}

export interface ProfileOptions {
  /** How often the program runs, 20 by default; times are medians. */
  runs?: number;
  /** In place of those that are measured, once per process. */
  limits?: Partial<ProfileLimits>;
}

export interface ProfileStep {
  /** As describe() names it, or 'gather' (rows of the batch) and 'update' (clipping, decay, the rule, what follows it). */
  readonly op: string;
  /** Layer or variable that it belongs to; '' where there is none. */
  readonly label: string;
  readonly inputs: readonly Shape[];
  readonly outputs: readonly Shape[];
  readonly microseconds: number;
  /** Of the whole run's time. */
  readonly share: number;
  /** Estimates; 0 where they are unknown. Bytes are of operands and results, once each. */
  readonly flops: number;
  readonly bytes: number;
  /** 10⁹ per second. */
  readonly gflops: number;
  readonly gigabytes: number;
  /** Which limit of the machine it would meet first. */
  readonly bound: 'compute' | 'cache' | 'memory';
  /** The least time that this limit allows ÷ the time it took. */
  readonly ofLimit: number;
}

/** What profile() gives. */
export class Profile {
  constructor(
    readonly device: string,
    readonly threads: number,
    /** Runs that were timed. */
    readonly runs: number,
    /** In their order. */
    readonly steps: readonly ProfileStep[],
    /** Of a whole run. The medians of the steps need not add up to it exactly. */
    readonly microseconds: number,
    readonly limits: ProfileLimits,
  ) {}

  get flops(): number {
    return this.steps.reduce((sum, { flops }) => sum + flops, 0);
  }

  get bytes(): number {
    return this.steps.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** A table, a line per step. */
  toString(): string {
    return profileText(this);
  }
}

/** The plan of a program. */
export interface ProgramView<O extends ProfileOptions = ProfileOptions> {
  /** As text, a line per step. */
  describe(): string;
  /** Where its time goes: runs it several times on a native thread and times every step. Nothing that lasts is written. */
  profile(options?: O): Promise<Profile>;
}

/** A part of a run. */
export type ProfilePart = Pick<ProfileStep, 'op' | 'label' | 'inputs' | 'outputs' | 'flops' | 'bytes'>;

/** What is run: a program on given inputs, or on batches of a data set; with an updater it is a training step. */
export interface ProfileJob {
  device: string;
  program: Program;
  workspace: Workspace;
  inputs: readonly Storage[];
  batches: { dataset: Dataset; rows: number; shuffled: boolean } | null;
  updater: Updater | null;
  /** What stands in the rows of gathering and updating; null: they do not count. */
  gather: ProfilePart | null;
  update: ProfilePart | null;
}

export const profileKeys = ['runs', 'limits'] as const;

/** Milliseconds that native code runs before others are asked. */
const kStretch = 50;
const kWarmUps = 2;

/** The options that all profiles have. Throws UNKNOWN_OPTION, INVALID_ARGUMENT, OUT_OF_RANGE. */
export function readProfileOptions(read: Options<ProfileOptions>): { runs: number; limits: Partial<ProfileLimits> } {
  const names = ['gflops', 'gigabytes', 'cachedGigabytes'] as const;
  const { raw } = new Options<ProfileLimits>(read.what('limits'), read.raw.limits as ProfileLimits, names);
  const given = names.filter((name) => raw[name] !== undefined);
  return {
    runs: read.count('runs', 20, { min: 1, max: 100_000 }),
    limits: Object.fromEntries(
      given.map((name) => [name, checkNumber(`${read.what('limits')}.${name}`, raw[name], { above: 0 })]),
    ),
  };
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Runs a job several times; every part has its median. */
export async function profileJob(
  job: ProfileJob,
  { runs, limits: given }: ReturnType<typeof readProfileOptions>,
): Promise<Profile> {
  const { device, program, workspace, batches, updater } = job;
  const native = {
    program,
    workspace,
    inputs: [...job.inputs],
    dataset: batches?.dataset ?? null,
    rows: batches?.rows ?? 0,
    shuffled: batches?.shuffled ?? false,
    updater,
  };
  const steps = binding.programSteps(program);
  const width = 3 + steps.length;
  await binding.programProfile(native, 0, kWarmUps, kStretch);
  const seconds: number[] = [];
  while (seconds.length < runs * width) {
    const done = seconds.length / width;
    seconds.push(...(await binding.programProfile(native, kWarmUps + done, runs - done, kStretch)));
  }
  const microseconds = Array.from(
    { length: width },
    (_, column) => 1e6 * median(Array.from({ length: runs }, (_, run) => seconds[run * width + column])),
  );
  const measured = await binding.limits();
  const limits: ProfileLimits = {
    gflops: measured.flops / 1e9,
    gigabytes: measured.bytes / 1e9,
    cachedGigabytes: measured.cachedBytes / 1e9,
    ...given,
  };
  const [gather, update, total, ...times] = microseconds;
  const parts: [ProfilePart, number][] = steps.map((step, i) => [step, times[i]]);
  if (job.gather) parts.unshift([job.gather, gather]);
  if (job.update) parts.push([job.update, update]);
  const rows = parts.map(([part, time]) => stepOf(part, time, total, limits, measured.cache));
  return new Profile(device, binding.threads(), runs, rows, total, limits);
}

function stepOf(part: ProfilePart, time: number, total: number, limits: ProfileLimits, cache: number): ProfileStep {
  const { op, label, inputs, outputs, flops, bytes } = part;
  const cached = bytes <= cache;
  const rate = (count: number) => (time > 0 ? count / time / 1e3 : 0);
  // Microseconds.
  const computing = flops / limits.gflops / 1e3;
  const moving = bytes / (cached ? limits.cachedGigabytes : limits.gigabytes) / 1e3;
  return {
    op,
    label,
    inputs,
    outputs,
    microseconds: time,
    share: total > 0 ? time / total : 0,
    flops,
    bytes,
    gflops: rate(flops),
    gigabytes: rate(bytes),
    bound: computing >= moving ? 'compute' : cached ? 'cache' : 'memory',
    ofLimit: time > 0 ? Math.max(computing, moving) / time : 0,
  };
}
