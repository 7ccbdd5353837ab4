"""JAX on a GPU: jax_peer.py NETWORKS. Every epoch is one compiled scan over its batches. Prints one line of JSON per case."""

import json
import sys
import time

import jax
import jax.numpy as jnp

networks = json.loads(sys.argv[1])


def forward(parameters, x, key, case):
    act = jax.nn.sigmoid if case["activation"] == "sigmoid" else jax.nn.relu
    for w, b in parameters[:-1]:
        x = act(x @ w + b)
        if case["dropout"]:
            key, use = jax.random.split(key)
            keep = 1 - case["dropout"]
            x = jnp.where(jax.random.bernoulli(use, keep, x.shape), x / keep, 0)
    w, b = parameters[-1]
    return x @ w + b


def update(parameters, slots, gradients, step, case):
    if case["optimizer"] == "sgd":
        return jax.tree.map(lambda p, g: p - 0.01 * g, parameters, gradients), slots
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, slots[0], gradients)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, slots[1], gradients)
    rate = 0.001 * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), parameters, m, v), (m, v)


def train(case):
    widths, batch, batches = case["widths"], case["batchSize"], case["batches"]
    rows = batch * batches
    key = jax.random.key(0)
    parameters = [(jax.random.normal(key, (i, o)) / i**0.5, jnp.zeros(o)) for i, o in zip(widths[:-1], widths[1:])]
    zeros = lambda: jax.tree.map(jnp.zeros_like, parameters)
    state = (parameters, (zeros(), zeros()) if case["optimizer"] == "adam" else (), jnp.ones(()))
    x = jax.random.uniform(key, (batches, batch, widths[0]))
    y = (jnp.arange(rows) % widths[-1]).reshape(batches, batch)

    def loss_of(parameters, x, y, key):
        logits = jax.nn.log_softmax(forward(parameters, x, key, case))
        return -jnp.mean(jnp.take_along_axis(logits, y[:, None], axis=1))

    def step(state, data):
        parameters, slots, count = state
        gradients = jax.grad(loss_of)(parameters, *data, jax.random.fold_in(key, count.astype(int)))
        parameters, slots = update(parameters, slots, gradients, count, case)
        return (parameters, slots, count + 1), None

    epoch = jax.jit(lambda state: jax.lax.scan(step, state, (x, y))[0], donate_argnums=0)

    def epochs(count):
        nonlocal state
        start = time.perf_counter()
        for _ in range(count):
            state = epoch(state)
        jax.block_until_ready(state)
        return (time.perf_counter() - start) * 1e6 / (count * batches)

    epochs(2)
    return sorted(epochs(case["epochs"]) for _ in range(case["samples"]))[case["samples"] // 2]


platform = jax.devices()[0].platform
print(json.dumps({"versions": {"jax": jax.__version__}}), flush=True)
if platform == "cpu":
    print(json.dumps({"note": "JAX sees no GPU: its times are of the CPU"}), flush=True)
for case in networks:
    try:
        with jax.default_matmul_precision("tensorfloat32" if case["precision"] == "tf32" else "highest"):
            print(json.dumps({"case": case["name"], "way": "jax", "microseconds": train(case)}), flush=True)
    except Exception as error:
        print(json.dumps({"case": case["name"], "way": "jax", "error": str(error)[:300]}), flush=True)
