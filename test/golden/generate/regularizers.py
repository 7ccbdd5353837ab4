"""Regularizers: values and gradients, and whole fits with penalties on kernels, biases and what layers give, frozen layers among them. Keras in float64."""

from common import draws, keras, np, number, numbers, torch, write

ROWS, TEST_ROWS, FEATURES, CLASSES, BATCH, EPOCHS = 29, 11, 5, 3, 8, 3
X, X_TEST = draws(700, ROWS, FEATURES), draws(701, TEST_ROWS, FEATURES)
LABELS = np.argmax(np.concatenate([X, X_TEST]) @ draws(702, FEATURES, CLASSES) + draws(703, ROWS + TEST_ROWS, CLASSES), axis=1)
Y = np.eye(CLASSES)[LABELS]

# ours, options
PENALTIES = [
    ("l1", {"l1": 0.37}), ("l2", {"l2": 0.23}), ("l1l2", {"l1": 0.31, "l2": 0.17}), ("l1l2", {"l1": 0.13}), ("l1l2", {"l2": 0.13}),
    ("orthogonal", {"factor": 0.7}), ("orthogonal", {"factor": 0.7, "mode": "columns"}), ("orthogonal", {"factor": 0.07, "mode": "rows"}),
]
MATRICES = [draws(710, 4, 6), draws(711, 6, 4), draws(712, 2, 2), draws(713, 5, 1).T.repeat(2, axis=0)]


def regularizer(name, options):
    return getattr(keras.regularizers, {"l1": "L1", "l2": "L2", "l1l2": "L1L2", "orthogonal": "OrthogonalRegularizer"}[name])(**options)


def penalty(name, options, matrix):
    keras.config.set_floatx("float64")
    weights = torch.tensor(matrix, requires_grad=True)
    value = regularizer(name, options)(weights)
    value.backward()
    return {"regularizer": name, "options": options, "weights": numbers(matrix), "value": number(value.item()), "gradient": numbers(weights.grad)}


def dense(units, activation, **more):
    return {"layer": "dense", "options": {"units": units, "activation": activation, **more}}


L1, L2 = {"regularizer": "l1", "options": {"l1": 0.021}}, {"regularizer": "l2", "options": {"l2": 0.034}}
L1L2 = {"regularizer": "l1l2", "options": {"l1": 0.013, "l2": 0.041}}
ROWWISE = {"regularizer": "orthogonal", "options": {"factor": 0.43, "mode": "rows"}}
COLUMNWISE = {"regularizer": "orthogonal", "options": {"factor": 0.57, "mode": "columns"}}
LAST = dense(CLASSES, "softmax")
# name, layers
FITS = [
    ("L1 of a hidden activation", [dense(6, "relu", activityRegularizer=L1), LAST]),
    ("L2 of the output", [dense(6, "tanh"), dense(CLASSES, "softmax", activityRegularizer=L2)]),
    ("activities of several kinds of layers", [dense(6, "linear", activityRegularizer=L1L2), {"layer": "activation", "options": {
        "activation": "tanh", "activityRegularizer": L2}}, {"layer": "flatten", "options": {"activityRegularizer": L1}}, LAST]),
    ("kernels and biases", [dense(6, "tanh", kernelRegularizer=L1L2, biasRegularizer=L2), dense(CLASSES, "softmax", biasRegularizer=L1)]),
    ("orthogonal rows and columns", [dense(6, "tanh", kernelRegularizer=ROWWISE), dense(CLASSES, "softmax", kernelRegularizer=COLUMNWISE)]),
    ("all at once", [dense(6, "sigmoid", kernelRegularizer=COLUMNWISE, biasRegularizer=L1, activityRegularizer=L2), LAST]),
    ("a frozen layer: its activity counts, its weights do not", [dense(6, "tanh", kernelRegularizer=L2, biasRegularizer=L1, activityRegularizer=L1L2,
                                                                  trainable=False), dense(CLASSES, "softmax", kernelRegularizer=L2)]),
]


def keras_layer(spec):
    names = {"kernelRegularizer": "kernel_regularizer", "biasRegularizer": "bias_regularizer", "activityRegularizer": "activity_regularizer"}
    options = {names.get(key, key): regularizer(value["regularizer"], value["options"]) if key in names else value
               for key, value in spec["options"].items()}
    return {"dense": keras.layers.Dense, "activation": keras.layers.Activation, "flatten": keras.layers.Flatten}[spec["layer"]](**options)


def fit(name, layers, seed):
    keras.config.set_floatx("float64")
    model = keras.Sequential([keras.Input((FEATURES,)), *(keras_layer(spec) for spec in layers)])
    start = [draws(seed + i, *np.shape(value), scale=0.5) for i, value in enumerate(model.get_weights())]
    model.set_weights(start)
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.21, momentum=0.6), loss="categorical_crossentropy", metrics=["accuracy"])
    before = model.evaluate(X_TEST, Y[ROWS:], batch_size=7, verbose=0, return_dict=True)
    history = model.fit(X, Y[:ROWS], batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, validation_split=0.2)
    return {"name": name, "layers": layers, "start": [numbers(value) for value in start],
            "evaluateBefore": {key: number(value) for key, value in before.items()},
            "history": {key: numbers(values) for key, values in history.history.items()},
            "final": [numbers(value) for value in model.get_weights()]}


if __name__ == "__main__":
    write("regularizers", __file__, {
        "penalties": [penalty(*row, matrix) for row in PENALTIES for matrix in MATRICES],
        "batchSize": BATCH, "epochs": EPOCHS, "x": numbers(X), "y": numbers(Y[:ROWS]), "xTest": numbers(X_TEST), "yTest": numbers(Y[ROWS:]),
        "fits": [fit(name, layers, 720 + 10 * i) for i, (name, layers) in enumerate(FITS)],
    })
