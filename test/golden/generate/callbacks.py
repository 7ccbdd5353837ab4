"""Callbacks: Keras's EarlyStopping, ReduceLROnPlateau and LearningRateScheduler over made-up logs. What makes an epoch."""

import math
import random
import types
import warnings

import numpy as np

from common import keras, keras_arguments, write

RATE = 0.3


def model_with(rate=RATE):
    optimizer = keras.optimizers.SGD(learning_rate=rate)
    model = types.SimpleNamespace(optimizer=optimizer, stop_training=False, epoch=0, weights=None)
    model.get_weights = lambda: [model.epoch]
    model.set_weights = lambda weights: setattr(model, "weights", weights[0])
    return model


def curve(seed, epochs=40, rising=False):
    """Falls (or rises) with noise, and has plateaus with equal values."""
    draw = random.Random(seed)
    value, values = 1.0, []
    for _ in range(epochs):
        if draw.random() < 0.4:
            value *= 0.8 + 0.3 * draw.random()
        values.append(round(2 - value if rising else value, 4))
    return values


def plateau(options, values):
    callback = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", **keras_arguments(options))
    model = model_with()
    callback.set_model(model)
    callback.on_train_begin()
    logged, rates = [], []
    for epoch, value in enumerate(values):
        logs = {"loss": 1.0} if value is None else {"val_loss": value}
        callback.on_epoch_end(epoch, logs)
        logged.append(logs["learning_rate"])
        rates.append(float(model.optimizer.learning_rate))
    return {"options": options, "values": values, "logged": logged, "rates": rates}


def stopping(options, values):
    callback = keras.callbacks.EarlyStopping(monitor="val_loss", **keras_arguments(options))
    model = model_with()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        model.epoch = epoch
        callback.on_epoch_end(epoch, {"loss": 1.0} if value is None else {"val_loss": value})
        if model.stop_training:
            break
    callback.on_train_end()
    return {
        "options": options,
        "values": values,
        "epochs": model.epoch + 1,
        "stoppedEpoch": callback.stopped_epoch,
        "best": callback.best,
        "bestEpoch": callback.best_epoch,
        "weights": model.weights,
    }


def scheduler(epochs=12):
    callback = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * math.exp(-0.1 * epoch) + 0.001)
    model = model_with()
    callback.set_model(model)
    callback.on_train_begin()
    logged = []
    for epoch in range(epochs):
        callback.on_epoch_begin(epoch)
        logs = {"loss": 1.0}
        callback.on_epoch_end(epoch, logs)
        logged.append(logs["learning_rate"])
    return logged


def epochs(rows, steps_per_epoch, validation_freq, validation_steps, count=6):
    """Batches of two rows in each epoch, and of its validation."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    steps, tests = [], []

    class Count(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            steps.append(0)
            tests.append(0)

        def on_train_batch_end(self, batch, logs=None):
            steps[-1] += 1

        def on_test_batch_end(self, batch, logs=None):
            tests[-1] += 1

    x = np.zeros((rows, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(
            x, x, batch_size=2, epochs=count, steps_per_epoch=steps_per_epoch, validation_data=(x, x), validation_batch_size=3,
            validation_freq=validation_freq, validation_steps=validation_steps, callbacks=[Count()], verbose=0)
    options = {"stepsPerEpoch": steps_per_epoch, "validationFreq": validation_freq, "validationSteps": validation_steps}
    return {"rows": rows, "options": options, "steps": steps, "tests": tests}


PLATEAU = [
    ({"factor": 0.5, "patience": 3, "mode": "min", "minDelta": 0.02, "cooldown": 2, "minLr": 0.01}, curve(1)),
    ({"factor": 0.7, "patience": 2, "mode": "max", "minDelta": 0.01, "cooldown": 1, "minLr": 0.05}, curve(2, rising=True)),
    ({"factor": 0.25, "patience": 0, "mode": "min", "minDelta": 0.1, "cooldown": 3, "minLr": 0.001}, curve(3)),
    ({"factor": 0.9, "patience": 1, "mode": "min", "minDelta": 0.0, "cooldown": 0, "minLr": 0.0}, curve(4)),
    ({"factor": 0.3, "patience": 4, "mode": "min", "minDelta": -0.05, "cooldown": 5, "minLr": 0.002}, [0.7] * 30),
    ({"factor": 0.6, "patience": 2, "mode": "min", "minDelta": 0.03, "cooldown": 1, "minLr": 0.02},
     [v if i % 5 else None for i, v in enumerate(curve(5))]),
    ({"mode": "min"}, curve(6, 60)),
]
STOPPING = [
    ({"minDelta": 0.03, "patience": 3, "mode": "min", "baseline": 0.8, "restoreBestWeights": True, "startFromEpoch": 2}, curve(11)),
    ({"minDelta": 0.02, "patience": 5, "mode": "max", "baseline": 1.2, "restoreBestWeights": True, "startFromEpoch": 4},
     curve(12, rising=True)),
    ({"minDelta": -0.05, "patience": 1, "mode": "min", "restoreBestWeights": False, "startFromEpoch": 1}, curve(13)),
    ({"minDelta": 0.2, "patience": 12, "mode": "min", "baseline": 0.1, "restoreBestWeights": True}, curve(14)),
    ({"patience": 2, "mode": "min"}, [v if i % 4 else None for i, v in enumerate(curve(15))]),
    ({"mode": "min"}, curve(16)),
]

write("callbacks", __file__, {
    "rate": RATE,
    "plateau": [plateau(*row) for row in PLATEAU],
    "stopping": [stopping(*row) for row in STOPPING],
    "scheduler": scheduler(),
    "epochs": [epochs(16, 3, 2, 4), epochs(16, 11, 1, None), epochs(15, 3, [2, 3, 6], 9), epochs(15, 8, 4, 5), epochs(16, 4, [1], 1)],
})
