"""fit, evaluate and predict: History per epoch with metrics, weights, validation split and data, and partial batches. Keras in float64."""

from common import draws, keras, np, number, numbers, write
from training import BINARY, BINARY_LOGITS, CE, CLASSES, FEATURES, LECTURE, BCE, MAE, MSE, RELU, SPARSE, TANH, dense, initial, keras_loss, keras_model, keras_optimizer, logits

ROWS, TEST_ROWS, BATCH, EPOCHS = 43, 19, 8, 4
X, X_TEST = draws(300, ROWS, FEATURES), draws(301, TEST_ROWS, FEATURES)
MIX, NOISE = draws(302, FEATURES, CLASSES), draws(303, ROWS + TEST_ROWS, CLASSES)
LABELS = np.argmax(np.concatenate([X, X_TEST]) @ MIX + NOISE, axis=1)
VALUES = np.round(np.sin(np.concatenate([X, X_TEST]) @ draws(304, FEATURES, 2, scale=0.4)), 2)
TARGETS = {
    "classes": np.eye(CLASSES)[LABELS],
    "labels": LABELS,
    "values": VALUES,
    "binary": (LABELS % 2).astype(float)[:, None],
    "pairs": np.stack([LABELS % 2, LABELS // 2], axis=1).astype(float),
}

WEIGHTS = np.round(np.abs(draws(305, ROWS + TEST_ROWS)) * 1.5, 1)
WEIGHTS[::5] = 0
CLASS_WEIGHTS = {0: 0.5, 1: 2.5, 3: 0}  # class 2 has none

SGD = {"learningRate": 0.23, "momentum": 0.6}
ADAM = {"learningRate": 0.021, "beta1": 0.83, "beta2": 0.97, "epsilon": 1e-3}
# name, layers, loss, targets, optimizer, options, metrics, fit options
CASES = [
    ("one-hot accuracy, validation split", LECTURE, CE, "classes", "sgd", SGD, ["accuracy"], {"validationSplit": 0.2}),
    ("one-hot accuracy, validation data", RELU, CE, "classes", "sgd", {"learningRate": 0.1}, ["accuracy"], {"validationData": True}),
    ("sparse accuracy, validation split", RELU, SPARSE, "labels", "adam", ADAM, ["accuracy"], {"validationSplit": 0.1}),
    ("sparse accuracy from logits", [dense(8, "sigmoid"), dense(CLASSES)], logits(SPARSE), "labels", "sgd", SGD, ["accuracy"], {}),
    ("binary accuracy, validation split", BINARY, BCE, "binary", "adam", ADAM, ["accuracy"], {"validationSplit": 0.33}),
    ("two sigmoid outputs: categorical accuracy", [dense(6, "tanh"), dense(2, "sigmoid")], BCE, "pairs", "sgd", SGD, ["accuracy"], {}),
    ("binary accuracy of logits at 0.5", BINARY_LOGITS, logits(BCE), "binary", "sgd", SGD, ["accuracy"], {}),
    ("losses as metrics", TANH, MSE, "values", "sgd", {"learningRate": 0.1}, ["mean_absolute_error", "mean_squared_error"], {"validationSplit": 0.2}),
    ("absolute error", TANH, MAE, "values", "adam", ADAM, ["mean_squared_error"], {"validationData": True}),
    ("regularizers in loss and val_loss", [dense(8, "sigmoid", kernelL2=0.013), dense(CLASSES, "softmax", biasL2=0.1)], CE, "classes", "sgd",
     SGD, ["accuracy"], {"validationSplit": 0.2}),
    ("sampleWeight, validation split", LECTURE, CE, "classes", "sgd", SGD, ["accuracy"],
     {"validationSplit": 0.2, "sampleWeight": True, "weightedMetrics": ["accuracy", "mean_squared_error"]}),
    ("sampleWeight, weighted validation data, regularizers", [dense(8, "sigmoid", kernelL2=0.013), dense(CLASSES, "softmax", biasL2=0.1)], SPARSE,
     "labels", "adam", ADAM, [], {"validationData": True, "validationWeight": True, "sampleWeight": True, "weightedMetrics": ["accuracy"]}),
    ("classWeight of one-hot targets, validation split", LECTURE, CE, "classes", "adam", ADAM, ["accuracy"],
     {"validationSplit": 0.2, "classWeight": CLASS_WEIGHTS, "weightedMetrics": ["accuracy"]}),
    ("classWeight of labels, validation data", RELU, SPARSE, "labels", "sgd", {"learningRate": 0.1}, ["accuracy"],
     {"validationData": True, "classWeight": CLASS_WEIGHTS, "weightedMetrics": ["sparse_categorical_crossentropy"]}),
    ("classWeight of binary targets", BINARY, BCE, "binary", "adam", ADAM, ["accuracy"],
     {"validationSplit": 0.33, "classWeight": {0: 3, 1: 0.5}, "weightedMetrics": ["accuracy"]}),
    ("sampleWeight times classWeight, accumulated", RELU, CE, "classes", "sgd", {**SGD, "gradientAccumulationSteps": 2}, ["accuracy"],
     {"validationSplit": 0.2, "sampleWeight": True, "classWeight": CLASS_WEIGHTS, "weightedMetrics": ["accuracy"]}),
    ("sampleWeight of values, other metrics", TANH, MSE, "values", "sgd", {"learningRate": 0.1}, ["mean_absolute_error"],
     {"validationData": True, "sampleWeight": True, "weightedMetrics": ["mean_absolute_error", "cosine_similarity"]}),
    ("streaming metrics", [dense(6, "tanh"), dense(2, "sigmoid")], BCE, "pairs", "sgd", SGD, ["auc", "precision", "recall"],
     {"validationSplit": 0.2, "sampleWeight": True, "weightedMetrics": ["auc", "precision"]}),
    ("root of the mean squared error", TANH, {"name": "huber", "options": {"delta": 0.3}}, "values", "sgd", SGD, ["root_mean_squared_error"],
     {"validationSplit": 0.2}),
]


def weights_of(fit, y):
    """What Keras is given: one product of weights for the rows in training; it knows no sampleWeight and classWeight together."""
    if "classWeight" not in fit:
        return {"sample_weight": WEIGHTS[:ROWS]} if "sampleWeight" in fit else {}
    if "sampleWeight" not in fit:
        return {"class_weight": fit["classWeight"]}
    trained = int(ROWS * (1 - fit["validationSplit"]))
    labels = np.argmax(y, axis=1)
    factor = [fit["classWeight"].get(int(label), 1) if row < trained else 1 for row, label in enumerate(labels)]
    return {"sample_weight": WEIGHTS[:ROWS] * factor}


def case(row, seed):
    name, layers, loss, targets, optimizer, options, metrics, fit = row
    y, y_test = TARGETS[targets][:ROWS], TARGETS[targets][ROWS:]
    start = initial(layers, seed)
    model = keras_model(layers, "float64")
    model.set_weights(start)
    model.compile(optimizer=keras_optimizer(optimizer, options), loss=keras_loss(loss), metrics=metrics, weighted_metrics=fit.get("weightedMetrics", []))
    testing = {"sample_weight": WEIGHTS[ROWS:]} if "sampleWeight" in fit else {}
    before = model.evaluate(X_TEST, y_test, batch_size=7, verbose=0, return_dict=True, **testing)
    arguments = {"validation_split": fit["validationSplit"]} if "validationSplit" in fit else {}
    if "validationData" in fit:
        arguments["validation_data"] = (X_TEST, y_test, WEIGHTS[ROWS:]) if "validationWeight" in fit else (X_TEST, y_test)
    arguments.update(weights_of(fit, y))
    history = model.fit(X, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, **arguments)
    after = model.evaluate(X_TEST, y_test, batch_size=7, verbose=0, return_dict=True, **testing)
    scores = {key: numbers(values) for key, values in history.history.items()}
    return {
        "name": name, "layers": layers, "loss": loss, "targets": targets, "optimizer": optimizer, "options": options,
        "metrics": metrics, "fit": fit, "start": [numbers(value) for value in start],
        "evaluateBefore": {key: number(value) for key, value in before.items()},
        "history": scores,
        "evaluateAfter": {key: number(value) for key, value in after.items()},
        "predict": numbers(model.predict(X_TEST, batch_size=7, verbose=0)),
    }


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    write("fit-keras", __file__, {
        "weights": numbers(WEIGHTS[:ROWS]), "weightsTest": numbers(WEIGHTS[ROWS:]), "batchSize": BATCH, "epochs": EPOCHS, "x": numbers(X), "xTest": numbers(X_TEST),
        "y": {key: numbers(value[:ROWS]) for key, value in TARGETS.items()},
        "yTest": {key: numbers(value[ROWS:]) for key, value in TARGETS.items()},
        "cases": [case(row, 400 + 10 * index) for index, row in enumerate(CASES)],
    })
