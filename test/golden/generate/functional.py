"""Graphs of layers: order of weights, losses by step, History, evaluate, predict; merging layers with their options. Keras in float64."""

from common import draws, keras, keras_arguments, np, number, numbers, write

L = keras.layers
ROWS, BATCH, EPOCHS = 29, 8, 3
ADAM = {"learningRate": 0.021, "beta1": 0.83, "beta2": 0.97, "epsilon": 1e-3}
SGD = {"learningRate": 0.13, "momentum": 0.6}

# A graph: inputs [name, shape]; layers by name, [kind, options] or a graph; steps [value, layer, values]; outputs, a list or an object.
SUB = {
    "inputs": [["x", [10]]],
    "layers": {"deep": ["dense", {"units": 8, "activation": "tanh", "kernelL2": 0.01}], "out": ["dense", {"units": 7, "activation": "relu"}]},
    "steps": [["h", "deep", ["x"]], ["y", "out", ["h"]]],
    "outputs": ["y"],
}
NET = {
    "inputs": [["left", [4]], ["right", [3]]],
    "layers": {
        "one": ["dense", {"units": 6, "activation": "tanh"}], "two": ["dense", {"units": 6}],
        "shared": ["dense", {"units": 5, "activation": "tanh", "kernelL2": 0.02}],
        "both": ["concatenate", {}], "sub": SUB, "side": ["dense", {"units": 5}], "sum": ["add", {}],
        "kind": ["dense", {"units": 3, "activation": "softmax"}], "size": ["dense", {"units": 1, "activation": "sigmoid"}],
    },
    "steps": [
        ["p", "one", ["left"]], ["q", "two", ["right"]], ["a", "shared", ["p"]], ["b", "shared", ["q"]], ["m", "both", ["a", "b"]], ["h", "sub", ["m"]],
        ["kind", "kind", ["h"]], ["s", "side", ["h"]], ["t", "sum", ["s", "a"]], ["size", "size", ["t"]],
    ],
    "outputs": ["kind", "size"],
}
BY_NAME = {**NET, "outputs": {"size": "size", "class": "kind"}}
# A shared layer at two depths: Keras moves the shallower call, and what comes before it, to the deeper one.
DEPTHS = {
    "inputs": [["left", [4]], ["right", [4]]],
    "layers": {"square": ["dense", {"units": 4, "activation": "tanh"}], "first": ["dense", {"units": 4}], "second": ["dense", {"units": 5}],
               "early": ["dense", {"units": 4}], "kind": ["dense", {"units": 3, "activation": "softmax"}], "size": ["dense", {"units": 1}]},
    "steps": [
        ["a", "early", ["left"]], ["b", "square", ["a"]], ["c", "square", ["right"]], ["d", "first", ["c"]], ["e", "second", ["d"]],
        ["size", "size", ["b"]], ["kind", "kind", ["e"]],
    ],
    "outputs": ["size", "kind"],
}
MERGED = {
    "inputs": [["left", [4]], ["right", [4]]],
    "layers": {
        "one": ["dense", {"units": 4, "activation": "tanh"}], "two": ["dense", {"units": 4}], "thrice": ["repeatVector", {"n": 3}],
        "turned": ["permute", {"dims": [2, 1]}], "times": ["multiply", {}], "mean": ["average", {}], "most": ["maximum", {}], "least": ["minimum", {}],
        "less": ["subtract", {}], "plus": ["add", {}], "joined": ["concatenate", {"axis": 1}], "matrix": ["dot", {"axes": [1, 2]}],
        "cosine": ["dot", {"axes": 1, "normalize": True}], "flat": ["flatten", {}], "all": ["concatenate", {}],
        "kind": ["dense", {"units": 3, "activation": "softmax"}],
    },
    "steps": [
        ["a", "one", ["left"]], ["b", "two", ["right"]], ["m", "times", ["a", "b"]], ["n", "mean", ["a", "b", "m"]], ["o", "most", ["a", "b"]],
        ["p", "least", ["m", "n"]], ["q", "less", ["o", "p"]], ["r", "thrice", ["q"]], ["s", "turned", ["r"]], ["t", "plus", ["r", "n"]],
        ["u", "joined", ["t", "r"]], ["v", "matrix", ["s", "u"]], ["c", "cosine", ["a", "b"]], ["w", "flat", ["v"]], ["x", "all", ["w", "c", "o"]],
        ["kind", "kind", ["x"]],
    ],
    "outputs": ["kind"],
}

TARGETS = {
    "kind": np.eye(3)[np.argmax(draws(900, ROWS, 3), axis=1)],
    "size": np.round(np.abs(draws(901, ROWS, 1, scale=0.3)) % 1, 2),
}
TARGETS["class"] = TARGETS["kind"]
WEIGHTS = {"kind": np.round(np.abs(draws(902, ROWS)) * 1.5, 1), "size": np.round(np.abs(draws(903, ROWS)), 1)}
WEIGHTS["class"] = WEIGHTS["kind"]
CE, MSE = "categoricalCrossentropy", "meanSquaredError"
ACCURACY, MAE = "accuracy", "mean_absolute_error"

# name, graph, optimizer, options, compile, fit
CASES = [
    ("lists: loss weights, sample weights, weighted metrics", NET, "adam", ADAM,
     {"loss": [CE, MSE], "lossWeights": [0.7, 2.5], "metrics": [[ACCURACY], [MAE]], "weightedMetrics": [[ACCURACY], [MAE]]},
     {"validationSplit": 0.2, "sampleWeight": True}),
    ("objects by name, validation data", BY_NAME, "sgd", SGD,
     {"loss": {"class": CE, "size": MSE}, "lossWeights": {"class": 1.3, "size": 0.4}, "metrics": {"class": ACCURACY}}, {"validationData": True}),
    ("a frozen model within", NET, "sgd", SGD, {"loss": [CE, MSE], "metrics": [[ACCURACY], None]}, {"freeze": "sub", "validationSplit": 0.2}),
    ("one loss for both", NET, "adam", ADAM, {"loss": MSE}, {}),
    ("an output without a loss", NET, "sgd", SGD, {"loss": [CE, None], "metrics": [[ACCURACY], [MAE]]}, {}),
    ("a shared layer at two depths", DEPTHS, "adam", ADAM, {"loss": [MSE, CE], "lossWeights": [3.0, 0.5]}, {"validationSplit": 0.2}),
    ("all merging layers", MERGED, "sgd", {**SGD, "learningRate": 0.007}, {"loss": CE, "metrics": [ACCURACY]}, {"sampleWeight": True}),
]

# kind, options, shapes of the inputs
LAYERS = [
    ("add", {}, [[2, 3], [3], [1, 3]]), ("add", {}, [[4]]), ("subtract", {}, [[2, 1], [2, 3]]), ("multiply", {}, [[3], [2, 3], [3]]),
    ("average", {}, [[2, 3], [2, 3], [2, 3]]), ("maximum", {}, [[4], [4], [1]]), ("minimum", {}, [[2, 3], [3]]),
    ("concatenate", {}, [[2, 3], [2, 1]]), ("concatenate", {"axis": 1}, [[2, 3], [1, 3], [2, 3]]), ("concatenate", {"axis": -2}, [[2, 2, 3], [2, 1, 3]]),
    ("dot", {"axes": 1}, [[5], [5]]), ("dot", {"axes": -1}, [[2, 3], [4, 3]]), ("dot", {"axes": [2, 1], "normalize": True}, [[4, 3], [3, 2]]),
    ("dot", {"axes": [1, 1]}, [[3], [3, 2]]), ("dot", {"axes": 2}, [[2, 3, 2], [4, 3]]), ("dot", {"axes": 1, "normalize": True}, [[3], [3]]),
    ("permute", {"dims": [3, 1, 2]}, [[2, 3, 4]]), ("repeatVector", {"n": 3}, [[4]]),
]


def layer(name, kind, options):
    options = dict(options)
    regularizer = {"kernel_regularizer": keras.regularizers.L2(options.pop("kernelL2"))} if "kernelL2" in options else {}
    return getattr(L, kind[0].upper() + kind[1:])(name=name, dtype="float64", **keras_arguments(options), **regularizer)


def build(graph, name=None):
    values = {key: keras.Input(tuple(shape), name=key, dtype="float64") for key, shape in graph["inputs"]}
    inputs = list(values.values())
    layers = {key: build(spec, key) if isinstance(spec, dict) else layer(key, *spec) for key, spec in graph["layers"].items()}
    for value, key, given in graph["steps"]:
        merging = not isinstance(graph["layers"][key], dict) and graph["layers"][key][0] in {kind for kind, _, shapes in LAYERS if len(shapes) > 1}
        values[value] = layers[key]([values[x] for x in given] if merging else values[given[0]])
    ends = graph["outputs"]
    outputs = {key: values[x] for key, x in ends.items()} if isinstance(ends, dict) else [values[x] for x in ends]
    single = isinstance(outputs, list) and len(outputs) == 1
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs[0] if single else outputs, name=name)


def by_output(graph, table, one=False):
    names = graph["outputs"]
    if isinstance(names, dict):
        return {key: table[key] for key in names}
    return table[names[0]] if len(names) == 1 else [table[key] for key in names]


class Steps(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(number(logs["loss"]))


def snake_loss(loss):
    change = lambda name: name and {CE: "categorical_crossentropy", MSE: "mean_squared_error"}[name]
    if isinstance(loss, dict):
        return {key: change(value) for key, value in loss.items()}
    return [change(value) for value in loss] if isinstance(loss, list) else change(loss)


def case(row, seed):
    name, graph, optimizer, options, compiled, fit = row
    model = build(graph)
    start = [draws(seed + i, *value.shape, scale=0.6) for i, value in enumerate(model.get_weights())]
    model.set_weights(start)
    if "freeze" in fit:
        model.get_layer(fit["freeze"]).trainable = False
    arguments = {"loss": snake_loss(compiled["loss"])}
    for key, keras_key in [("lossWeights", "loss_weights"), ("metrics", "metrics"), ("weightedMetrics", "weighted_metrics")]:
        if key in compiled:
            arguments[keras_key] = compiled[key]
    optimizers = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    model.compile(optimizer=optimizers[optimizer](**keras_arguments(options)), **arguments)
    x = [draws(800 + i, ROWS, *shape) for i, (_, shape) in enumerate(graph["inputs"])]
    y = by_output(graph, TARGETS)
    weights = {"sample_weight": by_output(graph, WEIGHTS)} if "sampleWeight" in fit else {}
    before = model.evaluate(x, y, batch_size=7, verbose=0, return_dict=True, **weights)
    more = {"validation_split": fit["validationSplit"]} if "validationSplit" in fit else {}
    if "validationData" in fit:
        more["validation_data"] = (x, y)
    steps = Steps()
    history = model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[steps], **more, **weights)
    predicted = model.predict(x, batch_size=7, verbose=0)
    return {
        "name": name, "graph": graph, "optimizer": optimizer, "options": options, "compile": compiled, "fit": fit,
        "layers": [each.name for each in model.layers], "start": [numbers(value) for value in start],
        "evaluateBefore": {key: number(value) for key, value in before.items()}, "losses": steps.losses,
        "history": {key: numbers(values) for key, values in history.history.items()},
        "weights": [numbers(value) for value in model.get_weights()],
        "predict": {key: numbers(value) for key, value in predicted.items()} if isinstance(predicted, dict)
        else [numbers(value) for value in predicted] if isinstance(predicted, list) else numbers(predicted),
    }


def values_of(row, seed):
    kind, options, shapes = row
    made = layer("made", kind, options)
    inputs = [draws(seed + i, 3, *shape) for i, shape in enumerate(shapes)]
    merging = made.__class__.__module__.startswith("keras.src.layers.merging")
    return {"layer": kind, "options": options, "inputs": [numbers(x) for x in inputs], "output": numbers(made(inputs if merging else inputs[0]))}


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    write("functional-keras", __file__, {
        "batchSize": BATCH, "epochs": EPOCHS, "rows": ROWS,
        "x": {"left4": numbers(draws(800, ROWS, 4)), "right3": numbers(draws(801, ROWS, 3)), "right4": numbers(draws(801, ROWS, 4))},
        "y": {key: numbers(value) for key, value in TARGETS.items()}, "weights": {key: numbers(value) for key, value in WEIGHTS.items()},
        "cases": [case(row, 1000 + 50 * index) for index, row in enumerate(CASES)],
        "layers": [values_of(row, 2000 + 10 * index) for index, row in enumerate(LAYERS)],
    })
