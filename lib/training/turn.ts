// How long JavaScript has had the event loop, for work that could be done within a call.

/** Milliseconds after which timers, sockets and other models have their turn. */
const kLongest = 10;

let begun: number | null = null;

/** Whether brief work may be done at once; else it is queued, which lets the event loop run. */
export function mayRunNow(): boolean {
  const now = performance.now();
  if (begun !== null) return now - begun < kLongest;
  begun = now;
  setImmediate(() => {
    begun = null;
  }).unref();
  return true;
}
