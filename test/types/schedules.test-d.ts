import { optimizers, schedules, serialize } from 'downhill';
import { expectTypeOf, test } from 'vitest';

test('schedules are functions of the step', () => {
  const schedule = schedules.cosine({ initial: 0.1, steps: 100 });
  expectTypeOf(schedule).toBeCallableWith(3);
  expectTypeOf(schedule(3)).toEqualTypeOf<number>();
  expectTypeOf(schedule).toExtend<schedules.Schedule>();
  expectTypeOf(schedules.constant).toBeCallableWith(0.1);
  serialize(schedule);
  // @ts-expect-error: needs steps
  schedules.linear({ initial: 0.1, final: 0.01 });
  // @ts-expect-error: the step is a number
  schedule('3');
});

test('a learning rate is a number, a schedule, or a function', () => {
  class Mine extends schedules.Schedule {
    override at(step: number) {
      return 1 / (1 + step);
    }
  }
  const optimizer = optimizers.sgd({ learningRate: new Mine() });
  optimizers.adam({ learningRate: (step) => 0.1 / (step + 1) });
  expectTypeOf(optimizer.learningRate).toEqualTypeOf<number>();
  optimizer.learningRate = schedules.constant(0.1);
  optimizer.learningRate = 0.1;
  schedules.warmup({ steps: 10, then: new Mine() });
  // @ts-expect-error: by object only
  optimizers.sgd({ learningRate: 'cosine' });
});

test('parameter groups have the options of their optimizer, but for those of the whole', () => {
  optimizers.adam({
    groups: [{ match: /bias/, beta1: 0.5, weightDecay: 0, learningRate: (step) => 1 / (step + 1) }],
  });
  optimizers.sgd({ groups: [{ match: ['a', 'b'], momentum: 0.5, clipNorm: null }] });
  // @ts-expect-error another optimizer's
  optimizers.sgd({ groups: [{ match: 'a', beta1: 0.5 }] });
  // @ts-expect-error of the whole optimizer
  optimizers.sgd({ groups: [{ match: 'a', useEma: true }] });
  // @ts-expect-error match is required
  optimizers.sgd({ groups: [{ weightDecay: 0 }] });
  expectTypeOf(optimizers.sgd().groups[0]!.learningRate).toEqualTypeOf<number>();
});
