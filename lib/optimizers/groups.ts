// Parameter groups: options of their own for variables by name.
import type { Config } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import { checkText } from '../options.js';
import { checkSchedule, type ScheduleLike } from '../schedules/schedule.js';
import type { Variable } from '../tensor/variable.js';
import type { UpdateRule } from './common.js';
import { Rate } from './rate.js';

/** A RegExp that names match in part, one whole name, or a list of whole names; { regExp, flags } is how a config holds a RegExp. */
export type Match = RegExp | string | readonly string[] | { readonly regExp: string; readonly flags?: string };

/** Options that no group can have: they are of the whole optimizer. */
const ofAll = [
  'globalClipNorm',
  'useEma',
  'emaMomentum',
  'emaOverwriteFrequency',
  'gradientAccumulationSteps',
  'name',
  'preset',
  'groups',
  'skipNonFinite',
  'lossScaleFactor',
  'lossScale',
] as const;
type OfAll = (typeof ofAll)[number];

/** Options of the variables that match; what is not given is the optimizer's. */
export type GroupOptions<All> = Partial<Omit<All, OfAll>> & {
  /** Names of variables, such as "dense/kernel". */
  match: Match;
};

const clips = ['clipNorm', 'clipValue', 'adaptiveClipFactor'];

/** What a group needs of its optimizer. */
export interface GroupOwner {
  /** Of the variables outside of groups, and of groups without their own. */
  readonly rate: Rate;
  /** A rate at the next update. */
  next(rate: Rate): number;
  /** Tells the native updaters. */
  changed(): void;
}

/** A group as given, checked: its matcher, and the options that a whole optimizer with its numbers would have. */
export class CheckedGroup {
  readonly match: RegExp | string | readonly string[];
  /** As given, without match. */
  readonly own: Config;
  readonly merged: Config;

  constructor(
    readonly where: string,
    given: unknown,
    raw: object,
  ) {
    if (typeof given !== 'object' || given === null || Array.isArray(given))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${where} must be an object { match, …options }; received ${show(given)}.`,
      );
    const { match, ...own } = given as Config;
    this.match = matchOf(`${where}: match`, match);
    for (const key of Object.keys(own))
      if ((ofAll as readonly string[]).includes(key))
        throw new DownhillError(
          'INVALID_ARGUMENT',
          `${where}: ${key} is an option of the whole optimizer. Leave it out of the group.`,
        );
    this.own = own;
    // A clip of the group's own stands in place of the optimizer's.
    const replaced = clips.some((clip) => own[clip] !== undefined) ? clips : [];
    const inherited = Object.fromEntries(
      Object.entries(raw).filter(([key]) => !['groups', 'lossScale', ...replaced].includes(key)),
    );
    this.merged = { ...inherited, ...own };
  }

  /** Runs what makes an optimizer of `merged`; its errors name the group. */
  within<T>(make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof DownhillError)) throw error;
      throw new DownhillError(error.code, `${this.where}: ${error.message}`, { cause: error });
    }
  }
}

function matchOf(what: string, match: unknown): RegExp | string | readonly string[] {
  if (match instanceof RegExp) return new RegExp(match.source, match.flags.replace(/[gy]/g, ''));
  if (typeof match === 'string') return checkText(what, match);
  if (Array.isArray(match) && match.length > 0) return match.map((name, i) => checkText(`${what}[${i}]`, name));
  if (typeof match === 'object' && match !== null && typeof (match as Config).regExp === 'string') {
    const { regExp, flags = '' } = match as { regExp: string; flags?: string };
    try {
      return matchOf(what, new RegExp(regExp, flags));
    } catch {
      throw new DownhillError('INVALID_ARGUMENT', `${what} is no regular expression; received ${show(match)}.`);
    }
  }
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${what} must be a RegExp, the name of a variable or a list of names; received ${show(match)}.`,
  );
}

/** One parameter group of an optimizer. */
export class ParameterGroup {
  readonly match: RegExp | string | readonly string[];
  readonly #where: string;
  readonly #own: Config;
  readonly #owner: GroupOwner;
  #rate: Rate | null = null;
  #warned = false;

  /** @internal */
  constructor(
    group: CheckedGroup,
    /** Hyperparameters by the native names. @internal */
    readonly hyper: UpdateRule['hyper'],
    owner: GroupOwner,
  ) {
    this.match = group.match;
    this.#where = group.where;
    this.#own = group.own;
    this.#owner = owner;
    const { learningRate } = group.own;
    if (learningRate !== undefined) this.#setRate(learningRate as number | ScheduleLike);
  }

  /** Step size of the next update: its own, or the optimizer's. Setting it gives the group its own, whatever the optimizer's becomes. */
  get learningRate(): number {
    return this.#owner.next(this.#rate ?? this.#owner.rate);
  }

  set learningRate(value: number | ScheduleLike) {
    this.#setRate(value);
    this.#owner.changed();
  }

  #setRate(value: number | ScheduleLike): void {
    const what = `${this.#where}: learningRate`;
    if (this.#rate) this.#rate.set(value);
    else this.#rate = new Rate(what, checkSchedule(what, value), this.hyper.learningRate);
  }

  /** Its own rate, if any. @internal */
  get rate(): Rate | null {
    return this.#rate;
  }

  has(name: string): boolean {
    return this.match instanceof RegExp ? this.match.test(name) : [this.match].flat().includes(name);
  }

  /** Warns once where no variable is meant, which is a slip more often than not. @internal */
  checkMatches(variables: readonly Variable[]): void {
    if (this.#warned) return;
    const names = variables.map(({ name }) => name);
    const missing = (this.match instanceof RegExp ? [String(this.match)] : [this.match].flat()).filter((text) =>
      this.match instanceof RegExp ? !names.some((name) => this.has(name)) : !names.includes(text),
    );
    if (missing.length === 0) return;
    this.#warned = true;
    const known = names.length > 8 ? `${names.slice(0, 8).join(', ')}, …` : names.join(', ');
    process.emitWarning(
      `${this.#where}: ${missing.join(', ')} matches none of the variables that are updated: ${known}.`,
      'DownhillWarning',
    );
  }

  /** What makes an equal group, with the rate of the moment. */
  getConfig(): Config {
    const { match } = this;
    const config = match instanceof RegExp ? { regExp: match.source, flags: match.flags } : match;
    return { match: config, ...this.#own, ...(this.#rate && { learningRate: this.#rate.value }) };
  }
}

/** The one rule that does what all of them do. */
export function ruleOfAll(where: string, rules: readonly UpdateRule[]): UpdateRule {
  const found = rules.find(({ rule }) => rules.every((other) => other.rule === rule || other.within?.includes(rule)));
  if (!found)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${where}: groups may differ from the optimizer in numbers, not in the rule; theirs are ` +
        `${[...new Set(rules.map(({ rule }) => rule))].join(' and ')}.`,
    );
  return found;
}
