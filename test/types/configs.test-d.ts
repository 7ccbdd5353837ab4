import {
  deserialize,
  type initializers,
  layers,
  type Model,
  modelFromJSON,
  ops,
  type optimizers,
  type Serialized,
  sequential,
  serialize,
} from 'downhill';
import { describe, expectTypeOf, it } from 'vitest';

describe('configs', () => {
  it('are typed by their kind', () => {
    const config = serialize(layers.flatten());
    expectTypeOf(config).toEqualTypeOf<Serialized>();
    expectTypeOf(deserialize('layer', config)).toEqualTypeOf<layers.Layer>();
    expectTypeOf(deserialize('optimizer', 'adam')).toEqualTypeOf<optimizers.Optimizer>();
    expectTypeOf(deserialize('initializer', {}, { mine: class {} })).toEqualTypeOf<initializers.Initializer>();
    // @ts-expect-error no such kind
    deserialize('layers', config);
    // @ts-expect-error a name is no object
    serialize('adam');
  });

  it('make models', () => {
    const net = sequential();
    expectTypeOf(net.toJSON()).toEqualTypeOf<Serialized>();
    expectTypeOf(modelFromJSON(net.toJSON())).toEqualTypeOf<Model>();
    expectTypeOf(modelFromJSON('{}', { customObjects: { f: () => 1 } })).toEqualTypeOf<Model>();
    // @ts-expect-error unknown option
    modelFromJSON('{}', { custom: {} });
  });

  it('let users write layers', () => {
    class Scale extends layers.Layer {
      override readonly type = 'Scale';
      constructor(readonly options: layers.LayerOptions & { by: number }) {
        super('scale', options);
      }
      override getConfig() {
        return { ...super.getConfig(), by: this.options.by };
      }
      override computeOutputShape(shape: readonly number[]) {
        return [...shape];
      }
      override call(x: layers.Computed) {
        return ops.mul(x, this.options.by);
      }
    }
    expectTypeOf(new Scale({ by: 2, name: 'x' })).toExtend<layers.Layer>();
  });
});
