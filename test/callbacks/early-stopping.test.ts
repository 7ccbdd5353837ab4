import { callbacks, type Model } from 'downhill';
import { describe, expect, test } from 'vitest';
import { classifier, fails, quadrants, throwsAtOnce } from '../support.js';

const { x, oneHot } = quadrants(20);

/** Epochs that a fit takes when its monitored number is this in each epoch; what the callback says of itself. */
async function epochsWith(numbers: number[], options: Parameters<typeof callbacks.earlyStopping>[0]) {
  const stop = callbacks.earlyStopping({ monitor: 'watched', ...options });
  const weights: number[][] = [];
  const net = classifier();
  const feed = {
    onEpochEnd(this: { model?: Model }, epoch: number, logs: Record<string, number>) {
      logs.watched = numbers[epoch];
      weights.push([...this.model!.getWeights()[0].dataSync()]);
    },
  };
  const { epoch } = await net.fit(x, oneHot, { epochs: numbers.length, verbose: 0, callbacks: [feed, stop] });
  return { epochs: epoch.length, stop, weights, final: [...net.getWeights()[0].dataSync()] };
}

describe('earlyStopping, as Keras', () => {
  test.each([
    ['stops when it gets no better', [3, 2, 2.5, 1], {}, 3],
    ['waits for its patience', [3, 2, 2.5, 2.6, 1, 5, 5], { patience: 2 }, 4],
    ['goes on after an improvement within its patience', [3, 2, 2.5, 1, 1.5, 0.5, 0.6], { patience: 2 }, 7],
    ['takes a change of minDelta or less for none', [3, 2.95, 2.9, 1], { minDelta: 0.1 }, 2],
    ['larger is better under max', [1, 2, 3, 2.5, 4], { mode: 'max' as const }, 4],
    ['does not watch before startFromEpoch', [1, 2, 3, 4, 5], { startFromEpoch: 2 }, 4],
    ['keeps its patience only for what beats the baseline', [3, 2.9, 2.8, 2.7, 1], { baseline: 2, patience: 3 }, 5],
    ['never stops in the first epoch', [1, 2], { patience: 0 }, 2],
  ])('%s', async (_, numbers, options, expected) => {
    expect((await epochsWith(numbers, options)).epochs).toBe(expected);
  });

  test('says where it stopped and what was best, and restores the best weights', async () => {
    const run = await epochsWith([3, 1, 2, 2], { patience: 2, restoreBestWeights: true });
    expect([run.epochs, run.stop.stoppedEpoch, run.stop.bestEpoch, run.stop.best]).toEqual([4, 3, 1, 1]);
    expect(run.final).toEqual(run.weights[1]);
    const without = await epochsWith([3, 1, 2, 2], { patience: 2 });
    expect(without.final).toEqual(without.weights[3]);
    const whole = await epochsWith([3, 1, 2], { patience: 5, restoreBestWeights: true });
    expect(whole.epochs).toBe(3);
    expect(whole.final).toEqual(whole.weights[1]);
  });

  test('a key that is not there, and bad options', async () => {
    const stop = callbacks.earlyStopping();
    await fails('UNKNOWN_NAME', /val_loss/, () => classifier().fit(x, oneHot, { epochs: 2, callbacks: [stop] }));
    throwsAtOnce('OUT_OF_RANGE', /patience/, () => callbacks.earlyStopping({ patience: -1 }));
    throwsAtOnce('INVALID_ARGUMENT', /mode/, () => callbacks.earlyStopping({ mode: 'best' as never }));
  });
});
