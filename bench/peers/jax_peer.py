"""JAX, every epoch one compiled scan over its batches, parameters donated: jax_peer.py CASE THREADS. Prints one JSON line."""

import json
import os
import sys
import time

case, threads = json.loads(sys.argv[1]), int(sys.argv[2])
if hasattr(os, "sched_setaffinity"):  # XLA takes as many threads as it may use cores
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

import jax
import jax.numpy as jnp


def measure(run, warm, count, per):
    run(warm)
    samples = []
    for _ in range(case["samples"]):
        start = time.perf_counter()
        run(count)
        samples.append((time.perf_counter() - start) * 1e6 / per)
    return samples


def forward(parameters, x, key):
    act = jax.nn.sigmoid if case["activation"] == "sigmoid" else jax.nn.relu
    for w, b in parameters[:-1]:
        x = act(x @ w + b)
        if case["dropout"]:
            key, use = jax.random.split(key)
            keep = 1 - case["dropout"]
            x = jnp.where(jax.random.bernoulli(use, keep, x.shape), x / keep, 0)
    w, b = parameters[-1]
    return x @ w + b


def loss_of(parameters, x, y, key):
    logits = jax.nn.log_softmax(forward(parameters, x, key))
    return -jnp.mean(jnp.take_along_axis(logits, y[:, None], axis=1))


def update(parameters, slots, gradients, step):
    if case["optimizer"] == "sgd":
        return jax.tree.map(lambda p, g: p - 0.01 * g, parameters, gradients), slots
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, slots[0], gradients)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, slots[1], gradients)
    rate = 0.001 * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), parameters, m, v), (m, v)


def train():
    widths, batch, batches = case["widths"], case["batchSize"], case["batches"]
    rows = batch * batches
    key = jax.random.key(0)
    parameters = [(jax.random.normal(key, (i, o)) / i**0.5, jnp.zeros(o)) for i, o in zip(widths[:-1], widths[1:])]
    zeros = lambda: jax.tree.map(jnp.zeros_like, parameters)
    state = (parameters, (zeros(), zeros()) if case["optimizer"] == "adam" else (), jnp.ones(()))
    x = jax.random.uniform(key, (rows, widths[0]))
    y = jnp.arange(rows) % widths[-1]

    def step(state, index):
        parameters, slots, count = state
        if case["shuffle"]:
            xs, ys = x[index], y[index]
        else:
            xs, ys = jax.lax.dynamic_slice_in_dim(x, index[0], batch), jax.lax.dynamic_slice_in_dim(y, index[0], batch)
        gradients = jax.grad(loss_of)(parameters, xs, ys, jax.random.fold_in(key, count.astype(int)))
        parameters, slots = update(parameters, slots, gradients, count)
        return (parameters, slots, count + 1), None

    @jax.jit
    def epoch(state, seed):
        order = jax.random.permutation(seed, rows) if case["shuffle"] else jnp.arange(rows)
        return jax.lax.scan(step, state, order.reshape(batches, batch))[0]

    def epochs(count):
        nonlocal state
        for _ in range(count):
            state = epoch(state, key)
        jax.block_until_ready(state)

    return measure(epochs, 2, case["epochs"], case["epochs"] * batches)


def matmul():
    key = jax.random.key(0)
    a, b = jax.random.normal(key, (case["m"], case["k"])), jax.random.normal(key, (case["k"], case["n"]))
    product = jax.jit(jnp.matmul)

    def calls(count):
        for _ in range(count):
            last = product(a, b)
        last.block_until_ready()

    return measure(calls, -(-case["calls"] // 4), case["calls"], case["calls"])


result = train() if case["kind"] == "train" else matmul()
print(json.dumps({"versions": {"jax": jax.__version__, "python": sys.version.split()[0]}, "samples": result, "cpuSeconds": time.process_time()}))
