"""Masks: recurrent and other layers behind Masking (outputs, gradients), masks of merging layers, networks with masked losses and metrics, and an
encoder with a decoder that begins with its states. Keras in float64."""

from common import draws, keras, np, number, numbers, snake, torch, write

L = keras.layers
# On torch Keras multiplies the weights in place, so that metrics would see those of the loss.
apply_mask = keras.src.losses.loss.apply_mask
keras.src.losses.loss.apply_mask = lambda weight, *args, **options: apply_mask(None if weight is None else weight.clone(), *args, **options)
SHAPE, OUT = (5, 3), 9.0
COUNTS = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]])
KINDS = {"simpleRNN": L.SimpleRNN, "lstm": L.LSTM, "gru": L.GRU, "batchNormalization": L.BatchNormalization, "globalAveragePooling1d": L.GlobalAveragePooling1D,
         "layerNormalization": L.LayerNormalization}
BOTH = {"returnSequences": True, "returnState": True}

# factory, options; `layer` and `backwardLayer`: [factory, options]
CASES = [
    ("simpleRNN", {"units": 4}),
    ("simpleRNN", {"units": 4, "returnSequences": True, "goBackwards": True}),
    ("simpleRNN", {"units": 3, "returnState": True, "activation": "relu"}),
    ("lstm", {"units": 4}),
    ("lstm", {"units": 4, **BOTH}),
    ("lstm", {"units": 4, **BOTH, "goBackwards": True}),
    ("lstm", {"units": 3, **BOTH, "zeroOutputForMask": True, "recurrentActivation": "softsign"}),
    ("gru", {"units": 4, **BOTH}),
    ("gru", {"units": 4, "goBackwards": True}),
    ("gru", {"units": 3, **BOTH, "resetAfter": False}),
    ("gru", {"units": 4, "returnSequences": True, "zeroOutputForMask": True, "useBias": False}),
    ("bidirectional", {"layer": ["lstm", {"units": 3}]}),
    ("bidirectional", {"layer": ["lstm", {"units": 3, **BOTH}]}),
    ("bidirectional", {"layer": ["gru", {"units": 3, "returnSequences": True}], "mergeMode": "ave"}),
    ("bidirectional", {"layer": ["lstm", {"units": 2, "returnState": True}],
                       "backwardLayer": ["lstm", {"units": 2, "goBackwards": True, "returnState": True}]}),
    ("timeDistributed", {"layer": ["dense", {"units": 4, "activation": "tanh"}]}),
    ("batchNormalization", {"epsilon": 0.01}),
    ("layerNormalization", {"epsilon": 0.01}),
    ("globalAveragePooling1d", {"keepdims": True}),
]

# factory, options, masks [steps] of inputs [3, features] (null: none)
MERGED = [
    ("add", {}, [[1, 0, 0], [1, 1, 0]]), ("multiply", {}, [[1, 0, 1], None]), ("average", {}, [[0, 0, 1], [0, 1, 0]]), ("maximum", {}, [None, None]),
    ("subtract", {}, [[1, 0, 0], [0, 1, 0]]), ("concatenate", {}, [[1, 0, 1], [1, 1, 0]]), ("concatenate", {}, [[1, 0, 1], None]),
    ("concatenate", {"axis": 1}, [[1, 0, 0], [1, 1, 0]]), ("concatenate", {"axis": 1}, [None, [1, 1, 0]]), ("dot", {"axes": 2}, [[1, 0, 0], [1, 1, 0]]),
]

WORDS = 7
EMBEDDING = ("embedding", {"inputDim": WORDS, "outputDim": 4, "maskZero": True})
# name, words or not, layers, loss, metrics, optimizer, sample weights: "steps", "rows" or none
NETWORKS = [
    ("words: a class for each step", True, [EMBEDDING, ("lstm", {"units": 5, "returnSequences": True}), ("dropout", {"rate": 0.0}),
     ("timeDistributed", {"layer": ["dense", {"units": 3, "activation": "softmax"}]})],
     "sparse_categorical_crossentropy", ["accuracy"], ("adam", {"learningRate": 0.03}), None),
    ("words: rows and steps weigh", True, [EMBEDDING, ("layerNormalization", {}), ("bidirectional", {"layer": ["gru", {"units": 3, "returnSequences": True}]}),
     ("dense", {"units": 1})], "mean_squared_error", ["mean_absolute_error"], ("sgd", {"learningRate": 0.1}), "steps"),
    ("words: the mean of what counts", True, [EMBEDDING, ("dense", {"units": 6, "activation": "tanh"}), ("batchNormalization", {"momentum": 0.7}),
     ("globalAveragePooling1d", {}), ("dense", {"units": 3, "activation": "softmax"})],
     "sparse_categorical_crossentropy", ["accuracy"], ("adam", {"learningRate": 0.03}), "rows"),
    ("masking: two layers", False, [("masking", {"maskValue": OUT}), ("activation", {"activation": "tanh"}), ("simpleRNN", {"units": 4, "returnSequences": True}),
     ("lstm", {"units": 4}), ("dense", {"units": 3, "activation": "softmax"})],
     "sparse_categorical_crossentropy", ["accuracy"], ("sgd", {"learningRate": 0.2, "momentum": 0.5}), None),
]
ROWS, BATCH, EPOCHS = 20, 8, 3


def make(factory, options):
    options = {key: make(*value) if isinstance(value, list) and value and isinstance(value[0], str) else value for key, value in options.items()}
    kind = KINDS.get(factory) or getattr(L, factory[0].upper() + factory[1:])
    return kind(**{snake(key): value for key, value in options.items()}, dtype="float64")


def begin(weights, seed):
    values = []
    for i, weight in enumerate(weights):
        value = draws(seed + i, *weight.shape, scale=0.5)
        values.append(np.abs(value) + 0.5 if "variance" in weight.name else value)
        weight.assign(values[-1])
    return [numbers(value) for value in values]


def one(row, seed):
    factory, options = row
    layer = make(factory, options)
    sequence = keras.Input(SHAPE, dtype="float64")
    model = keras.Model(sequence, layer(L.Masking(mask_value=OUT, dtype="float64")(sequence)))
    weights = begin(model.weights, seed)
    values = draws(seed + 20, len(COUNTS), *SHAPE)
    values[COUNTS == 0] = OUT
    if factory == "globalAveragePooling1d":  # NaN where nothing counts
        values[3, 0] = 1.0
    x = torch.tensor(values, requires_grad=True)
    y = model(x, training=True)
    outputs = list(y) if isinstance(y, (list, tuple)) else [y]
    factors = [draws(seed + 21 + i, *each.shape) for i, each in enumerate(outputs)]
    sum((each * torch.tensor(factor)).sum() for each, factor in zip(outputs, factors)).backward()
    mask = keras.src.backend.get_keras_mask(outputs[0])
    return {
        "layer": factory, "options": options, "x": numbers(values), "y": [numbers(each) for each in outputs],
        "outputShapes": [list(each.shape[1:]) for each in outputs], "mask": None if mask is None else numbers(mask.to(torch.float64)),
        "weights": weights, "names": [weight.path for weight in model.weights], "factors": [numbers(factor) for factor in factors],
        "gradientOfInput": numbers(x.grad),
        "gradients": [None if weight.value.grad is None else numbers(weight.value.grad) for weight in model.weights],
    }


def merged(row):
    factory, options, masks = row
    inputs = []
    for i, mask in enumerate(masks):
        x = torch.tensor(draws(50 + i, 1, 3, 2))
        if mask is not None:
            keras.src.backend.set_keras_mask(x, torch.tensor([mask], dtype=torch.bool))
        inputs.append(x)
    mask = keras.src.backend.get_keras_mask(make(factory, options)(inputs))
    return {"layer": factory, "options": options, "masks": masks, "mask": None if mask is None else numbers(mask.to(torch.float64))}


def words(seed, rows, steps, begin=0):
    """Sequences of different lengths, with 0 behind their ends and here and there within."""
    random = np.random.RandomState(seed)
    values = random.randint(1, WORDS, (rows, steps))
    for row in range(rows):
        values[row, random.randint(begin, steps + 1):] = 0
    values[1, 0] = values[2, 1] = 0
    return values


class Steps(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(number(logs["loss"]))


def trained(model, x, y, loss, metrics, optimizer, weights, seed):
    start = begin(model.weights, seed)
    name, options = optimizer
    kind = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[name]
    model.compile(optimizer=kind(**{snake(key): value for key, value in options.items()}), loss=loss, metrics=metrics, weighted_metrics=metrics)
    given = {} if weights is None else {"sample_weight": weights}
    before = model.evaluate(x, y, batch_size=BATCH, verbose=0, return_dict=True, **given)
    steps = Steps()
    history = model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[steps], validation_data=(x, y), **given)
    return {
        "start": start, "names": [weight.path for weight in model.weights], "evaluate": {key: number(value) for key, value in before.items()},
        "losses": steps.losses, "history": {key: numbers(values) for key, values in history.history.items()},
        "weights": [numbers(value) for value in model.get_weights()], "predict": numbers(model.predict(x, batch_size=BATCH, verbose=0)),
    }


def network(row, seed):
    name, of_words, layers, loss, metrics, (optimizer, options), weighs = row
    keras.utils.clear_session()
    start = keras.Input(SHAPE[:1], dtype="int32") if of_words else keras.Input(SHAPE, dtype="float64")
    model = keras.Sequential([start, *(make(*layer) for layer in layers)])
    if of_words:
        x = words(seed, ROWS, SHAPE[0], 1)
    else:
        x = draws(seed, ROWS, *SHAPE)
        x[words(seed, ROWS, SHAPE[0]) == 0] = OUT
    shape = model.output_shape[1:-1]
    y = draws(seed + 1, ROWS, *shape, 1) if loss == "mean_squared_error" else np.argmax(draws(seed + 1, ROWS, *shape, 3), axis=-1)
    weights = None if weighs is None else np.abs(draws(seed + 2, ROWS, *(SHAPE[:1] if weighs == "steps" else ())))
    result = trained(model, x, y, loss, metrics, (optimizer, options), weights, seed + 10)
    return {"name": name, "words": of_words, "layers": layers, "loss": loss, "metrics": metrics, "optimizer": optimizer, "options": options,
            "x": numbers(x), "y": numbers(y), "sampleWeight": None if weights is None else numbers(weights), **result}


def translation(kind, units, seed):
    """An encoder, whose last states the decoder begins with."""
    keras.utils.clear_session()
    question, answer = keras.Input((6,), dtype="int32", name="question"), keras.Input((4,), dtype="int32", name="answer")
    cell = {"lstm": L.LSTM, "gru": L.GRU}[kind]
    embed = lambda name: L.Embedding(WORDS, 3, mask_zero=True, name=name, dtype="float64")
    _, *states = cell(units, return_state=True, name="encoder", dtype="float64")(embed("from")(question))
    # Beside a state Keras does not look for the mask.
    to = embed("to")
    hidden = cell(units, return_sequences=True, name="decoder", dtype="float64")(to(answer), initial_state=states, mask=to.compute_mask(answer))
    output = L.Dense(WORDS, activation="softmax", name="next", dtype="float64")(hidden)
    model = keras.Model([question, answer], output)
    x = [words(seed, ROWS, 6), words(seed + 1, ROWS, 4)]
    # jax and torch differ on outputs of masked steps before the first that counts, if a state is given.
    x[1][:, 0] = 1 + np.arange(ROWS) % (WORDS - 1)
    y = np.roll(x[1], -1, axis=1)
    result = trained(model, x, y, "sparse_categorical_crossentropy", ["accuracy"], ("adam", {"learningRate": 0.03}), None, seed + 10)
    return {"kind": kind, "units": units, "x": [numbers(each) for each in x], "y": numbers(y), **result}


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    write("masking", __file__, {
        "shape": list(SHAPE), "masked": OUT, "batchSize": BATCH, "epochs": EPOCHS, "words": WORDS, "optimizer": {"learningRate": 0.03},
        "cases": [one(row, 1000 + 40 * index) for index, row in enumerate(CASES)],
        "merged": [merged(row) for row in MERGED],
        "networks": [network(row, 3000 + 300 * index) for index, row in enumerate(NETWORKS)],
        "translations": [translation("lstm", 4, 5000), translation("gru", 3, 5100)],
    })
