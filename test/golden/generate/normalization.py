"""Normalizations and small layers: outputs, gradients and weights after a step, every option away from its default; training runs. Keras in float64."""

from common import draws, keras, keras_arguments, np, number, numbers, torch, write

L = keras.layers
NAMES = {
    "rmsNormalization": "RMSNormalization", "elu": "ELU", "relu": "ReLU", "leakyRelu": "LeakyReLU", "prelu": "PReLU",
}
AFFINE = {"epsilon": 0.02, "center": True, "scale": True}
BARE = {"center": False, "scale": False}

# kind, options, shape of an example, whether it trains
LAYERS = [
    ("batchNormalization", {}, [3], True), ("batchNormalization", {}, [3], False),
    ("batchNormalization", {**AFFINE, "momentum": 0.7}, [4, 3], True), ("batchNormalization", {"axis": 1, "momentum": 0.3, "epsilon": 0.1}, [3, 4], True),
    ("batchNormalization", {"axis": 1, "epsilon": 0.1}, [3, 2, 4], False), ("batchNormalization", {**BARE, "axis": -2}, [2, 3, 2], True),
    ("batchNormalization", {"center": False}, [5], True), ("batchNormalization", {"scale": False}, [5], False),
    ("batchNormalization", {"trainable": False}, [4], True),
    ("layerNormalization", {}, [6], True), ("layerNormalization", {**AFFINE, "axis": 1}, [4, 3], True),
    ("layerNormalization", {"axis": [1, 2], "epsilon": 0.1}, [3, 4, 2], True), ("layerNormalization", {**BARE}, [2, 5], True),
    ("layerNormalization", {"scale": False, "axis": [-1, -2]}, [2, 3], False), ("layerNormalization", {"center": False}, [7], False),
    ("rmsNormalization", {}, [6], True), ("rmsNormalization", {"axis": [1, 2], "epsilon": 0.1}, [3, 4], True),
    ("rmsNormalization", {"axis": 1, "epsilon": 0.3}, [3, 4], False),
    ("groupNormalization", {"groups": 2}, [6], True), ("groupNormalization", {**AFFINE, "groups": 3, "axis": 1}, [6, 2, 2], True),
    ("groupNormalization", {"groups": 2}, [2, 3, 4], True), ("groupNormalization", {**BARE, "groups": -1}, [5, 3], True),
    ("groupNormalization", {"groups": 1, "epsilon": 0.2}, [3, 4], False),
    ("unitNormalization", {}, [5], True), ("unitNormalization", {"axis": 1}, [3, 4], True), ("unitNormalization", {"axis": [1, 2]}, [3, 4], False),
    ("relu", {}, [5], True), ("relu", {"maxValue": 0.8}, [9], True), ("relu", {"negativeSlope": 0.3}, [5], True), ("relu", {"threshold": 0.4}, [9], True),
    ("relu", {"maxValue": 0.9, "negativeSlope": 0.2, "threshold": 0.35}, [4, 3], True),
    ("leakyRelu", {}, [5], True), ("leakyRelu", {"negativeSlope": 0.05}, [5], True), ("elu", {}, [5], True), ("elu", {"alpha": 0.6}, [5], True),
    ("prelu", {}, [5], True), ("prelu", {"sharedAxes": [1]}, [4, 3], True), ("prelu", {"sharedAxes": [1, 2]}, [2, 3, 2], True),
    ("softmax", {}, [5], True), ("softmax", {"axis": 1}, [3, 4], True), ("softmax", {"axis": [1, 2]}, [3, 2], True),
    ("rescaling", {"scale": 2.5}, [3], True), ("rescaling", {"scale": 0.3, "offset": -1.25}, [2, 3], True),
    ("rescaling", {"scale": [0.5, 2.0, -1.0], "offset": [1.0, 2.0, 3.0]}, [2, 3], False),
    ("normalization", {"mean": 0.4, "variance": 2.3}, [3], True), ("normalization", {"mean": [0.4, -1.0], "variance": [2.3, 0.3], "axis": 1}, [2, 3], True),
    ("normalization", {"mean": [0.4, -1.0, 2.0], "variance": [2.3, 0.3, 0.0], "invert": True}, [2, 3], True),
    ("normalization", {"mean": 0.7, "variance": 0.2, "axis": None, "invert": True}, [4], False),
]

# options, shape of the data
ADAPTED = [({}, [13, 4]), ({"axis": 1}, [9, 3, 4]), ({"axis": [1, 2]}, [9, 2, 3]), ({"axis": None}, [7, 3]), ({"axis": [-1], "invert": True}, [9, 2, 3])]

ROWS, FEATURES = 45, 6
X, Y = draws(700, ROWS, FEATURES, scale=1.5), np.eye(3)[np.argmax(draws(701, ROWS, 3), axis=1)]
DENSE = ["dense", {"units": 6, "activation": "tanh"}]
OUT = ["dense", {"units": 3, "activation": "softmax"}]
SGD, ADAM = {"learningRate": 0.11, "momentum": 0.7}, {"learningRate": 0.02}
# name, layers, optimizer, options, fit
RUNS = [
    ("batch normalization", [DENSE, ["batchNormalization", {"momentum": 0.8}], DENSE, ["batchNormalization", {}], OUT], "adam", ADAM, {"validationSplit": 0.2}),
    ("batch normalization of inputs, gradient accumulation", [["batchNormalization", {"momentum": 0.6, "scale": False}], DENSE, OUT], "adam",
     {**ADAM, "gradientAccumulationSteps": 2}, {}),
    ("batch normalization, frozen", [DENSE, ["batchNormalization", {"trainable": False}], OUT], "sgd", SGD, {}),
    ("layer, rms, group and unit normalization", [DENSE, ["layerNormalization", {}], DENSE, ["rmsNormalization", {}], DENSE, ["groupNormalization", {"groups": 2}],
     ["prelu", {}], ["unitNormalization", {}], OUT], "sgd", SGD, {"validationSplit": 0.2}),
]
BATCH, EPOCHS = 8, 3


def make(kind, options):
    options = {key: tuple(value) if isinstance(value, list) and key == "axis" else value for key, value in options.items()}
    return getattr(L, NAMES.get(kind, kind[0].upper() + kind[1:]))(dtype="float64", **keras_arguments(options))


def inner_axes(kind, options, shape):
    """The order in which the axes of layer and rms normalization come last; Keras's torch backend fails for others."""
    if kind not in ("layerNormalization", "rmsNormalization"):
        return None
    axes = options.get("axis", -1)
    axes = [axis % (len(shape) + 1) for axis in (axes if isinstance(axes, list) else [axes])]
    order = [axis for axis in range(len(shape) + 1) if axis not in axes] + sorted(axes)
    return order if order != sorted(order) else None


def layer_row(row, seed):
    kind, options, shape, training = row
    order = inner_axes(kind, options, shape)
    last = list(range(-len(options["axis"]), 0)) if order and isinstance(options["axis"], list) else -1
    layer = make(kind, {**options, "axis": last} if order else options)
    x = draws(seed, 4, *shape, scale=1.3)
    layer.build((None, *[shape[axis - 1] for axis in order[1:]]) if order else (None, *shape))
    # Moving variances are positive.
    start = [np.abs(draws(seed + 1 + i, *w.shape)) + 0.5 if "variance" in w.name else draws(seed + 1 + i, *w.shape) for i, w in enumerate(layer.weights)]
    layer.set_weights(start)
    factors = draws(seed + 20, 4, *shape)
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    takes = "training" in layer._call_signature.parameters
    if order:
        y = layer(tensor.permute(order)).permute(list(np.argsort(order)))
    else:
        y = layer(tensor, training=training) if takes else layer(tensor)
    trained = [w.value for w in layer.trainable_weights]
    gradients = torch.autograd.grad((y * torch.tensor(factors)).sum(), [tensor, *trained])
    return {
        "layer": kind, "options": options, "training": training, "x": numbers(x), "weights": [numbers(w) for w in start], "factors": numbers(factors),
        "y": numbers(y), "gradients": [numbers(g) for g in gradients], "after": [numbers(w) for w in layer.get_weights()],
    }


def adapted_row(row, seed):
    options, shape = row
    data = draws(seed, *shape, scale=2.0)
    layer = make("normalization", options)
    layer.adapt(data)
    return {"options": options, "data": numbers(data), "mean": numbers(layer.adapt_mean), "variance": numbers(layer.adapt_variance), "y": numbers(layer(data))}


class Steps(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(number(logs["loss"]))


def run_row(row, seed):
    name, specs, optimizer, options, fit = row
    model = keras.Sequential([keras.Input((FEATURES,), dtype="float64"), *[make(*spec) for spec in specs]])
    start = [np.abs(draws(seed + i, *w.shape, scale=0.6)) + 0.3 if "variance" in w.name else draws(seed + i, *w.shape, scale=0.6) for i, w in enumerate(model.weights)]
    model.set_weights(start)
    optimizers = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    model.compile(optimizer=optimizers[optimizer](**keras_arguments(options)), loss="categorical_crossentropy", metrics=["accuracy"])
    steps = Steps()
    more = {"validation_split": fit["validationSplit"]} if "validationSplit" in fit else {}
    history = model.fit(X, Y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[steps], **more)
    return {
        "name": name, "layers": specs, "optimizer": optimizer, "options": options, "fit": fit, "start": [numbers(w) for w in start], "losses": steps.losses,
        "history": {key: numbers(values) for key, values in history.history.items()}, "weights": [numbers(w) for w in model.get_weights()],
        "evaluate": {key: number(value) for key, value in model.evaluate(X, Y, batch_size=7, verbose=0, return_dict=True).items()},
    }


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    write("normalization", __file__, {
        "batchSize": BATCH, "epochs": EPOCHS, "x": numbers(X), "y": numbers(Y),
        "layers": [layer_row(row, 3000 + 40 * i) for i, row in enumerate(LAYERS)],
        "adapted": [adapted_row(row, 6000 + i) for i, row in enumerate(ADAPTED)],
        "runs": [run_row(row, 7000 + 50 * i) for i, row in enumerate(RUNS)],
    })
