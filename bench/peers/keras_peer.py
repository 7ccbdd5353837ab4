"""Keras's fit: keras_peer.py THREADS BACKEND (jax, torch). Data as the backend likes it best."""

import os
import sys

threads, backend = int(sys.argv[1]), sys.argv[2]
os.environ["KERAS_BACKEND"] = backend
if backend == "jax" and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

import keras
import numpy as np
from keras import layers

from peer import Unsupported, measure_epochs, serve

if backend == "torch":
    import torch

    torch.set_num_threads(threads)


def train(case):
    if case.get("nonzeros"):
        raise Unsupported("sparse rows")
    if case.get("steps") or case.get("transformer"):
        raise Unsupported("sequences")
    widths, images = case["widths"], case.get("images")
    rows = case["batchSize"] * case["batches"]
    shape = (images["side"], images["side"], images["channels"]) if images else (widths[0],)
    table = case.get("embedding")
    if table:
        net = keras.Sequential([keras.Input((table["length"],), dtype="int32")])
        net.add(layers.Embedding(table["words"], widths[0] // table["length"]))
        net.add(layers.Flatten())
    else:
        net = keras.Sequential([keras.Input(shape)])
    for filters in images["filters"] if images else []:
        net.add(layers.Conv2D(filters, 5, padding="same", activation=case["activation"]))
        net.add(layers.MaxPooling2D(3, 2, padding="same"))
    if images:
        net.add(layers.Flatten())
    for units in widths[1:-1]:
        net.add(layers.Dense(units, activation=case["activation"]))
        if case["dropout"]:
            net.add(layers.Dropout(case["dropout"]))
    net.add(layers.Dense(widths[-1], activation="softmax"))
    net.compile(optimizer=case["optimizer"], loss="sparse_categorical_crossentropy")
    x = np.random.randint(table["words"], size=(rows, table["length"])) if table else np.random.rand(rows, *shape).astype("float32")
    y = np.arange(rows) % widths[-1]
    if backend == "torch":
        x, y = torch.from_numpy(x), torch.from_numpy(y)
    run = lambda count: net.fit(x, y, batch_size=case["batchSize"], epochs=count, shuffle=case["shuffle"], verbose=0)
    samples = measure_epochs(case, run, 2)
    keras.backend.clear_session()
    return samples


library = __import__(backend)
serve({"keras": keras.__version__, backend: library.__version__}, {"train": train})
