"""JAX: jax_peer.py THREADS. Every epoch is one compiled scan over its batches and many updates are one compiled loop, arguments donated."""

import os
import sys

threads = int(sys.argv[1])
if hasattr(os, "sched_setaffinity"):  # XLA takes as many threads as it may use cores
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

import jax
import jax.numpy as jnp

import jax_rules
from peer import Unsupported, measure, measure_calls, measure_epochs, serve


def forward(case, parameters, x, key):
    act = jax.nn.sigmoid if case["activation"] == "sigmoid" else jax.nn.relu
    if case.get("transformer"):
        return transformer(parameters, x, case["transformer"]["heads"])
    if case.get("embedding"):
        table, *parameters = parameters
        x = table[x].reshape(len(x), -1)
    if case.get("steps"):
        weights, *parameters = parameters
        x = lstm(*weights, x)
    for w, b in parameters[:-1]:
        if w.ndim == 4:
            x = act(jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + b)
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
            continue
        if not isinstance(x, tuple):
            x = x.reshape(len(x), -1)
        x = act(product(x, w) + b)
        if case["dropout"]:
            key, use = jax.random.split(key)
            keep = 1 - case["dropout"]
            x = jnp.where(jax.random.bernoulli(use, keep, x.shape), x / keep, 0)
    w, b = parameters[-1]
    return product(x, w) + b


def lstm(w, u, b, x):
    """The last state of sequences [n, steps, features]."""
    def step(state, z):
        h, c = state
        i, f, g, o = jnp.split(z + h @ u, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zeros = jnp.zeros((len(x), len(u)))
    return jax.lax.scan(step, (zeros, zeros), jnp.swapaxes(x @ w + b, 0, 1))[0][0]


def transformer(parameters, x, heads):
    """Logits of all steps."""
    norm = lambda x, g, b: (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * g + b
    words, places, blocks, last, (w, b) = parameters
    x = words[x] + places
    for first, (wa, ba), (wo, bo), second, (w1, b1), (w2, b2) in blocks:
        q, k, v = jnp.split((norm(x, *first) @ wa + ba).reshape(*x.shape[:2], 3 * heads, -1), 3, axis=2)
        x = x + jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(x.shape) @ wo + bo
        x = x + jax.nn.gelu(norm(x, *second) @ w1 + b1, approximate=False) @ w2 + b2
    return norm(x, *last) @ w + b


def transformer_parameters(key, width, classes, context, blocks):
    dense = lambda i, o: (jax.random.normal(key, (i, o)) / i**0.5, jnp.zeros(o))
    norm = lambda: (jnp.ones(width), jnp.zeros(width))
    block = lambda: (norm(), dense(width, 3 * width), dense(width, width), norm(), dense(width, 4 * width), dense(4 * width, width))
    table = lambda n: jax.random.normal(key, (n, width)) / 50
    return [table(classes), table(context), [block() for _ in range(blocks)], norm(), dense(width, classes)]


def product(x, w):
    """x may be sparse rows."""
    if not isinstance(x, tuple):
        return x @ w
    columns, values = x
    rows = jnp.repeat(jnp.arange(len(columns)), columns.shape[1])
    return jax.ops.segment_sum(values.reshape(-1, 1) * w[columns.reshape(-1)], rows, len(columns), indices_are_sorted=True)


def train(case):
    widths, batch, batches = case["widths"], case["batchSize"], case["batches"]
    rows = batch * batches
    key = jax.random.key(0)
    parameters = [(jax.random.normal(key, (i, o)) / i**0.5, jnp.zeros(o)) for i, o in zip(widths[:-1], widths[1:])]
    if case.get("steps"):
        (features, units), random = widths[:2], lambda *shape: jax.random.normal(key, shape) / shape[0] ** 0.5
        parameters[0] = (random(features, 4 * units), random(units, 4 * units), jnp.zeros(4 * units))
    images = case.get("images")
    if images:
        sizes = zip([images["channels"], *images["filters"]], images["filters"])
        parameters = [(jax.random.normal(key, (5, 5, i, o)) / (25 * i) ** 0.5, jnp.zeros(o)) for i, o in sizes] + parameters
    model = case.get("transformer")
    if model:
        parameters = transformer_parameters(key, *widths, model["context"], model["blocks"])
    kind, options = {"adamw": ("AdamW", {"lr": 0.001}), "sgd": ("SGD", {"lr": 0.01}), "adagrad": ("Adagrad", {"lr": 0.01}), "adam": ("Adam", {"lr": 0.001, "eps": 1e-7})}[case["optimizer"]]
    rule, slots = jax_rules.rule(kind, options)
    table = case.get("embedding")
    if table:
        parameters = [jax.random.normal(key, (table["words"], widths[0] // table["length"])) / 20, *parameters]
    state = (parameters, [jax.tree.map(jnp.zeros_like, parameters) for _ in range(slots)], jnp.ones(()))
    nonzeros = case.get("nonzeros")
    if nonzeros:  # columns and values, [rows, nonzeros] each
        apart = widths[0] // nonzeros
        columns = jnp.arange(nonzeros) * apart + jax.random.randint(key, (rows, nonzeros), 0, apart)
        x = (columns, jax.random.uniform(key, (rows, nonzeros)))
    elif table or model:
        x = None if model else jax.random.randint(key, (rows, table["length"]), 0, table["words"])
    else:
        one = (images["side"], images["side"], images["channels"]) if images else (case["steps"], widths[0]) if case.get("steps") else (widths[0],)
        x = jax.random.uniform(key, (rows, *one))
    y = jnp.arange(rows) % widths[-1]
    if model:
        x, y = jax.random.randint(key, (2, rows, model["context"]), 0, widths[-1])

    def loss_of(parameters, x, y, key):
        logits = jax.nn.log_softmax(forward(case, parameters, x, key))
        return -jnp.mean(jnp.take_along_axis(logits, y[..., None], axis=-1))

    def step(state, index):
        parameters, slots, count = state
        if case["shuffle"]:
            xs, ys = jax.tree.map(lambda a: a[index], (x, y))
        else:
            xs, ys = jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, index[0], batch), (x, y))
        gradients = jax.grad(loss_of)(parameters, xs, ys, jax.random.fold_in(key, count.astype(int)))
        parameters, slots = jax_rules.apply(rule, parameters, gradients, slots, count)
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

    return measure_epochs(case, epochs, 2)


def matmul(case):
    key = jax.random.key(0)
    a, b = jax.random.normal(key, (case["m"], case["k"])), jax.random.normal(key, (case["k"], case["n"]))
    product = jax.jit(jnp.matmul)

    def calls(count):
        for _ in range(count):
            last = product(a, b)
        last.block_until_ready()

    return measure_calls(case, calls)


def update(case):
    found = jax_rules.rule(case["torch"], case["torchOptions"])
    if found is None:
        raise Unsupported(case["torch"])
    rule, slots = found
    key = jax.random.key(0)
    arrays = lambda: [jax.random.uniform(key, (case["elements"],)) - 0.5 for _ in range(case["tensors"])]
    gradients = arrays()
    state = (arrays(), [[jnp.zeros(case["elements"]) for _ in range(case["tensors"])] for _ in range(slots)], jnp.ones(()))

    def step(_, state):
        parameters, slots, count = state
        parameters, slots = jax_rules.apply(rule, parameters, gradients, slots, count)
        return parameters, slots, count + 1

    run = jax.jit(lambda state, count: jax.lax.fori_loop(0, count, step, state), donate_argnums=0)

    def calls(count):
        nonlocal state
        state = run(state, count)
        jax.block_until_ready(state)

    return measure(case, calls, 3, case["calls"], case["calls"])


serve({"jax": jax.__version__}, {"train": train, "matmul": matmul, "update": update})
