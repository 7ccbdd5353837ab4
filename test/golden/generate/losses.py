"""Losses: per example, mean, and the gradient of the mean, from probabilities and from logits, at awkward points. Keras in float32."""

from common import keras, keras_arguments, np, number, numbers, torch, write

ONE_HOT = np.eye(4)[[0, 1, 2, 3, 3, 1, 2, 0]]
LABELS = np.argmax(ONE_HOT, axis=1)
SOFT = np.float32([[0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25], [0, 0.5, 0.5, 0], [0.1, 0.2, 0.3, 0.4]] * 2)
LOOSE = np.float32([[0.5, 0, 0, 0], [0, 2, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]] * 2)  # rows that do not sum to 1
PROBABILITIES = np.float32([
    [0.7, 0.1, 0.1, 0.1],
    [0.25, 0.25, 0.25, 0.25],
    [1, 0, 0, 0],                  # certain and wrong: clipped at 1e-7
    [0, 0, 0, 1],                  # certain and right: clipped at 1 - 1e-7
    [0.2, 0.4, 0.6, 0.8],          # sums to 2: divided by the sum
    [1e-3, 1e-9, 0.5, 0.498999],   # below the clip
    [0.01, 0.01, 0.97, 0.01],
    [3e-7, 0.3, 0.3, 0.3],
])
LOGITS = np.float32([
    [0, 0, 0, 0], [1, 2, 3, 4], [1000, -1000, 0, 0], [-50, 0, 0, 60], [1e4, 1e4, 1e4, 9990], [88.5, -104, 17.5, 0],
    [-3, -1, -2, -5], [1e-7, 0, -1e-7, 3],
])
BINARY = np.float32([[0, 1], [1, 0], [1, 1], [0, 0], [1, 0], [0, 1], [0.3, 0.8], [0.5, 0]])
BINARY_PROBABILITIES = np.float32([[0.3, 0.8], [1e-3, 0.999], [0, 0.5], [1, 0.25], [1, 0], [1e-9, 3e-7], [0.3, 0.6], [0.5, 0.01]])
BINARY_LOGITS = np.float32([[0, 0], [1, -1], [-1000, 1000], [1000, -1000], [88.5, -88.5], [17.5, -17.5], [1e-7, -3], [-104, 20]])
VALUES = np.float32([[0, 1, -2], [1e3, -1e3, 0.5], [1e-4, 0.25, -0.25], [3, 3, 3]])
PREDICTIONS = np.float32([[0.5, 1.25, -2], [-1e3, 1e3, 0.25], [0, 0.25, 0.25], [1e4, 3.5, -3]])

# name, Keras's class, options, targets, predictions
CE, SPARSE, BCE = "CategoricalCrossentropy", "SparseCategoricalCrossentropy", "BinaryCrossentropy"
CASES = [
    ("one-hot targets, probabilities", CE, {}, ONE_HOT, PROBABILITIES),
    ("soft targets, probabilities", CE, {}, SOFT, PROBABILITIES),
    ("smoothed targets, probabilities", CE, {"labelSmoothing": 0.13}, ONE_HOT, PROBABILITIES),
    ("one-hot targets, logits", CE, {"fromLogits": True}, ONE_HOT, LOGITS),
    ("soft targets, logits", CE, {"fromLogits": True}, SOFT, LOGITS),
    ("targets that do not sum to 1, logits", CE, {"fromLogits": True}, LOOSE, LOGITS),
    ("targets that do not sum to 1, probabilities", CE, {}, LOOSE, PROBABILITIES),
    ("smoothed targets, logits", CE, {"fromLogits": True, "labelSmoothing": 0.13}, ONE_HOT, LOGITS),
    ("labels, probabilities", SPARSE, {}, LABELS, PROBABILITIES),
    ("labels, logits", SPARSE, {"fromLogits": True}, LABELS, LOGITS),
    ("binary targets, probabilities", BCE, {}, BINARY, BINARY_PROBABILITIES),
    ("binary targets, logits", BCE, {"fromLogits": True}, BINARY, BINARY_LOGITS),
    ("smoothed binary targets, probabilities", BCE, {"labelSmoothing": 0.13}, BINARY, BINARY_PROBABILITIES),
    ("smoothed binary targets, logits", BCE, {"fromLogits": True, "labelSmoothing": 0.13}, BINARY, BINARY_LOGITS),
    ("values", "MeanSquaredError", {}, VALUES, PREDICTIONS),
    ("values", "MeanAbsoluteError", {}, VALUES, PREDICTIONS),
]


def case(row):
    name, loss, options, targets, predictions = row
    arguments = keras_arguments(options)
    x = torch.tensor(predictions, requires_grad=True)
    y = torch.tensor(targets) if loss == SPARSE else torch.tensor(targets.astype(np.float32))
    per_example = getattr(keras.losses, loss)(reduction=None, **arguments)(y, x)
    mean = getattr(keras.losses, loss)(**arguments)(y, x)
    mean.backward()
    return {
        "name": name, "loss": loss[0].lower() + loss[1:], "options": options, "targets": numbers(targets), "predictions": numbers(predictions),
        "perExample": numbers(per_example), "mean": number(mean.item()), "gradient": numbers(x.grad),
    }


if __name__ == "__main__":
    keras.config.set_floatx("float32")
    write("losses", __file__, {"cases": [case(row) for row in CASES]})
