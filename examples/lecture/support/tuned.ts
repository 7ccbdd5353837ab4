// Optimizers compared at the best of several learning rates each, as the Adam paper does.
import { type optimizers, seed as seedRandom, type sequential } from 'downhill';

type Model = ReturnType<typeof sequential>;

export interface Choice {
  make(learningRate: number): optimizers.Optimizer;
  rates: readonly number[];
}

export interface Tuned {
  title: string;
  learningRate: number;
  /** Training loss by epoch, at that rate. */
  values: number[];
}

/** Trains a fresh model with every choice at all of its rates; keeps the rate with the lowest training loss at the end. */
export async function tune(
  choices: Record<string, Choice>,
  build: () => Model,
  fit: (net: Model) => Promise<number[]>,
  seed: number,
): Promise<Tuned[]> {
  const results: Tuned[] = [];
  for (const [title, { make, rates }] of Object.entries(choices)) {
    const runs: Tuned[] = [];
    for (const learningRate of rates) {
      seedRandom(seed);
      using net = build();
      net.compile({ optimizer: make(learningRate), loss: 'sparseCategoricalCrossentropy' });
      runs.push({ title, learningRate, values: await fit(net) });
    }
    results.push(runs.reduce((best, run) => (run.values.at(-1)! < best.values.at(-1)! ? run : best)));
  }
  return results;
}

export function printTuned(results: readonly Tuned[], epochs: readonly number[]): void {
  console.table(
    Object.fromEntries(
      results.map(({ title, learningRate, values }) => [
        title,
        {
          'best rate': learningRate,
          ...Object.fromEntries(epochs.map((epoch) => [`epoch ${epoch}`, values[epoch - 1].toFixed(4)])),
        },
      ]),
    ),
  );
}
