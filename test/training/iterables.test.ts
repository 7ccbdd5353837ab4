import { expect, test } from 'vitest';
import { classifier, close, fails, quadrants } from '../support.js';

const { x, oneHot } = quadrants(50);

function* batches(size = 16) {
  for (let begin = 0; begin < 50; begin += size)
    yield [x.subarray(2 * begin, 2 * (begin + size)), oneHot.subarray(2 * begin, 2 * (begin + size))];
}

async function* slow() {
  for (const batch of batches()) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    yield batch;
  }
}

test('batches give the same run as arrays', async () => {
  const arrays = classifier();
  const weights = arrays.getWeights();
  const expected = await arrays.fit(x, oneHot, {
    batchSize: 16,
    epochs: 2,
    shuffle: false,
    validationData: [x, oneHot],
  });
  const again = { [Symbol.iterator]: () => batches() };
  const later = { [Symbol.asyncIterator]: () => slow() };
  for (const source of [again, later, [...batches()]]) {
    const net = classifier();
    net.setWeights(weights);
    const { history } = await net.fit(source, { epochs: 2, validationData: again });
    for (const key of ['loss', 'accuracy', 'val_loss', 'val_accuracy'])
      close(history[key], expected.history[key], 1e-6);
    net.getWeights().forEach((weight, i) => {
      close(weight, arrays.getWeights()[i].dataSync(), 1e-6);
    });
    const evaluated = await net.evaluate(source);
    const { loss, accuracy } = await net.evaluate(x, oneHot);
    close([evaluated.loss, evaluated.accuracy], [loss, accuracy]);
  }
});

test('a generator is walked once; stepsPerEpoch divides it into epochs', async () => {
  const net = classifier();
  expect((await net.fit(batches())).history.loss).toHaveLength(1);
  await fails('EMPTY_DATA', /no batch in epoch 2.*walked once/, () => net.fit(batches(), { epochs: 2 }));
  const { history } = await net.fit(batches(5), undefined, { epochs: 5, stepsPerEpoch: 2 });
  expect(history.loss).toHaveLength(5);
  let given = 0;
  let closed = false;
  const endless = (function* () {
    try {
      for (;;) {
        given++;
        yield [x, oneHot];
      }
    } finally {
      closed = true;
    }
  })();
  await net.fit(endless, { epochs: 2, stepsPerEpoch: 3 });
  await new Promise((resolve) => setImmediate(resolve));
  expect(given).toBe(6);
  expect(closed).toBe(true);
});

test('batch hooks count the batches', async () => {
  const seen: number[] = [];
  await classifier().fit(batches(), { callbacks: [{ onTrainBatchBegin: (batch: number) => seen.push(batch) }] });
  expect(seen).toEqual([0, 1, 2, 3]);
});

test('errors: of the iterable as they are, of its batches with their place', async () => {
  const net = classifier();
  const boom = new Error('source');
  const failing = (function* () {
    yield [x, oneHot];
    throw boom;
  })();
  expect(await net.fit(failing).catch((error: unknown) => error)).toBe(boom);
  await fails('INVALID_ARGUMENT', /batch \[x, y\]/, () => net.fit([[x]]));
  await fails('INVALID_ARGUMENT', /validationSplit needs arrays/, () => net.fit(batches(), { validationSplit: 0.5 }));
  const wrong = x.slice();
  wrong[5] = Number.NaN;
  await fails('NON_FINITE', /x\[row 2, element 1\]/, () => net.fit([[wrong, oneHot]]));
  net.setLearningRate(Number.MAX_VALUE);
  await fails('NON_FINITE', /epoch 1, step 2/, () =>
    net.fit([
      [x, oneHot],
      [x, oneHot],
      [x, oneHot],
    ]),
  );
});
