// Kill -9 at random moments: npm run kill-resume does it as often as one likes.
import { expect, test } from 'vitest';
import { killAndResume } from '../../scripts/kill-resume.mjs';

test('a training that is killed ten times ends as one that never was', async () => {
  const { kills, trainings } = await killAndResume(10);
  expect(kills).toBe(10);
  expect(trainings).toBeGreaterThan(0);
});
