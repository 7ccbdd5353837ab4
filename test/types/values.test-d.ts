import {
  compile,
  data,
  grad,
  hvp,
  ops,
  optimizers,
  type SymbolicTensor,
  type Tensor,
  tensor,
  valueAndGrad,
  variable,
} from 'downhill';
import { describe, expectTypeOf, it } from 'vitest';

declare const symbolic: SymbolicTensor;

describe('ops', () => {
  it('give Tensors for concrete operands', () => {
    expectTypeOf(ops.add(tensor([1]), 2)).toEqualTypeOf<Tensor>();
    expectTypeOf(ops.add([1], new Float32Array(1))).toEqualTypeOf<Tensor>();
    expectTypeOf(ops.exp(variable([1]))).toEqualTypeOf<Tensor>();
    expectTypeOf(ops.sum([1], 0, { keepDims: true })).toEqualTypeOf<Tensor>();
    expectTypeOf(ops.concat([tensor([1]), tensor([2])], 0)).toEqualTypeOf<Tensor>();
    expectTypeOf(ops.where(1, 2, 3)).toEqualTypeOf<Tensor>();
  });

  it('give symbolic values for symbolic operands', () => {
    expectTypeOf(ops.add(symbolic, 2)).toEqualTypeOf<SymbolicTensor>();
    expectTypeOf(ops.add(tensor([1]), symbolic)).toEqualTypeOf<SymbolicTensor>();
    expectTypeOf(ops.softmax(symbolic, 1)).toEqualTypeOf<SymbolicTensor>();
    expectTypeOf(ops.where(tensor([1]), symbolic, 0)).toEqualTypeOf<SymbolicTensor>();
    expectTypeOf(ops.concat([symbolic, symbolic])).toEqualTypeOf<SymbolicTensor>();
    expectTypeOf(ops.exp(symbolic as SymbolicTensor | Tensor)).toEqualTypeOf<SymbolicTensor | Tensor>();
  });

  it('refuse what is no data, and unknown options', () => {
    // @ts-expect-error text
    ops.exp('x');
    // @ts-expect-error unknown option
    ops.sum([1], 0, { keepdims: true });
    // @ts-expect-error unknown dtype
    ops.cast([1], 'float64');
    // @ts-expect-error unknown dtype
    tensor([1], [1], 'bfloat16');
  });
});

describe('transformations', () => {
  it('compile keeps arity and structure', () => {
    const single = compile((x, y) => ops.add(x, y));
    expectTypeOf(single([1], [2])).toEqualTypeOf<Promise<Tensor>>();
    expectTypeOf(single(symbolic, symbolic)).toEqualTypeOf<SymbolicTensor>();
    const object = compile((x: SymbolicTensor) => ({ a: ops.exp(x), b: x }));
    expectTypeOf(object(1)).toEqualTypeOf<Promise<{ a: Tensor; b: Tensor }>>();
    const list = compile((x: SymbolicTensor) => [x, x]);
    expectTypeOf(list(1)).toEqualTypeOf<Promise<Tensor[]>>();
    // @ts-expect-error an argument too few
    single([1]);
    // @ts-expect-error results must be tensors
    compile((_x: SymbolicTensor) => 'x');
  });

  it('grad gives one or a list', () => {
    const f = (x: SymbolicTensor, y: SymbolicTensor) => ops.sum(ops.mul(x, y));
    expectTypeOf(grad(f)([1], [2])).toEqualTypeOf<Promise<Tensor>>();
    expectTypeOf(grad(f, 1)([1], [2])).toEqualTypeOf<Promise<Tensor>>();
    expectTypeOf(grad(f, [0, 1])([1], [2])).toEqualTypeOf<Promise<Tensor[]>>();
    expectTypeOf(grad((x) => ops.sum(grad((y) => ops.sum(ops.exp(y)))(x)))([1])).toEqualTypeOf<Promise<Tensor>>();
    expectTypeOf(grad(f)(symbolic, symbolic)).toEqualTypeOf<SymbolicTensor>();
    expectTypeOf(valueAndGrad(f, [0])([1], [2])).toEqualTypeOf<Promise<[value: Tensor, gradient: Tensor[]]>>();
    expectTypeOf(hvp(f)([[1], [2]], [[1], [2]])).toEqualTypeOf<Promise<Tensor[]>>();
    expectTypeOf(grad((x: Tensor) => ops.sum(ops.exp(x)))([1])).toEqualTypeOf<Promise<Tensor>>();
  });
});

describe('optimizers', () => {
  it('know their options', () => {
    expectTypeOf(optimizers.sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true }).minimize).returns.toEqualTypeOf<
      Promise<Tensor>
    >();
    // @ts-expect-error of Adam
    optimizers.sgd({ beta1: 0.9 });
    optimizers.rmsprop({ rho: 0.9, momentum: 0.5, nesterov: true, preset: 'book' });
    optimizers.rprop({ etas: [0.5, 1.2], stepSizes: [1e-6, 50] });
    optimizers.ftrl({ l1RegularizationStrength: 0.1, learningRatePower: -0.5, weightDecay: null });
    // @ts-expect-error three kinds of preset
    optimizers.adam({ preset: 'jax' });
    // @ts-expect-error always decays
    optimizers.adamw({ weightDecay: null });
    // @ts-expect-error two factors
    optimizers.rprop({ etas: [0.5] });
  });
});

describe('data.split', () => {
  it('gives data of the kind that was given', () => {
    const { train, test } = data.split(tensor([[1], [2]]), new Int32Array(2));
    expectTypeOf(train.x).toEqualTypeOf<Tensor>();
    expectTypeOf(test.y).toEqualTypeOf<Int32Array<ArrayBuffer>>();
    expectTypeOf(data.split(variable([1, 2])).train.x).toEqualTypeOf<Tensor>();
    expectTypeOf(data.split([[1], [2]]).train.y).toEqualTypeOf<undefined>();
    // @ts-expect-error unknown option
    data.split([1, 2], [1, 2], { trainSize: 1 });
  });
});
