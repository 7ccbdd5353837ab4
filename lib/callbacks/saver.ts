// What callbacks that save, or look at the model, have in common: fit asks them between two stretches of steps, not by hooks, so that steps
// stay native.
import type { Content, Snapshot } from '../io/snapshot.js';
import type { Model } from '../model/model.js';
import type { Callback, Logs } from './callback.js';

/** A place between two steps, or between two epochs. */
export interface Moment {
  kind: 'step' | 'epoch';
  /** Of the logs, counted from 0: the one in progress, or the one that has ended. */
  epoch: number;
  /** Steps made by the optimizer. */
  step: number;
  logs: Logs;
  /** The model as of now. */
  snapshot(content: Content): Promise<Snapshot>;
}

export abstract class Saver implements Callback {
  model?: Model;
  /** It only looks: asked before those that save, so that their files hold what it saw, and once when a fit is resumed. */
  readonly looks: boolean = false;
  /** Steps until it wants to be asked again, when `step` were made; 0: it does not matter. */
  abstract stepsLeft(step: number): number;
  /** Asks it to save, or look, if it wants to. */
  abstract between(moment: Moment): Promise<void>;
  /** All is written when this resolves; rejects with the first failure. */
  abstract finish(): Promise<void>;
}
