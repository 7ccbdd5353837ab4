import { beforeAll, describe, expect, test } from 'vitest';
import { buildNativeTests, nativeTestNames, runNativeTest } from '../../scripts/native-tests.mjs';

describe('native test programs', () => {
  let programs: string;
  beforeAll(() => {
    programs = buildNativeTests();
  }, 900_000);

  test.concurrent.each(nativeTestNames())('%s', { timeout: 900_000 }, async (name) => {
    const { passed, ending, output } = await runNativeTest(programs, name);
    expect(passed, `${ending}\n${output}`).toBe(true);
  });
});
