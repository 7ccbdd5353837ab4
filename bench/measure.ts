// One case, on all sides by turns.
import type { Case, Outcome } from './cases/index.js';
import { type Contender, ours, type Running } from './contenders.js';
import { untilIdle, watchOthers } from './idle.js';
import { median, type Spread, spread } from './stats.js';

export interface Row {
  name: string;
  kind: Case['kind'];
  title: string;
  unit: string;
  /** Of the rounds' medians, by contender. */
  times: Record<string, Spread>;
  /** Their time ÷ ours, round by round. */
  ratios: Record<string, Spread>;
  /** In the order of the times. */
  gflops?: Record<string, number>;
  /** GB/s, of the bytes that an update must move. */
  gigabytes?: Record<string, number>;
  /** What contenders with a choice have chosen. */
  ways?: Record<string, string>;
  /** The largest share of the machine's time that other processes took during a run. */
  others: number;
}

export interface Measuring {
  rounds: number;
  threads: number;
  /** Waits for an idle machine, and repeats what others disturbed. */
  wait: boolean;
  /** One process per contender for all cases, in place of one for each run. */
  keep: boolean;
}

/** Minutes to wait for an idle machine, the share of others that spoils a run, and how often to try again. */
const patience = { minutes: 10, share: 0.12, tries: 8 };

export class Measurement {
  readonly versions: Record<string, string> = {};
  readonly #kept = new Map<Contender, Running>();

  constructor(
    readonly contenders: readonly Contender[],
    readonly how: Measuring,
  ) {}

  /** All rounds of a case; null where our side cannot do it. */
  async row(one: Case): Promise<Row | null> {
    let busiest = 0;
    let contenders = this.contenders.filter((contender) => contender.takes(one));
    const medians: Record<string, number[]> = Object.fromEntries(contenders.map(({ name }) => [name, []]));
    const ways: Record<string, string> = {};
    for (let round = 0; round < this.how.rounds; round++) {
      // Every other round in reverse, so that nobody always runs on the warmer machine.
      for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
        const ran = await this.#run(contender, one);
        if (typeof ran === 'string') {
          console.log(`${one.name}: ${contender.name} is left out: ${ran}`);
          if (contender === ours) return null;
          contenders = contenders.filter((other) => other !== contender);
          continue;
        }
        const { outcome, others } = ran;
        busiest = Math.max(busiest, others);
        Object.assign(this.versions, outcome.versions);
        if (outcome.way) ways[contender.name] = outcome.way;
        medians[contender.name]!.push(median(outcome.samples));
      }
    }
    return rowOf(one, contenders, medians, ways, busiest);
  }

  async end(): Promise<void> {
    for (const running of this.#kept.values()) await running.close();
    this.#kept.clear();
  }

  /** One run, and the share of others in it; or why there is none. Our own failures are thrown. */
  async #run(contender: Contender, one: Case): Promise<{ outcome: Outcome; others: number } | string> {
    for (let attempt = 1; ; attempt++) {
      if (this.how.wait && !(await untilIdle(patience.minutes)))
        console.log(`The machine was never idle in ${patience.minutes} minutes; going on.`);
      const running = this.#kept.get(contender) ?? contender.start(this.how.threads);
      const others = watchOthers();
      let answer: Awaited<ReturnType<Running['run']>>;
      try {
        answer = await running.run(one);
      } catch (error) {
        this.#kept.delete(contender);
        if (contender === ours) throw error;
        return (error as Error).message.split('\n').at(-1)!;
      }
      const share = others('samples' in answer ? answer.cpuSeconds : 0);
      if (this.how.keep) this.#kept.set(contender, running);
      else await running.close();
      if ('unsupported' in answer) return answer.unsupported;
      if (!this.how.wait || share <= patience.share || attempt === patience.tries)
        return { outcome: answer, others: share };
      console.log(`${one.name}: others took ${(share * 100).toFixed(0)} % beside ${contender.name}; again`);
    }
  }
}

function rowOf(
  one: Case,
  contenders: readonly Contender[],
  medians: Record<string, number[]>,
  ways: Record<string, string>,
  busiest: number,
): Row {
  const times = Object.fromEntries(contenders.map(({ name }) => [name, spread(medians[name]!)]));
  const own = medians[ours.name]!;
  const peers = contenders.filter((contender) => contender !== ours);
  const ratios = Object.fromEntries(
    peers.map(({ name }) => [name, spread(medians[name]!.map((time, round) => time / own[round]!))]),
  );
  const row: Row = {
    name: one.name,
    kind: one.kind,
    title: one.title,
    unit: one.kind === 'train' ? 'µs per step' : 'µs per call',
    times,
    ratios,
    ...(Object.keys(ways).length > 0 && { ways }),
    others: Number(busiest.toFixed(3)),
  };
  /** 10⁹ per second, of so many per call. */
  const rates = (count: number, digits: number) =>
    Object.fromEntries(
      Object.entries(times).map(([name, time]) => [name, Number((count / time.median / 1000).toFixed(digits))]),
    );
  if (one.kind === 'update') row.gigabytes = rates(one.arrays * one.tensors * one.elements * 4, 1);
  if (one.kind === 'matmul') row.gflops = rates(2 * one.m * one.k * one.n, 0);
  return row;
}
