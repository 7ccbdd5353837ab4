// The loaded addon. Everything in lib/ that reaches native code does so through `binding`; its errors are DownhillErrors.
import { fromNative } from '../errors.js';
import { loadAddon } from './load.js';
import type { NativeBinding } from './native.js';

export type * from './native.js';

/** Makes a promise of the addon reject with a DownhillError. */
function settle<T>(promise: Promise<T>): Promise<T> {
  return promise.catch((error: unknown) => {
    throw fromNative(error);
  });
}

type Native = (...args: unknown[]) => unknown;

function wrap(native: Native): Native {
  return (...args) => {
    try {
      const result = native(...args);
      return result instanceof Promise ? settle(result) : result;
    } catch (error) {
      throw fromNative(error);
    }
  };
}

function wrapAll(addon: NativeBinding): NativeBinding {
  const wrapped: Record<string, Native> = {};
  for (const [name, native] of Object.entries(addon)) if (typeof native === 'function') wrapped[name] = wrap(native);
  const { programRun } = addon;
  const result = wrapped as unknown as NativeBinding;
  // Ops on concrete values come by here: no arrays of arguments.
  result.programRun = (program, workspace, inputs, step) => {
    try {
      const run = programRun(program, workspace, inputs, step);
      if (run[0]) run[0] = settle(run[0]);
      return run;
    } catch (error) {
      throw fromNative(error);
    }
  };
  return result;
}

function load(): NativeBinding {
  try {
    return wrapAll(loadAddon());
  } catch (error) {
    throw fromNative(error);
  }
}

export const binding: NativeBinding = load();
