"""Constraints on given weights, and after updates that average, accumulate and overwrite. Float64 Keras.

With accumulation Keras applies constraints after steps that only accumulate, too, and averages in each of them; ours follow updates: there the oracle is
Keras without accumulation, given the means of the gradients.
"""

from common import draws, keras, keras_arguments, np, numbers, torch, write

C = keras.constraints
WEIGHTS = {"matrix": draws(1, 4, 3), "cube": draws(2, 2, 3, 4), "vector": draws(3, 5, scale=3)}
WEIGHTS["matrix"][:, 1] = 0
WEIGHTS["matrix"][:, 2] *= 0.1
CASES = [
    ("maxNorm", {}), ("maxNorm", {"maxValue": 0.8}), ("maxNorm", {"maxValue": 1.1, "axis": -1}),
    ("nonNeg", {}),
    ("unitNorm", {}), ("unitNorm", {"axis": -1}),
    ("minMaxNorm", {}), ("minMaxNorm", {"minValue": 0.7, "maxValue": 1.3, "rate": 0.4, "axis": -1}), ("minMaxNorm", {"minValue": 0.7, "maxValue": 1.3}),
]
AXES = [("maxNorm", {"maxValue": 0.8, "axis": [0, 1]}), ("unitNorm", {"axis": [0, 2]}), ("minMaxNorm", {"minValue": 1, "maxValue": 2, "rate": 0.3, "axis": [1, 2]})]
CLASSES = {"maxNorm": C.MaxNorm, "nonNeg": C.NonNeg, "unitNorm": C.UnitNorm, "minMaxNorm": C.MinMaxNorm}

START = [draws(5, 4, 3), draws(6, 4)]
GRADIENTS = [[draws(10 + step, 4, 3, scale=2), draws(40 + step, 4)] for step in range(6)]
ON = [("minMaxNorm", {"minValue": 0.7, "maxValue": 1.3, "rate": 0.4, "axis": 1}), ("nonNeg", {})]
ADAM = {"learningRate": 0.23, "beta1": 0.83, "beta2": 0.97, "epsilon": 1e-2}
EMA = {"useEma": True, "emaMomentum": 0.7, "emaOverwriteFrequency": 2}
UPDATES = [
    ("sgd", "sgd", {"learningRate": 0.37, "momentum": 0.83}),
    ("adam, decay, average", "adam", {**ADAM, **EMA, "weightDecay": 0.13, "globalClipNorm": 1.7}),
    ("adafactor, average", "adafactor", {"learningRate": 0.23, **EMA, "weightDecay": 0.13}),
    ("muon", "muon", {"learningRate": 0.23}),
    ("accumulation", "adam", {**ADAM, **EMA, "gradientAccumulationSteps": 2}),
]


def make(name, options):
    return CLASSES[name](**keras_arguments(options))


def value(name, options, weights):
    got = make(name, options)(torch.tensor(WEIGHTS[weights]))
    return {"constraint": name, "options": options, "weights": weights, "value": numbers(got)}


def updates(name, optimizer, options):
    steps = options.get("gradientAccumulationSteps", 1)
    given = {key: item for key, item in options.items() if key != "gradientAccumulationSteps"}
    variables = [keras.Variable(start, dtype="float64") for start in START]
    for variable, on in zip(variables, ON):
        variable.constraint = make(*on)
    rule = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam, "adafactor": keras.optimizers.Adafactor, "muon": keras.optimizers.Muon}[optimizer](
        **keras_arguments(given))
    after = []
    for first in range(0, len(GRADIENTS), steps):
        means = [np.mean(parts, axis=0) for parts in zip(*GRADIENTS[first:first + steps])]
        rule.apply(list(map(torch.tensor, means)), variables)
        after.append([numbers(variable.numpy()) for variable in variables])
    rule.finalize_variable_values(variables)
    return {"name": name, "optimizer": optimizer, "options": options, "after": after, "final": [numbers(variable.numpy()) for variable in variables]}


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    keras.config.set_epsilon(1e-7)
    write("constraints", __file__, {
        "weights": {name: numbers(values) for name, values in WEIGHTS.items()},
        "values": [value(*case, weights) for case in CASES for weights in WEIGHTS] + [value(*case, "cube") for case in AXES],
        "start": [numbers(start) for start in START],
        "gradients": [[numbers(g) for g in step] for step in GRADIENTS],
        "on": [{"constraint": name, "options": options} for name, options in ON],
        "updates": [updates(*row) for row in UPDATES],
    })
