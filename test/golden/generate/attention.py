"""Attention: outputs, and gradients of a loss with respect to inputs and weights. Keras and PyTorch in float64."""

from common import draws, keras, np, numbers, snake, torch, write

N, STEPS, KEYS = 2, 5, 4
CALLED = ("useCausalMask",)  # arguments of the call in Keras

# factory, options, features of query, value and key (one: all three are the same; two: the key is the value), mask: its shape for one example
CASES = [
    ("multiHeadAttention", {"numHeads": 2, "keyDim": 3}, [4], None),
    ("multiHeadAttention", {"numHeads": 3, "keyDim": 2, "useCausalMask": True, "useBias": False}, [4], None),
    ("multiHeadAttention", {"numHeads": 2, "keyDim": 3, "valueDim": 2, "outputShape": 6}, [4], None),
    ("multiHeadAttention", {"numHeads": 2, "keyDim": 3}, [4, 3], [STEPS, KEYS]),
    ("multiHeadAttention", {"numHeads": 2, "keyDim": 4, "valueDim": 3, "outputShape": [3, 2]}, [4, 3, 5], [2, STEPS, KEYS]),
    ("multiHeadAttention", {"numHeads": 2, "keyDim": 3, "useCausalMask": True}, [4, 3, 3], [1, KEYS]),
    ("attention", {}, [4], None),
    ("attention", {"useScale": True, "useCausalMask": True}, [4, 4], None),
    ("attention", {"useScale": True}, [4, 3, 4], [STEPS, KEYS]),
    ("attention", {"scoreMode": "concat", "useScale": True}, [4, 4], None),
    ("attention", {"scoreMode": "concat", "useCausalMask": True}, [4, 3, 4], None),
    ("additiveAttention", {}, [4, 4], None),
    ("additiveAttention", {"useScale": False, "useCausalMask": True}, [4, 3, 4], None),
]
CLASSES = {"multiHeadAttention": keras.layers.MultiHeadAttention, "attention": keras.layers.Attention, "additiveAttention": keras.layers.AdditiveAttention}


def inputs_of(features, seed):
    steps = (STEPS, KEYS, KEYS)
    return [torch.tensor(draws(seed + i, N, steps[i], count), requires_grad=True) for i, count in enumerate(features)]


def mask_of(shape, seed):
    """Some of each row are seen."""
    mask = np.random.RandomState(seed).uniform(size=(N, *shape)) < 0.6
    mask[..., 0] = True
    return mask


def keras_case(row, seed):
    factory, options, features, shape = row
    layer = CLASSES[factory](**{snake(key): value for key, value in options.items() if key not in CALLED}, dtype="float64")
    call = {snake(key): value for key, value in options.items() if key in CALLED}
    xs = inputs_of(features, seed)
    mask = None if shape is None else mask_of(shape, seed + 9)
    query, value, key = (xs * 3)[:3] if len(xs) == 1 else (*xs, xs[1])[:3]
    if factory == "multiHeadAttention":
        run = lambda: layer(query, value, key, attention_mask=mask, **call)
    else:  # a mask of their own is one of values: two dimensions
        run = lambda: layer([query, value, key], **call)
        if mask is not None:
            mask = np.broadcast_to(mask_of([KEYS], seed + 9)[:, None, :], (N, STEPS, KEYS))
            run = lambda: layer([query, value, key], mask=[None, torch.tensor(mask[:, 0].copy())], **call)
    run()
    for i, weight in enumerate(layer.weights):
        weight.assign(draws(seed + 20 + i, *weight.shape, scale=0.7))
    y = run()
    factors = draws(seed + 19, *y.shape)
    (y * torch.tensor(factors)).sum().backward()
    return {
        "layer": factory, "options": options, "inputs": [numbers(x) for x in xs], "mask": None if mask is None else numbers(mask.astype(float)),
        "y": numbers(y), "weights": [numbers(weight.value) for weight in layer.weights],
        "paths": [weight.path for weight in layer.weights], "factors": numbers(factors),
        "gradientsOfInputs": [numbers(x.grad) for x in xs], "gradients": [numbers(weight.value.grad) for weight in layer.weights],
    }


def dot_product(options, seed):
    """scaled_dot_product_attention; shapes in our order, [n, steps, heads, dim]."""
    q, k, v = (torch.tensor(draws(seed + i, N, steps, 2, dim), requires_grad=True) for i, (steps, dim) in enumerate([(STEPS, 3), (KEYS, 3), (KEYS, 2)]))
    mask = None
    if options.get("mask") == "bool":
        mask = mask_of([1, STEPS, KEYS], seed + 9)
        mask[0, :, 1] = False  # a query without keys
    if options.get("mask") == "float":
        mask = draws(seed + 9, N, 2, STEPS, KEYS)
    y = torch.nn.functional.scaled_dot_product_attention(
        *(x.transpose(1, 2) for x in (q, k, v)), attn_mask=None if mask is None else torch.tensor(mask), is_causal=options.get("causal", False), scale=options.get("scale")
    ).transpose(1, 2)
    factors = draws(seed + 8, *y.shape)
    (y * torch.tensor(factors)).sum().backward()
    return {
        "options": options, "inputs": [numbers(x) for x in (q, k, v)], "mask": None if mask is None else numbers(np.asarray(mask, dtype=float)),
        "y": numbers(y), "factors": numbers(factors), "gradients": [numbers(x.grad) for x in (q, k, v)],
    }


def multi_head(seed):
    """nn.MultiheadAttention with its weights in our layout: [features, heads, dim] and [heads, dim, features]."""
    features, heads = 6, 2
    layer = torch.nn.MultiheadAttention(features, heads, batch_first=True, dtype=torch.float64)
    for i, parameter in enumerate(layer.parameters()):
        parameter.data = torch.tensor(draws(seed + i, *parameter.shape, scale=0.5))
    x = torch.tensor(draws(seed + 9, N, STEPS, features))
    hidden = torch.triu(torch.ones(STEPS, STEPS, dtype=torch.bool), diagonal=1)
    y, _ = layer(x, x, x, attn_mask=hidden, need_weights=False)
    dim = features // heads
    kernel = lambda w: w.T.reshape(features, heads, dim)
    ours = []
    for w, b in zip(layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)):
        ours += [kernel(w), b.reshape(heads, dim)]
    ours += [layer.out_proj.weight.T.reshape(heads, dim, features), layer.out_proj.bias]
    return {"numHeads": heads, "keyDim": dim, "x": numbers(x), "y": numbers(y), "weights": [numbers(w) for w in ours]}


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    write("attention", __file__, {
        "keras": [keras_case(row, 1000 + 50 * index) for index, row in enumerate(CASES)],
        "dotProduct": [dot_product(options, 3000 + 50 * index) for index, options in enumerate(
            [{}, {"causal": True, "scale": 0.3}, {"mask": "bool"}, {"mask": "float", "scale": 1}])],
        "multiHead": multi_head(4000),
    })
