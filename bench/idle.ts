import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Seconds that all cores together have been busy and idle since the machine started. */
function coreSeconds(): { busy: number; idle: number } {
  let busy = 0;
  let idle = 0;
  for (const { times } of cpus()) {
    idle += times.idle / 1000;
    busy += (times.user + times.nice + times.sys + times.irq) / 1000;
  }
  return { busy, idle };
}

/** Returns when the cores have been idle for some seconds, or false when they have not within the time given. */
export async function untilIdle(minutes: number): Promise<boolean> {
  const end = performance.now() + minutes * 60_000;
  for (let calm = 0; calm < 6; ) {
    if (performance.now() > end) return false;
    const before = coreSeconds();
    await sleep(500);
    const after = coreSeconds();
    const busy = after.busy - before.busy;
    calm = busy < 0.05 * (busy + after.idle - before.idle) ? calm + 1 : 0;
  }
  return true;
}

/** Starts a watch; it gives the share of the machine's time that went to others, from the seconds that one's own work took. */
export function watchOthers(): (ownSeconds: number) => number {
  const before = coreSeconds();
  return (ownSeconds) => {
    const after = coreSeconds();
    const busy = after.busy - before.busy;
    const total = busy + after.idle - before.idle;
    return total > 0 ? Math.max(0, busy - ownSeconds) / total : 0;
  };
}
