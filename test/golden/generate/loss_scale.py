"""Keras's LossScaleOptimizer: scaled gradients, some of them not finite; the scale and the values after each step."""

from common import draws, keras, keras_arguments, np, numbers, torch, write

STEPS = 12
NOT_FINITE = {1: np.inf, 6: np.nan, 7: -np.inf}
START = [draws(1, 3, 4), draws(2, 4)]
GRADIENTS = [[draws(10 + step, 3, 4, scale=1.5), draws(40 + step, 4, scale=0.2)] for step in range(STEPS)]

# name, optimizer, options, initial scale, growth steps
CASES = [
    ("adam", "adam", {"learningRate": 0.023, "beta1": 0.83, "beta2": 0.97, "epsilon": 1e-2, "weightDecay": 0.13}, 64, 3),
    ("adam, scale that is no power of two, clipNorm", "adam", {"learningRate": 0.023, "beta1": 0.83, "clipNorm": 0.9}, 50, 2),
    ("momentum, globalClipNorm", "sgd", {"learningRate": 0.037, "momentum": 0.83, "globalClipNorm": 1.7}, 1024, 4),
    ("momentum, average", "sgd", {"learningRate": 0.037, "momentum": 0.83, "useEma": True, "emaMomentum": 0.7, "emaOverwriteFrequency": 4}, 8, 1),
]


def run(optimizer, options, initial, growth):
    keras.config.set_floatx("float64")
    variables = [keras.Variable(value, dtype="float64") for value in START]
    inner = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[optimizer](**keras_arguments(options))
    rule = keras.optimizers.LossScaleOptimizer(inner, initial_scale=initial, dynamic_growth_steps=growth)
    rule.build(variables)
    for step, gradients in enumerate(GRADIENTS):
        scale = float(rule.dynamic_scale.numpy())
        scaled = [gradient * scale for gradient in gradients]
        if step in NOT_FINITE:
            scaled[0][1, 2] = NOT_FINITE[step]
        rule.apply([torch.tensor(gradient) for gradient in scaled])
        yield {"scale": float(rule.dynamic_scale.numpy()), "iterations": int(inner.iterations.numpy()),
               "values": [numbers(variable.numpy()) for variable in variables]}


if __name__ == "__main__":
    cases = [{"name": name, "optimizer": optimizer, "options": options, "initialScale": initial, "growthSteps": growth,
              "after": list(run(optimizer, options, initial, growth))} for name, optimizer, options, initial, growth in CASES]
    write("loss-scale", __file__, {
        "start": [numbers(value) for value in START],
        "gradients": [[numbers(gradient) for gradient in step] for step in GRADIENTS],
        "notFinite": {str(step): {np.inf: "Infinity", -np.inf: "-Infinity"}.get(value, "NaN") for step, value in NOT_FINITE.items()},
        "cases": cases,
    })
