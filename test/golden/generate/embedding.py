"""Networks that begin with an embedding: loss at each step, weights at the end, a prediction. Keras in float64."""

from common import draws, keras, keras_arguments, np, number, numbers, write

ROWS, LENGTH, WORDS, WIDTH, CLASSES, BATCH, EPOCHS = 14, 3, 60, 9, 2, 4, 4
RANDOM = np.random.RandomState(500)
X = np.where(RANDOM.rand(ROWS, LENGTH) < 0.4, RANDOM.randint(4, size=(ROWS, LENGTH)), RANDOM.randint(WORDS, size=(ROWS, LENGTH)))
Y = (X.sum(axis=1) + RANDOM.randint(2, size=ROWS)) % CLASSES
BATCHES = [slice(begin, min(begin + BATCH, ROWS)) for _ in range(EPOCHS) for begin in range(0, ROWS, BATCH)]

# name, optimizer, its options, options of the layer
CASES = [
    ("sgd", "sgd", {"learningRate": 0.7}, {}),
    ("sgd with clipValue", "sgd", {"learningRate": 0.7, "clipValue": 0.03}, {}),
    ("momentum with globalClipNorm", "sgd", {"learningRate": 0.23, "momentum": 0.6, "globalClipNorm": 0.11}, {}),
    ("adagrad", "adagrad", {"learningRate": 0.31, "initialAccumulatorValue": 0.02, "epsilon": 1e-3}, {}),
    ("ftrl", "ftrl", {"learningRate": 0.33, "initialAccumulatorValue": 0.3, "l1RegularizationStrength": 0.001,
                      "l2RegularizationStrength": 0.02}, {}),
    ("adam with decay", "adam", {"learningRate": 0.05, "epsilon": 1e-3, "weightDecay": 0.02}, {}),
    ("sgd, L2 penalty", "sgd", {"learningRate": 0.7}, {"l2": 0.03}),
    ("adagrad, vectors of bounded length", "adagrad", {"learningRate": 0.3, "epsilon": 1e-3}, {"maxNorm": 0.35}),
]


def model_of(options):
    keras.config.set_floatx("float64")
    layer = keras.layers.Embedding(
        WORDS, WIDTH,
        embeddings_regularizer=keras.regularizers.L2(options["l2"]) if "l2" in options else None,
        embeddings_constraint=keras.constraints.MaxNorm(options["maxNorm"], axis=1) if "maxNorm" in options else None,
    )
    return keras.Sequential([keras.Input((LENGTH,), dtype="int32"), layer, keras.layers.Flatten(), keras.layers.Dense(CLASSES, "softmax")])


def case(row, seed):
    name, optimizer, options, layer = row
    model = model_of(layer)
    start = [draws(seed, WORDS, WIDTH, scale=0.3), draws(seed + 1, LENGTH * WIDTH, CLASSES, scale=0.3), draws(seed + 2, CLASSES, scale=0.1)]
    model.set_weights(start)
    kind = {"sgd": keras.optimizers.SGD, "adagrad": keras.optimizers.Adagrad, "ftrl": keras.optimizers.Ftrl, "adam": keras.optimizers.Adam}[optimizer]
    model.compile(optimizer=kind(**keras_arguments(options)), loss="sparse_categorical_crossentropy")
    losses = [model.train_on_batch(X[rows], Y[rows], return_dict=True)["loss"] for rows in BATCHES]
    return {
        "name": name, "optimizer": optimizer, "options": options, "layer": layer, "start": [numbers(value) for value in start],
        "losses": numbers(losses), "final": [numbers(value) for value in model.get_weights()], "predict": numbers(model.predict(X, verbose=0)),
    }


if __name__ == "__main__":
    write("embedding", __file__, {
        "batchSize": BATCH, "epochs": EPOCHS, "words": WORDS, "width": WIDTH, "x": X.tolist(), "y": Y.tolist(),
        "cases": [case(row, 600 + 10 * index) for index, row in enumerate(CASES)],
    })
