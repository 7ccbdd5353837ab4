// Online learning: streams of batches without end. When they are asked, and when they are told that it is over.
import { EventEmitter, on } from 'node:events';
import { Readable } from 'node:stream';
import { callbacks, type FitOptions } from 'downhill';
import { describe, expect, test, vi } from 'vitest';
import { classifier, close, fails, quadrants } from '../support.js';

const { x, oneHot } = quadrants(48);
const batch = (i: number) => {
  const at = 16 * (i % 3);
  return [x.subarray(2 * at, 2 * at + 32), oneHot.subarray(2 * at, 2 * at + 32)];
};
const tick = () => new Promise((resolve) => setImmediate(resolve));

/** A stream that writes down what happens to it. */
function watched({ fails = Infinity, failsToEnd = false, slow = false, error = new Error('source') } = {}) {
  const events: string[] = [];
  const source = {
    events,
    [Symbol.asyncIterator]() {
      events.push('begin');
      let i = 0;
      return {
        async next() {
          events.push(`next ${i}`);
          if (slow) await tick();
          if (i === fails) throw error;
          return { done: false, value: batch(i++) };
        },
        async return() {
          await tick();
          events.push('return');
          if (failsToEnd) throw error;
          return { done: true, value: undefined };
        },
      };
    },
  };
  return source;
}

describe('a stream', () => {
  test('is asked for a batch when the one before is trained, and told when the fit is over', async () => {
    const source = watched({ slow: true });
    const { events } = source;
    const log = { onTrainBatchEnd: (i: number) => void events.push(`trained ${i}`) };
    const end = { onTrainEnd: () => void events.push('end') };
    await classifier().fit(source, { stepsPerEpoch: 2, epochs: 2, callbacks: [log, end], verbose: 0 });
    expect(events).toEqual([
      ...['begin', 'next 0', 'trained 0', 'next 1', 'trained 1', 'next 2', 'trained 0', 'next 3', 'trained 1'],
      ...['return', 'end'],
    ]); // prettier-ignore
  });

  test('without stepsPerEpoch: until it is stopped or aborted', async () => {
    const source = watched();
    const net = classifier();
    const stop = callbacks.lambda({
      onTrainBatchEnd: (i) => {
        net.stopTraining = i === 4;
      },
    });
    const { history } = await net.fit(source, { callbacks: [stop] });
    expect(history.loss).toHaveLength(1);
    expect(source.events.slice(-2)).toEqual(['next 4', 'return']);

    const again = watched({ slow: true });
    const controller = new AbortController();
    const reason = new Error('enough');
    const abort = callbacks.lambda({ onTrainBatchEnd: (i) => void (i === 2 && controller.abort(reason)) });
    const fit = net.fit(again, { callbacks: [abort], signal: controller.signal });
    expect(await fit.catch((error: unknown) => error)).toBe(reason);
    await tick();
    await tick();
    expect(again.events.at(-1)).toBe('return');
    expect(net.compiled!.optimizer.iterations).toBe(8);
  });

  test('one that never answers does not hold up an abort', async () => {
    const controller = new AbortController();
    const never = (async function* () {
      yield batch(0);
      await new Promise(() => {});
    })();
    const fit = classifier().fit(never, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('now')), 20);
    await expect(fit).rejects.toThrow('now');
  });

  test('gives its errors as they are; after one it is not asked to end', async () => {
    const error = new Error('mine');
    const failing = watched({ fails: 3, error });
    expect(
      await classifier()
        .fit(failing, { stepsPerEpoch: 9 })
        .catch((thrown: unknown) => thrown),
    ).toBe(error);
    await tick();
    await tick();
    expect(failing.events.at(-1)).toBe('next 3');
    const late = watched({ failsToEnd: true, error });
    const fit = classifier().fit(late, { stepsPerEpoch: 2 });
    expect(await fit.catch((thrown: unknown) => thrown)).toBe(error);
    const odd = {
      [Symbol.asyncIterator]: () => {
        throw error;
      },
    };
    expect(
      await classifier()
        .fit(odd as never)
        .catch((thrown: unknown) => thrown),
    ).toBe(error);
  });

  test('is told to end when the fit fails', async () => {
    const source = watched();
    const boom = new Error('callback');
    const callback = callbacks.lambda({
      onTrainBatchEnd: () => {
        throw boom;
      },
    });
    expect(
      await classifier()
        .fit(source, { callbacks: [callback] })
        .catch((thrown: unknown) => thrown),
    ).toBe(boom);
    await tick();
    await tick();
    expect(source.events).toEqual(['begin', 'next 0', 'return']);
    await fails('INVALID_ARGUMENT', /batch \[x, y\]/, () => classifier().fit([[x, oneHot], 3] as never));
  });

  test('may be a Node stream or an emitter’s events; promises in an iterable are awaited', async () => {
    const readable = Readable.from(
      (function* () {
        for (let i = 0; ; i++) yield batch(i);
      })(),
      { objectMode: true },
    ); // prettier-ignore
    await classifier().fit(readable, { stepsPerEpoch: 3, epochs: 2 });
    expect(readable.destroyed).toBe(true);
    const emitter = new EventEmitter();
    const events = (async function* () {
      for await (const [item] of on(emitter, 'batch')) yield item;
    })();
    const fit = classifier().fit(events, { stepsPerEpoch: 2 });
    for (let i = 0; i < 5; i++) {
      await tick();
      emitter.emit('batch', batch(i));
    }
    expect((await fit).history.loss).toHaveLength(1);
    await tick();
    expect(emitter.listenerCount('batch')).toBe(0);
    const promised = [0, 1, 2].map(async (i) => batch(i));
    const [a, b] = [classifier(), classifier()];
    b.setWeights(a.getWeights());
    await a.fit(promised);
    await b.fit([0, 1, 2].map(batch));
    close(a.getWeights()[0], b.getWeights()[0].dataSync(), 0);
  });

  test('fits online as arrays do: the same batches, the same bits', async () => {
    const [online, arrays] = [classifier(), classifier()];
    arrays.setWeights(online.getWeights());
    const bits = (net: typeof online) => net.getWeights().map((weight) => [...weight.dataSync()]);
    await online.fit(watched(), { stepsPerEpoch: 6 });
    await arrays.fit(x, oneHot, { batchSize: 16, epochs: 2, shuffle: false });
    expect(bits(online)).toEqual(bits(arrays));
  });
});

describe('validation', () => {
  const losses = async (options: FitOptions) => {
    const net = classifier();
    net.setLearningRate(0);
    const { history } = await net.fit(x, oneHot, { epochs: 3, verbose: 0, ...options });
    const { loss } = await net.evaluate(...(batch(0) as [Float32Array, Float32Array]));
    return { found: history.val_loss, first: loss, epochs: history.loss.length };
  };

  test('validationSteps: the first batches each time', async () => {
    const { found, first } = await losses({ validationData: [x, oneHot], validationBatchSize: 16, validationSteps: 1 });
    close(found, [first, first, first], 1e-6);
    const iterable = { [Symbol.iterator]: () => [batch(0), batch(1)].values() };
    const again = await losses({ validationData: iterable, validationSteps: 1 });
    close(again.found, Array(3).fill(again.first), 1e-6);
    const source = watched();
    await losses({ validationData: source, validationSteps: 2 });
    await tick();
    const once = ['begin', 'next 0', 'next 1', 'return'];
    expect(source.events.filter((event) => event !== 'return')).toEqual(
      [...once, ...once, ...once].filter((event) => event !== 'return'),
    );
    expect(source.events.filter((event) => event === 'return')).toHaveLength(3);
  });

  test('of a generator: the next batches each time', async () => {
    let given = 0;
    const generator = (function* () {
      for (; ; given++) yield batch(given);
    })();
    const { found } = await losses({ validationData: generator, validationSteps: 1 });
    expect(new Set(found).size).toBe(3);
    expect(given).toBe(2);
    const readable = Readable.from([0, 1, 2].map(batch));
    expect(new Set((await losses({ validationData: readable, validationSteps: 1 })).found).size).toBe(3);
  });

  test('validationFreq: after some epochs only', async () => {
    const options = { validationData: [x, oneHot] as const, epochs: 7 };
    expect((await losses({ ...options, validationFreq: 3 })).found).toHaveLength(2);
    expect((await losses({ ...options, validationFreq: [1, 2, 7, 20] })).found).toHaveLength(3);
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const seen: number[] = [];
    const recorder = { onEpochEnd: (epoch: number, logs: object) => void ('val_loss' in logs && seen.push(epoch)) };
    await losses({ ...options, validationFreq: 3, initialEpoch: 1, callbacks: [recorder] });
    expect(seen).toEqual([2, 5]);
    warn.mockRestore();
    for (const [validationFreq, code] of [
      [0, 'OUT_OF_RANGE'],
      [[0], 'INVALID_ARGUMENT'],
      ['2', 'INVALID_ARGUMENT'],
    ] as const)
      await fails(code, /validationFreq/, () => losses({ ...options, validationFreq: validationFreq as never }));
  });

  test('evaluate: some batches', async () => {
    const net = classifier();
    const [a, b, c] = await Promise.all([
      net.evaluate(x, oneHot, { batchSize: 16, steps: 1 }),
      net.evaluate(x.subarray(0, 32), oneHot.subarray(0, 32)),
      net.evaluate(watched(), { steps: 1 }),
    ]);
    close([a.loss, c.loss], [b.loss, b.loss], 1e-6);
  });
});
