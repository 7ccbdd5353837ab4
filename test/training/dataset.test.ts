// What V8 hears of a data set: it collects all garbage each time that it hears of many bytes.
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { tensor } from 'downhill';
import { expect, test } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { storageOf } from '../../lib/tensor/tensor.js';

const size = 1 << 24;

test('a data set counts what it has copied, not the Tensors that it reads in place', async () => {
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as { detail?: { kind?: number } }[])
      if (detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections++;
  });
  observer.observe({ entryTypes: ['gc'] });
  const values = new Float32Array(size);
  const x = tensor(values, [size]);
  const column = { name: 'x', width: 1, dtype: 'float32' as const };
  const during = async (data: Parameters<typeof binding.datasetNew>[0][number], times: number) => {
    await sleep(50);
    const before = collections;
    for (let i = 0; i < times; i++) {
      binding.datasetNew([data], size, false);
      await sleep(1);
    }
    await sleep(50);
    return collections - before;
  };
  const inPlace = await during({ ...column, data: storageOf(x), storageDtype: 'float32' }, 60);
  const copied = await during({ ...column, data: values }, 20);
  observer.disconnect();
  expect(inPlace).toBeLessThan(3);
  expect(copied).toBeGreaterThan(3);
});
