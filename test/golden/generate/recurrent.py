"""Recurrent layers with every option away from its default: outputs, gradients of a loss with respect to inputs and weights, and short
trainings of networks. Keras in float64."""

from common import draws, keras, np, numbers, snake, torch, write

SHAPE = (5, 3)
CELLS = {"simpleRNN": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
OTHER = {"activation": "softsign", "recurrentActivation": "softsign"}

# factory, options; `layer` and `backwardLayer`: [factory, options]
CASES = [
    ("simpleRNN", {"units": 4}),
    ("simpleRNN", {"units": 4, "returnSequences": True, "goBackwards": True, "useBias": False}),
    ("simpleRNN", {"units": 4, "activation": "relu", "returnSequences": True}),
    ("lstm", {"units": 4}),
    ("lstm", {"units": 4, "returnSequences": True}),
    ("lstm", {"units": 4, "goBackwards": True, "useBias": False}),
    ("lstm", {"units": 4, "returnSequences": True, "goBackwards": True, "unitForgetBias": False, **OTHER}),
    ("gru", {"units": 4}),
    ("gru", {"units": 4, "returnSequences": True, "goBackwards": True}),
    ("gru", {"units": 4, "useBias": False}),
    ("gru", {"units": 4, "resetAfter": False, "returnSequences": True}),
    ("gru", {"units": 4, "resetAfter": False, "useBias": False, **OTHER}),
    ("gru", {"units": 4, "goBackwards": True, **OTHER}),
    ("bidirectional", {"layer": ["lstm", {"units": 4}]}),
    ("bidirectional", {"layer": ["gru", {"units": 3, "returnSequences": True}], "mergeMode": "mul"}),
    ("bidirectional", {"layer": ["simpleRNN", {"units": 3, "returnSequences": True}], "mergeMode": "sum"}),
    ("bidirectional", {"layer": ["lstm", {"units": 3}], "backwardLayer": ["gru", {"units": 3, "goBackwards": True}], "mergeMode": "ave"}),
    ("bidirectional", {"layer": ["lstm", {"units": 3, "returnSequences": True}],
                       "backwardLayer": ["simpleRNN", {"units": 2, "goBackwards": True, "returnSequences": True}]}),
]

# name, layers, optimizer
NETWORKS = [
    ("two lstm", [("lstm", {"units": 5, "returnSequences": True}), ("lstm", {"units": 4}), ("dense", {"units": 3, "activation": "softmax"})],
     ("adam", {"learningRate": 0.03})),
    ("gru, simpleRNN", [("gru", {"units": 5, "returnSequences": True}), ("simpleRNN", {"units": 4}),
                        ("dense", {"units": 3, "activation": "softmax"})], ("sgd", {"learningRate": 0.2, "momentum": 0.7})),
    ("bidirectional", [("bidirectional", {"layer": ["lstm", {"units": 3, "returnSequences": True}]}), ("gru", {"units": 4, "resetAfter": False}),
                       ("dense", {"units": 3, "activation": "softmax"})], ("adam", {"learningRate": 0.02})),
]


def make(factory, options):
    options = {key: make(*value) if isinstance(value, list) else value for key, value in options.items()}
    arguments = {snake(key): value for key, value in options.items()}
    cell = {**CELLS, "bidirectional": keras.layers.Bidirectional, "dense": keras.layers.Dense}[factory]
    return cell(**arguments, dtype="float64")


def begin(layer, seed):
    for i, weight in enumerate(layer.weights):
        weight.assign(draws(seed + i, *weight.shape, scale=0.5))


def one(row, seed):
    factory, options = row
    layer = make(factory, options)
    layer.build((None, *SHAPE))
    begin(layer, seed)
    x = torch.tensor(draws(seed + 10, 2, *SHAPE), requires_grad=True, dtype=torch.float64)
    y = layer(x)
    factors = draws(seed + 11, *y.shape)
    (y * torch.tensor(factors)).sum().backward()
    return {
        "layer": factory, "options": options, "x": numbers(x), "y": numbers(y), "outputShape": list(y.shape[1:]),
        "weights": [numbers(weight.value) for weight in layer.weights], "names": [weight.name for weight in layer.weights],
        "factors": numbers(factors), "gradientOfInput": numbers(x.grad),
        "gradients": [numbers(weight.value.grad) for weight in layer.weights],
    }


ROWS, BATCH, EPOCHS = 20, 8, 4


def network(row, seed):
    name, layers, (optimizer, options) = row
    model = keras.Sequential([keras.Input(SHAPE, dtype="float64"), *(make(factory, own) for factory, own in layers)])
    for i, layer in enumerate(model.layers):
        begin(layer, seed + 10 * i)
    x = draws(seed + 200, ROWS, *SHAPE)
    labels = np.argmax(draws(seed + 201, ROWS, 3), axis=1)
    start = [numbers(value) for value in model.get_weights()]
    model.compile(optimizer=getattr(keras.optimizers, optimizer.upper() if optimizer == "sgd" else optimizer.title())(
        **{snake(key): value for key, value in options.items()}), loss="sparse_categorical_crossentropy")
    history = model.fit(x, labels, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0)
    return {
        "name": name, "layers": [{"layer": factory, "options": own} for factory, own in layers], "optimizer": optimizer, "options": options,
        "x": numbers(x), "y": [int(label) for label in labels], "batchSize": BATCH, "epochs": EPOCHS, "start": start,
        "losses": numbers(np.array(history.history["loss"])), "final": [numbers(value) for value in model.get_weights()],
        "predict": numbers(model.predict(x, verbose=0)),
    }


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    write("recurrent", __file__, {
        "shape": list(SHAPE),
        "cases": [one(row, 1000 + 20 * index) for index, row in enumerate(CASES)],
        "networks": [network(row, 3000 + 300 * index) for index, row in enumerate(NETWORKS)],
    })
