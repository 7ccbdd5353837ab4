"""Whole training runs: 30 steps (10 epochs of batches of 16, 16 and 8 rows, not shuffled), losses per step and final weights."""

import sys

from common import draws, keras, keras_arguments, np, number, numbers, torch, write
from update_rules import torch_optimizer

ROWS, FEATURES, CLASSES, BATCH, EPOCHS = 40, 12, 4, 16, 10
X = draws(100, ROWS, FEATURES)
LABELS = np.argmax(X @ draws(101, FEATURES, CLASSES) + draws(102, ROWS, CLASSES), axis=1)
TARGETS = {
    "classes": np.eye(CLASSES)[LABELS],
    "labels": LABELS,
    "values": np.round(np.sin(X @ draws(103, FEATURES, 2, scale=0.4)) + draws(104, ROWS, 2, scale=0.1), 2),
    "binary": (LABELS % 2).astype(float)[:, None],
}
BATCHES = [slice(begin, min(begin + BATCH, ROWS)) for _ in range(EPOCHS) for begin in range(0, ROWS, BATCH)]


def dense(units, activation=None, **options):
    return {"units": units, **({"activation": activation} if activation else {}), **options}


LECTURE = [dense(8, "sigmoid"), dense(CLASSES, "softmax")]
LECTURE_LOGITS = [dense(8, "sigmoid"), dense(CLASSES)]
RELU = [dense(10, "relu"), dense(6, "relu"), dense(CLASSES, "softmax")]
RELU_LOGITS = [dense(10, "relu"), dense(6, "relu"), dense(CLASSES)]
TANH = [dense(7, "tanh"), dense(5, "tanh"), dense(2)]
BINARY = [dense(6, "tanh"), dense(1, "sigmoid")]
BINARY_LOGITS = [dense(6, "tanh"), dense(1)]
CE = {"name": "categoricalCrossentropy"}
SPARSE = {"name": "sparseCategoricalCrossentropy"}
BCE = {"name": "binaryCrossentropy"}
MSE = {"name": "meanSquaredError"}
MAE = {"name": "meanAbsoluteError"}


def logits(loss):
    return {**loss, "options": {"fromLogits": True}}


ADAM = {"learningRate": 0.021, "beta1": 0.83, "beta2": 0.97, "epsilon": 1e-3}
# name, layers, loss, targets, optimizer, options
KERAS = [
    ("lecture net, sgd", LECTURE, CE, "classes", "sgd", {"learningRate": 0.43}),
    ("lecture net, momentum", LECTURE, CE, "classes", "sgd", {"learningRate": 0.13, "momentum": 0.83}),
    ("lecture net, nesterov", LECTURE, CE, "classes", "sgd", {"learningRate": 0.13, "momentum": 0.83, "nesterov": True}),
    ("lecture net, adam", LECTURE, CE, "classes", "adam", ADAM),
    ("lecture net from logits, adam with decay", LECTURE_LOGITS, logits(CE), "classes", "adam", {**ADAM, "weightDecay": 0.3}),
    ("label smoothing, momentum", LECTURE, {**CE, "options": {"labelSmoothing": 0.13}}, "classes", "sgd",
     {"learningRate": 0.13, "momentum": 0.83}),
    ("relu net, sparse labels, nesterov with decay", RELU, SPARSE, "labels", "sgd",
     {"learningRate": 0.07, "momentum": 0.77, "nesterov": True, "weightDecay": 0.05}),
    ("relu net from logits, sparse labels, globalClipNorm", RELU_LOGITS, logits(SPARSE), "labels", "sgd",
     {"learningRate": 0.15, "momentum": 0.6, "globalClipNorm": 0.7}),
    ("relu net, L2 on kernels and a bias, sgd",
     [dense(10, "relu", kernelL2=0.011), dense(6, "relu", kernelL2=0.023, biasL2=0.05), dense(CLASSES, "softmax", kernelL2=0.007)],
     CE, "classes", "sgd", {"learningRate": 0.11, "momentum": 0.5}),
    ("relu net without biases, adam", [dense(10, "relu", useBias=False), dense(CLASSES, "softmax", useBias=False)], CE, "classes",
     "adam", ADAM),
    ("tanh net, squared error, momentum with clipNorm", TANH, MSE, "values", "sgd",
     {"learningRate": 0.11, "momentum": 0.83, "clipNorm": 0.21}),
    ("tanh net, squared error, adam with globalClipNorm", TANH, MSE, "values", "adam", {**ADAM, "globalClipNorm": 0.17}),
    ("tanh net, absolute error, sgd", TANH, MAE, "values", "sgd", {"learningRate": 0.09}),
    ("linear regression, squared error, sgd", [dense(2)], MSE, "values", "sgd", {"learningRate": 0.03}),
    ("binary, adam with clipValue", BINARY, BCE, "binary", "adam", {**ADAM, "clipValue": 0.03}),
    ("binary from logits, nesterov with clipValue", BINARY_LOGITS, logits(BCE), "binary", "sgd",
     {"learningRate": 0.3, "momentum": 0.6, "nesterov": True, "clipValue": 0.04}),
]
TORCH = [
    ("lecture net, sgd with coupled decay", LECTURE_LOGITS, logits(CE), "classes", "sgd", {"learningRate": 0.43, "weightDecay": 0.013}),
    ("lecture net, dampened momentum with coupled decay", LECTURE_LOGITS, logits(CE), "classes", "sgd",
     {"learningRate": 0.23, "momentum": 0.83, "dampening": 0.21, "weightDecay": 0.013}),
    ("lecture net, adam", LECTURE_LOGITS, logits(CE), "classes", "adam", ADAM),
    ("relu net, sparse labels, nesterov with coupled decay", RELU_LOGITS, logits(SPARSE), "labels", "sgd",
     {"learningRate": 0.07, "momentum": 0.77, "nesterov": True, "weightDecay": 0.013}),
    ("relu net, sparse labels, adam with coupled decay", RELU_LOGITS, logits(SPARSE), "labels", "adam", {**ADAM, "weightDecay": 0.05}),
    ("tanh net, squared error, dampened momentum with clipValue", TANH, MSE, "values", "sgd",
     {"learningRate": 0.11, "momentum": 0.83, "dampening": 0.3, "clipValue": 0.02}),
    ("binary, adam with coupled decay", BINARY_LOGITS, logits(BCE), "binary", "adam", {**ADAM, "weightDecay": 0.05}),
]


def initial(layers, seed):
    """Weights in getWeights order, the same for both oracles. Biases are not zero, so that a lost one shows."""
    weights, width = [], FEATURES
    for index, layer in enumerate(layers):
        weights.append(draws(seed + 2 * index, width, layer["units"], scale=1 / np.sqrt(width), digits=3))
        if layer.get("useBias", True):
            weights.append(draws(seed + 2 * index + 1, layer["units"], scale=0.1, digits=3))
        width = layer["units"]
    return weights


def keras_loss(loss):
    name = loss["name"][0].upper() + loss["name"][1:]
    return getattr(keras.losses, name)(**keras_arguments(loss.get("options", {})))


def keras_model(layers, dtype):
    keras.config.set_floatx(dtype)
    model = keras.Sequential([keras.Input((FEATURES,))])
    for layer in layers:
        l2 = {key: keras.regularizers.L2(layer[ours]) for key, ours in
              (("kernel_regularizer", "kernelL2"), ("bias_regularizer", "biasL2")) if ours in layer}
        model.add(keras.layers.Dense(layer["units"], layer.get("activation"), use_bias=layer.get("useBias", True), **l2))
    return model


def keras_optimizer(name, options):
    return {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[name](**keras_arguments(options))


def run_keras(layers, loss, targets, optimizer, options, start, dtype="float64"):
    model = keras_model(layers, dtype)
    model.set_weights(start)
    model.compile(optimizer=keras_optimizer(optimizer, options), loss=keras_loss(loss))
    losses, before = [], None
    for rows in BATCHES:
        before = model.get_weights()
        losses.append(model.train_on_batch(X[rows].astype(dtype), TARGETS[targets][rows], return_dict=True)["loss"])
    return losses, before, model.get_weights()


def torch_loss(loss):
    """The PyTorch functional of a loss from logits; all mean over every element, as our losses do for these shapes."""
    functional = torch.nn.functional
    return {"categoricalCrossentropy": functional.cross_entropy, "sparseCategoricalCrossentropy": functional.cross_entropy,
            "binaryCrossentropy": functional.binary_cross_entropy_with_logits, "meanSquaredError": functional.mse_loss}[loss["name"]]


def run_torch(layers, loss, targets, optimizer, options, start, dtype="float64"):
    as_dtype = getattr(torch, dtype)
    weights = [torch.tensor(value, dtype=as_dtype, requires_grad=True) for value in start]
    rule = torch_optimizer(optimizer, options, weights)
    y = torch.tensor(TARGETS[targets])
    y = y if targets == "labels" else y.to(as_dtype)
    activations = {"sigmoid": torch.sigmoid, "relu": torch.relu, "tanh": torch.tanh, None: lambda value: value}
    losses, before = [], None
    for rows in BATCHES:
        before = [weight.detach().numpy().copy() for weight in weights]
        value = torch.tensor(X[rows], dtype=as_dtype)
        for index, layer in enumerate(layers):
            value = activations[layer.get("activation")](value @ weights[2 * index] + weights[2 * index + 1])
        result = torch_loss(loss)(value, y[rows])
        rule.zero_grad()
        result.backward()
        if "clipValue" in options:
            torch.nn.utils.clip_grad_value_(weights, options["clipValue"])
        rule.step()
        losses.append(float(result.detach()))
    return losses, before, [weight.detach().numpy() for weight in weights]


def case(row, run, preset, seed):
    name, layers, loss, targets, optimizer, options = row
    start = initial(layers, seed)
    losses, before, final = run(layers, loss, targets, optimizer, options, start)
    last_step = np.mean(np.concatenate([np.abs(a - b).ravel() for a, b in zip(before, final)]))
    if "--check" in sys.argv:  # the distance of the same run in float32, in units of the last step
        short, _, short_final = run(layers, loss, targets, optimizer, options, start, "float32")
        away = max(np.abs(a - b).max() for a, b in zip(short_final, final)) / last_step
        dropped = {key: run(layers, loss, targets, optimizer, {k: v for k, v in options.items() if k != key}, start)[2]
                   for key in options if not (key == "momentum" and "nesterov" in options)}
        matter = {key: max(np.abs(a - b).max() for a, b in zip(other, final)) / last_step for key, other in dropped.items()}
        assert min(matter.values()) > 0.3, f"an option that makes no difference: {matter}"
        print(f"{name}: weights {away:.1e} steps, losses {np.max(np.abs(np.divide(short, losses) - 1)):.1e}, loss {losses[0]:.3f} -> {losses[-1]:.3f}")
    return {
        "name": name, "layers": layers, "loss": loss, "targets": targets, "optimizer": optimizer,
        "options": {**options, "preset": preset}, "start": [numbers(value) for value in start],
        "losses": numbers(losses), "final": [numbers(value) for value in final],
        "lastStep": number(np.float32(f"{last_step:.3g}")),
    }


if __name__ == "__main__":
    data = {"batchSize": BATCH, "epochs": EPOCHS, "x": numbers(X), "y": {key: numbers(value) for key, value in TARGETS.items()}}
    for oracle, rows, run in (("keras", KERAS, run_keras), ("torch", TORCH, run_torch)):
        write(f"training-{oracle}", __file__, {**data, "cases": [case(row, run, oracle, 200 + 10 * i) for i, row in enumerate(rows)]})
