// Long work in JavaScript that lets the event loop run in between.

/** Milliseconds of work before the event loop has its turn. */
const kStretch = 20;

/** To be awaited now and then in long loops. */
export function breather(): () => Promise<void> | void {
  let since = performance.now();
  return () => {
    if (performance.now() - since < kStretch) return;
    return new Promise<void>((resolve) => {
      setImmediate(() => {
        since = performance.now();
        resolve();
      });
    });
  };
}
