"""Layers with every option away from its default: outputs, gradients of a loss with respect to inputs and weights, and short trainings of
networks. Keras in float64."""

from common import camel, draws, keras, np, numbers, snake, torch, write

IMAGES, SEQUENCES = (5, 6, 4), (7, 4)
CONV = {"activation": "tanh", "padding": "same"}

# factory, input shape of one example, options
CASES = [
    ("conv2d", IMAGES, {**CONV, "filters": 6, "kernelSize": [3, 2], "strides": [2, 1], "groups": 2}),
    ("conv2d", IMAGES, {"filters": 3, "kernelSize": [2, 3], "dilationRate": [3, 2], "padding": "same", "useBias": False}),
    ("conv2d", IMAGES, {"filters": 3, "kernelSize": 2, "dilationRate": [2, 1]}),
    ("conv2d", (7, 9, 3), {"filters": 5, "kernelSize": 4, "strides": 3, "padding": "same"}),
    ("conv2d", (7, 9, 3), {"filters": 5, "kernelSize": 1, "strides": [2, 3], "padding": "valid", "activation": "sigmoid"}),
    ("conv1d", SEQUENCES, {"activation": "tanh", "padding": "causal", "filters": 6, "kernelSize": 3, "dilationRate": 2, "groups": 2}),
    ("conv1d", SEQUENCES, {"padding": "same", "filters": 3, "kernelSize": [4], "strides": [2]}),
    ("conv1d", SEQUENCES, {"padding": "causal", "filters": 3, "kernelSize": [3], "strides": [2], "useBias": False}),
    ("depthwiseConv2d", IMAGES, {**CONV, "kernelSize": [3, 2], "strides": [2, 2], "depthMultiplier": 2}),
    ("depthwiseConv2d", IMAGES, {"kernelSize": [2, 2], "dilationRate": [2, 2], "useBias": False}),
    ("separableConv2d", IMAGES, {**CONV, "filters": 3, "kernelSize": [3, 2], "strides": [2, 2], "depthMultiplier": 2}),
    ("separableConv2d", IMAGES, {"filters": 3, "kernelSize": 2, "dilationRate": [2, 2], "useBias": False}),
    ("conv2dTranspose", IMAGES, {**CONV, "filters": 3, "kernelSize": [3, 2], "strides": [2, 3]}),
    ("conv2dTranspose", IMAGES, {"filters": 3, "kernelSize": [3, 4], "strides": [2, 3], "outputPadding": [1, 2]}),
    ("conv2dTranspose", IMAGES, {"filters": 3, "kernelSize": [3, 4], "strides": [2, 3], "padding": "same", "outputPadding": [1, 2]}),
    ("conv2dTranspose", IMAGES, {"filters": 2, "kernelSize": [1, 2], "strides": [2, 3], "useBias": False}),
    ("conv2dTranspose", IMAGES, {"filters": 2, "kernelSize": [2, 3], "dilationRate": [2, 2], "padding": "same"}),
    ("maxPooling2d", IMAGES, {"poolSize": [3, 2], "strides": [2, 1], "padding": "same"}),
    ("maxPooling2d", IMAGES, {"poolSize": 2}),
    ("maxPooling1d", SEQUENCES, {"poolSize": 3, "strides": 2, "padding": "same"}),
    ("averagePooling2d", IMAGES, {"poolSize": [3, 5], "strides": [2, 1], "padding": "same"}),  # on PyTorch Keras counts an odd padding
    ("averagePooling2d", IMAGES, {"poolSize": [2, 3]}),
    ("averagePooling1d", SEQUENCES, {"poolSize": 3, "strides": 2, "padding": "same"}),
    ("globalAveragePooling1d", SEQUENCES, {"keepdims": True}),
    ("globalAveragePooling2d", IMAGES, {}),
    ("globalMaxPooling1d", SEQUENCES, {}),
    ("globalMaxPooling2d", IMAGES, {"keepdims": True}),
    ("upSampling2d", (3, 2, 2), {"size": [2, 3]}),
    ("upSampling2d", (3, 2, 2), {"size": [2, 3], "interpolation": "bilinear"}),
    ("zeroPadding2d", (3, 2, 2), {"padding": [[1, 2], [0, 3]]}),
    ("zeroPadding2d", (3, 2, 2), {"padding": [1, 2]}),
    ("cropping2d", IMAGES, {"cropping": [[1, 2], [0, 3]]}),
    ("cropping2d", IMAGES, {"cropping": [1, 2]}),
]

# name, input shape, layers, optimizer
NETWORKS = [
    ("convolutions and pools", (9, 8, 2), [
        ("conv2d", {"filters": 6, "kernelSize": 3, "padding": "same", "activation": "relu"}),
        ("maxPooling2d", {"poolSize": 3, "strides": 2, "padding": "same"}),
        ("conv2d", {"filters": 5, "kernelSize": [2, 3], "activation": "tanh"}),
        ("averagePooling2d", {"poolSize": 2, "strides": 1}),
        ("flatten", {}), ("dense", {"units": 3, "activation": "softmax"})], ("adam", {"learningRate": 0.013})),
    ("separable, transposed", (6, 6, 3), [
        ("separableConv2d", {"filters": 4, "kernelSize": 3, "padding": "same", "depthMultiplier": 2, "activation": "relu"}),
        ("conv2dTranspose", {"filters": 3, "kernelSize": 3, "strides": 2, "padding": "same", "activation": "relu"}),
        ("depthwiseConv2d", {"kernelSize": 3, "strides": 2}),
        ("globalAveragePooling2d", {}), ("dense", {"units": 3, "activation": "softmax"})],
     ("sgd", {"learningRate": 0.11, "momentum": 0.83})),
    ("sequences", (12, 3), [
        ("conv1d", {"filters": 6, "kernelSize": 3, "padding": "causal", "activation": "relu"}),
        ("maxPooling1d", {"poolSize": 2}), ("conv1d", {"filters": 4, "kernelSize": 2, "strides": 2}),
        ("globalMaxPooling1d", {}), ("dense", {"units": 3, "activation": "softmax"})],
     ("sgd", {"learningRate": 0.07, "momentum": 0.7, "nesterov": True})),
]

CLASSES = {camel(name): getattr(keras.layers, name) for name in dir(keras.layers) if name[0].isupper()}
NAMES = {name.replace("1D", "1d").replace("2D", "2d"): value for name, value in CLASSES.items()}


def make(factory, options):
    return NAMES[factory](**{snake(key): value for key, value in options.items()}, dtype="float64")


def begin(layer, seed):
    for i, weight in enumerate(layer.weights):
        weight.assign(draws(seed + i, *weight.shape, scale=0.5))


def one(row, seed):
    factory, shape, options = row
    layer = make(factory, options)
    layer.build((None, *shape))
    begin(layer, seed)
    x = torch.tensor(draws(seed + 10, 2, *shape), requires_grad=True, dtype=torch.float64)
    y = layer(x)
    weights = draws(seed + 11, *y.shape)
    (y * torch.tensor(weights)).sum().backward()
    return {
        "layer": factory, "options": options, "shape": list(shape), "x": numbers(x), "y": numbers(y), "outputShape": list(y.shape[1:]),
        "weights": [numbers(weight.value) for weight in layer.weights], "names": [weight.name for weight in layer.weights],
        "factors": numbers(weights), "gradientOfInput": numbers(x.grad),
        "gradients": [numbers(weight.value.grad) for weight in layer.weights],
    }


ROWS, BATCH, EPOCHS = 20, 8, 4


def network(row, seed):
    name, shape, layers, (optimizer, options) = row
    model = keras.Sequential([keras.Input(shape, dtype="float64"), *(make(factory, own) for factory, own in layers)])
    for i, layer in enumerate(model.layers):
        begin(layer, seed + 10 * i)
    x = draws(seed + 200, ROWS, *shape)
    labels = np.argmax(draws(seed + 201, ROWS, 3), axis=1)
    start = [numbers(value) for value in model.get_weights()]
    model.compile(optimizer=getattr(keras.optimizers, optimizer.upper() if optimizer == "sgd" else optimizer.title())(
        **{snake(key): value for key, value in options.items()}), loss="sparse_categorical_crossentropy")
    history = model.fit(x, labels, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0)
    return {
        "name": name, "layers": [{"layer": factory, "options": own} for factory, own in layers], "shape": list(shape), "optimizer": optimizer,
        "options": options, "x": numbers(x), "y": [int(label) for label in labels], "batchSize": BATCH, "epochs": EPOCHS, "start": start,
        "losses": numbers(np.array(history.history["loss"])), "final": [numbers(value) for value in model.get_weights()],
        "predict": numbers(model.predict(x, verbose=0)),
    }


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    write("layers", __file__, {
        "cases": [one(row, 1000 + 20 * index) for index, row in enumerate(CASES)],
        "networks": [network(row, 3000 + 300 * index) for index, row in enumerate(NETWORKS)],
    })
