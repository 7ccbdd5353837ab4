"""Metrics over batches of several sizes, of all rows alike and weighted: Keras in float32, as its thresholds are."""

from common import camel, draws, keras, keras_arguments, np, numbers, torch, write

ROWS, CLASSES = 43, 4
BATCHES = [16, 16, 11]
PROBABILITIES = np.round(1 / (1 + np.exp(-draws(600, ROWS, CLASSES, scale=2))), 2)  # among them multiples of 0.1
PROBABILITIES[1::9, 0], PROBABILITIES[5::9, 0], PROBABILITIES[3::9, 2] = 0, 1, 0  # no row with ties: topK is of the first
BINARY = (PROBABILITIES + draws(601, ROWS, CLASSES, scale=0.7) > 0.5).astype(float)
LOGITS = draws(602, ROWS, CLASSES, scale=3, digits=1)  # with ties
LABELS = np.argmax(LOGITS + draws(603, ROWS, CLASSES, scale=3), axis=1)
ONE_HOT = np.eye(CLASSES)[LABELS]
VALUES, GUESSES = draws(604, ROWS, 3), draws(605, ROWS, 3)
WIDE, WIDE_GUESSES = draws(606, ROWS, 2, 3), draws(607, ROWS, 2, 3)
WEIGHTS = np.round(np.abs(draws(608, ROWS)) * 2, 1)
WEIGHTS[::7] = 0
ONE = (BINARY[:, :1], PROBABILITIES[:, :1])
MANY = (BINARY, PROBABILITIES)
THRESHOLDS = [0.7, 0.15, 0.5]

# Keras's class, options, targets, predictions
CASES = [
    ("BinaryAccuracy", {"threshold": 0.35}, *MANY),
    ("BinaryAccuracy", {}, *ONE),
    ("CategoricalAccuracy", {}, ONE_HOT, LOGITS),
    ("SparseCategoricalAccuracy", {}, LABELS, LOGITS),
    ("TopKCategoricalAccuracy", {"k": 2}, ONE_HOT, LOGITS),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, LABELS, LOGITS),
    ("RootMeanSquaredError", {}, VALUES, GUESSES),
    ("RootMeanSquaredError", {}, WIDE, WIDE_GUESSES),
    ("CosineSimilarity", {}, VALUES, GUESSES),
    ("CosineSimilarity", {"axis": 1}, WIDE, WIDE_GUESSES),
    ("MeanSquaredError", {}, WIDE, WIDE_GUESSES),
    ("MeanAbsoluteError", {}, VALUES, GUESSES),
    ("MeanAbsolutePercentageError", {}, VALUES, GUESSES),
    ("MeanSquaredLogarithmicError", {}, np.exp(VALUES), np.exp(GUESSES)),
    ("Poisson", {}, np.abs(VALUES), np.exp(GUESSES)),
    ("KLDivergence", {}, *MANY),
    ("Hinge", {}, np.sign(VALUES), GUESSES),
    ("SquaredHinge", {}, np.sign(VALUES), GUESSES),
    ("CategoricalHinge", {}, ONE_HOT, LOGITS),
    ("BinaryCrossentropy", {"labelSmoothing": 0.13, "fromLogits": True}, BINARY, LOGITS),
    ("CategoricalCrossentropy", {"labelSmoothing": 0.13, "fromLogits": True}, ONE_HOT, LOGITS),
    ("SparseCategoricalCrossentropy", {"fromLogits": True}, LABELS, LOGITS),
    ("LogCoshError", {}, VALUES, GUESSES),
    *((name, options, *MANY) for name in ("Precision", "Recall") for options in (
        {}, {"thresholds": 0.3}, {"thresholds": THRESHOLDS}, {"thresholds": [0, 0.5, 1]}, {"topK": 2}, {"topK": 3, "thresholds": 0.6}, {"classId": 1},
        {"topK": 2, "classId": 3, "thresholds": THRESHOLDS})),
    ("Precision", {}, *ONE),
    ("Recall", {}, *ONE),
    ("F1Score", {}, *MANY),
    ("F1Score", {"average": "micro"}, ONE_HOT, LOGITS),
    ("F1Score", {"average": "macro", "threshold": 0.4}, *MANY),
    ("F1Score", {"average": "weighted"}, ONE_HOT, LOGITS),
    ("FBetaScore", {"average": "weighted", "beta": 2.5, "threshold": 0.4}, *MANY),
    ("FBetaScore", {"beta": 0.5}, ONE_HOT, LOGITS),
    *(("AUC", {"curve": curve, "summationMethod": method, "numThresholds": 37}, *ONE)
      for curve in ("ROC", "PR", "PRGAIN") for method in ("interpolation", "minoring", "majoring")),
    ("AUC", {}, *MANY),
    ("AUC", {"curve": "PR"}, *MANY),
    ("AUC", {"numThresholds": 11}, *MANY),
    ("AUC", {"numThresholds": 2}, *MANY),
    ("AUC", {"fromLogits": True}, BINARY, LOGITS),
    ("AUC", {"thresholds": [0.9, 0.15, 0.5, 0.3]}, *MANY),
    ("AUC", {"thresholds": [0.25, 0.5, 0.75], "curve": "PR"}, *MANY),
    ("AUC", {"multiLabel": True}, *MANY),
    ("AUC", {"multiLabel": True, "numLabels": CLASSES, "labelWeights": [0.5, 2, 0, 1], "curve": "PR"}, *MANY),
    ("AUC", {"multiLabel": True, "thresholds": [0.6, 0.1], "summationMethod": "minoring"}, *MANY),
    ("AUC", {"labelWeights": [0.5, 2, 0, 1]}, *MANY),
]


def result(name, arguments, targets, predictions, weights):
    metric = getattr(keras.metrics, name)(**arguments)
    begin = 0
    for size in BATCHES:
        rows = slice(begin, begin + size)
        begin += size
        weight = None if weights is None else torch.tensor(np.float32(weights[rows]))
        metric.update_state(torch.tensor(np.float32(targets[rows])), torch.tensor(np.float32(predictions[rows])), sample_weight=weight)
    return numbers(np.asarray(metric.result()))


DATA = []  # values of the cases, each once


def known(values):
    """The place of these values among the data."""
    values = numbers(values)
    if values not in DATA:
        DATA.append(values)
    return DATA.index(values)


def case(row):
    name, options, targets, predictions = row
    arguments = keras_arguments(options)
    return {
        "metric": {"LogCoshError": "logCosh"}.get(name, camel(name)), "options": options, "labels": targets is LABELS,
        "targets": known(targets), "predictions": known(predictions),
        "result": result(name, arguments, targets, predictions, None),
        "weighted": result(name, arguments, targets, predictions, WEIGHTS),
    }


if __name__ == "__main__":
    keras.config.set_floatx("float32")
    cases = [case(row) for row in CASES]
    write("metrics", __file__, {"weights": numbers(WEIGHTS), "data": DATA, "cases": cases})
