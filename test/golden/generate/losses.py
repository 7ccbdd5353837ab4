"""Losses: per example, mean, and the gradient of the mean, from probabilities and from logits, at awkward points.

Keras in float32 for the cross-entropies, whose clip is float32's, and in float64 for the others.
"""

from common import camel, draws, keras, keras_arguments, np, number, numbers, torch, write

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

MILD = draws(500, 8, 4, scale=2)
BINARY_INNER = np.float32([[0.3, 0.8], [1e-3, 0.999], [0.1, 0.5], [0.9, 0.25], [0.7, 0.6], [1e-4, 0.02], [0.3, 0.6], [0.5, 0.01]])
RANDOM = [draws(501, 6, 5), draws(502, 6, 5, scale=2)]
WIDE = draws(503, 3, 4, 2, scale=2)  # classes in the middle
WIDE_LABELS = np.array([[0, 3], [2, 1], [1, 0]])
WIDE_SOFT = np.float32(np.abs(draws(504, 3, 4, 2)) + 0.05)
WIDE_SOFT = np.round(WIDE_SOFT / WIDE_SOFT.sum(axis=1, keepdims=True), 3)
WIDE_BINARY = (draws(505, 3, 4, 2) > 0).astype(float)

# name, Keras's class, options, targets, predictions
CE, SPARSE, BCE = "CategoricalCrossentropy", "SparseCategoricalCrossentropy", "BinaryCrossentropy"
FOCAL, BINARY_FOCAL = "CategoricalFocalCrossentropy", "BinaryFocalCrossentropy"
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
    ("ignored labels, logits", SPARSE, {"fromLogits": True, "ignoreClass": 2}, LABELS, LOGITS),
    ("ignored labels that are no class", SPARSE, {"ignoreClass": -1}, np.where(LABELS == 1, -1, LABELS), PROBABILITIES),
    ("all labels ignored", SPARSE, {"ignoreClass": 3}, np.full(8, 3), PROBABILITIES),
    ("two labels a row, classes in the middle", SPARSE, {"fromLogits": True, "axis": 1}, WIDE_LABELS, WIDE),
    ("two labels a row, some ignored", SPARSE, {"fromLogits": True, "axis": -2, "ignoreClass": 0}, WIDE_LABELS, WIDE),
    ("classes in the middle, logits", CE, {"fromLogits": True, "axis": 1}, WIDE_SOFT, WIDE),
    ("classes in the middle, probabilities", CE, {"axis": -2}, WIDE_SOFT, WIDE_SOFT[::-1].copy()),
    ("mean over the middle axis first", BCE, {"fromLogits": True, "axis": 1, "labelSmoothing": 0.13}, WIDE_BINARY, WIDE),
    ("probabilities", FOCAL, {"gamma": 1.7, "alpha": 0.4}, ONE_HOT, PROBABILITIES),
    ("soft targets, smoothed", FOCAL, {"gamma": 0.5, "alpha": 0.4, "labelSmoothing": 0.13}, SOFT, SOFT[::-1].copy()),
    ("logits", FOCAL, {"gamma": 2.3, "alpha": 0.7, "fromLogits": True}, ONE_HOT, MILD),
    ("classes in the middle", FOCAL, {"gamma": 1, "fromLogits": True, "axis": 1}, WIDE_SOFT, WIDE),
    ("defaults", FOCAL, {}, SOFT, SOFT[::-1].copy()),
    ("probabilities", BINARY_FOCAL, {"gamma": 1.7}, BINARY, BINARY_INNER),
    ("balanced", BINARY_FOCAL, {"gamma": 1.7, "applyClassBalancing": True, "alpha": 0.4}, BINARY, BINARY_INNER),
    ("logits, smoothed", BINARY_FOCAL, {"gamma": 2.3, "applyClassBalancing": True, "fromLogits": True, "labelSmoothing": 0.13}, BINARY, MILD[:, :2]),
    ("mean over the middle axis first", BINARY_FOCAL, {"fromLogits": True, "axis": 1}, WIDE_BINARY, WIDE),
    ("defaults", BINARY_FOCAL, {}, BINARY, BINARY_INNER),
]
FLOAT64 = [
    ("values", "Huber", {}, VALUES, PREDICTIONS),
    ("wide", "Huber", {"delta": 2.3}, RANDOM[0], RANDOM[1]),
    ("at the bounds", "Huber", {"delta": 0.5}, [[0, 0, 1]], [[0.5, -0.5, 1]]),
    ("values", "LogCosh", {}, VALUES, PREDICTIONS),
    ("random", "LogCosh", {}, RANDOM[0], RANDOM[1]),
    ("small, none and huge errors", "LogCosh", {}, np.zeros((3, 4)), [[1e-4, -1e-3, 0.02, -0.09], [0.0999, 0.1, -0.1001, 0.3], [0, 88, -1e4, 1e30]]),
    ("counts", "Poisson", {}, [[0, 3, 1], [7, 0, 2]], [[0.5, 2.5, 1e-3], [6, 0, 1e3]]),
    ("random", "Poisson", {}, np.round(np.abs(RANDOM[0]) * 3), np.exp(RANDOM[1])),
    ("probabilities", "KLDivergence", {}, SOFT, PROBABILITIES),
    ("one-hot targets", "KLDivergence", {}, ONE_HOT, SOFT),
    ("values outside of [0, 1]", "KLDivergence", {}, [[-0.5, 0.5, 2]], [[0.3, 1.5, -1]]),
    ("targets -1 and 1", "Hinge", {}, np.sign(RANDOM[0]), RANDOM[1]),
    ("targets 0 and 1", "Hinge", {}, (RANDOM[0] > 0).astype(float), RANDOM[1]),
    ("other targets", "Hinge", {}, [[0, 0.5, -1], [1, 1, 0]], [[0.5, 3, 1], [1, -1, 0.25]]),
    ("targets -1 and 1", "SquaredHinge", {}, np.sign(RANDOM[0]), RANDOM[1]),
    ("targets 0 and 1", "SquaredHinge", {}, (RANDOM[0] > 0).astype(float), RANDOM[1]),
    ("other targets", "SquaredHinge", {}, [[0, 0.5, -1], [1, 1, 0]], [[0.5, 3, 1], [1, -1, 0.25]]),
    ("one-hot targets", "CategoricalHinge", {}, ONE_HOT, MILD),
    ("soft targets", "CategoricalHinge", {}, SOFT, MILD),
    ("random", "CosineSimilarity", {}, RANDOM[0], RANDOM[1]),
    ("tiny and huge vectors", "CosineSimilarity", {}, [[1e-5, 2e-5], [3e5, -4e5]], [[0.3, 0.1], [1e-4, 2e-4]]),
    ("along the middle axis", "CosineSimilarity", {"axis": 1}, WIDE_SOFT, WIDE),
    ("values", "MeanAbsolutePercentageError", {}, VALUES, PREDICTIONS),
    ("random", "MeanAbsolutePercentageError", {}, RANDOM[0], RANDOM[1]),
    ("values", "MeanSquaredLogarithmicError", {}, VALUES, PREDICTIONS),
    ("random", "MeanSquaredLogarithmicError", {}, np.exp(RANDOM[0]), np.exp(RANDOM[1])),
]


def case(row, floats=np.float32):
    name, loss, options, targets, predictions = row
    # What the tests read back: float32.
    targets, predictions = np.asarray(targets), np.asarray(predictions, np.float32).astype(floats)
    if loss != SPARSE:
        targets = targets.astype(np.float32).astype(floats)
    arguments = keras_arguments(options)
    x = torch.tensor(predictions, requires_grad=True)
    y = torch.tensor(targets)
    per_example = getattr(keras.losses, loss)(reduction=None, **arguments)(y, x)
    per_example = per_example.reshape(len(x), -1).mean(axis=1)
    mean = getattr(keras.losses, loss)(**arguments)(y, x)
    mean.backward()
    return {
        "name": name, "loss": camel(loss), "options": options, "targets": numbers(targets), "predictions": numbers(predictions),
        "perExample": numbers(per_example), "mean": number(mean.item()), "gradient": numbers(x.grad),
    }


if __name__ == "__main__":
    keras.config.set_floatx("float32")
    cases = [case(row) for row in CASES]
    keras.config.set_floatx("float64")
    cases += [case(row, np.float64) for row in FLOAT64]
    write("losses", __file__, {"cases": cases})
