import { Options } from '../options.js';
import { BuiltIn } from './built-in.js';
import { eventually, type Series } from './series.js';

export interface OneCycleOptions {
  /** The highest rate. */
  max: number;
  /** Updates of the whole cycle. */
  steps: number;
  /** Part of them that goes up, in [0, 1]. */
  pctStart?: number;
  /** 'cos', by default, or 'linear'. */
  annealStrategy?: 'cos' | 'linear';
  /** max / divFactor is the first rate. */
  divFactor?: number;
  /** max / divFactor / finalDivFactor is the last one. */
  finalDivFactor?: number;
  /** Whether it goes down as long as up, to the first rate, before it goes to the last one. */
  threePhase?: boolean;
}

const strategies = ['cos', 'linear'] as const;

export class OneCycle extends BuiltIn<OneCycleOptions> {
  constructor(options: OneCycleOptions) {
    const read = new Options<OneCycleOptions>('schedules.oneCycle', options, [
      'max',
      'steps',
      'pctStart',
      'annealStrategy',
      'divFactor',
      'finalDivFactor',
      'threePhase',
    ]);
    const max = read.number('max', undefined, { min: 0 });
    const steps = read.count('steps');
    const pctStart = read.number('pctStart', 0.3, { min: 0, max: 1 });
    const annealStrategy = read.oneOf('annealStrategy', strategies, 'cos');
    const divFactor = read.number('divFactor', 25, { above: 0 });
    const finalDivFactor = read.number('finalDivFactor', 1e4, { above: 0 });
    const threePhase = read.flag('threePhase', false);
    super(read.where, { max, steps, pctStart, annealStrategy, divFactor, finalDivFactor, threePhase }, 'oneCycle', [
      max,
      steps,
      pctStart,
      divFactor,
      finalDivFactor,
      Number(annealStrategy === 'linear'),
      Number(threePhase),
    ]);
  }

  override series(): Series {
    const { max, steps, divFactor, finalDivFactor } = this.options;
    return eventually(max / divFactor / finalDivFactor, steps);
  }
}

/**
 * Up from max / divFactor to max and down to max / divFactor / finalDivFactor, once; then it stays there. PyTorch's OneCycleLR without its
 * cycle of momentum.
 *
 * @param options max, steps, pctStart (0.3), annealStrategy ('cos'), divFactor (25), finalDivFactor (1e4), threePhase (false)
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION, INVALID_ARGUMENT
 * @example optimizers.sgd({ learningRate: schedules.oneCycle({ max: 0.5, steps: 3000 }), momentum: 0.9 });
 * @see Smith and Topin 2018, arXiv:1708.07120; https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html
 */
export function oneCycle(options: OneCycleOptions): OneCycle {
  return new OneCycle(options);
}
