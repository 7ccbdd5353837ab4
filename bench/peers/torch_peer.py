"""PyTorch, data in memory: torch_peer.py THREADS [default | foreach | fused | best].

default: eager with default switches. foreach, fused: those implementations of the optimizer. best: the fastest, on this machine and for this
case, of eager and compiled steps with each of them.
"""

import sys

import torch
from torch import nn

from peer import Unsupported, fastest, measure, measure_calls, measure_epochs, serve

threads = int(sys.argv[1])
mode = sys.argv[2] if len(sys.argv) > 2 else "default"
torch.set_num_threads(threads)


def make_optimizer(kind, parameters, way, **options):
    """way: None for the default."""
    try:
        return getattr(torch.optim, kind)(parameters, **options, **({way: True} if way else {}))
    except (TypeError, RuntimeError) as error:
        raise Unsupported(str(error))


class Recurrent(nn.Module):
    def __init__(self, features, units):
        super().__init__()
        self.lstm = nn.LSTM(features, units, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0][:, -1]


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.all, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.dense = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        n, steps, width = x.shape
        q, k, v = (part.view(n, steps, self.heads, -1).transpose(1, 2) for part in self.all(self.norms[0](x)).chunk(3, dim=2))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(n, steps, width))
        return x + self.dense(self.norms[1](x))


class Transformer(nn.Module):
    """Logits of all steps, [n, classes, steps]."""

    def __init__(self, width, classes, context, heads, blocks):
        super().__init__()
        self.words, self.places = nn.Embedding(classes, width), nn.Parameter(torch.randn(context, width) / 50)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(blocks)), nn.LayerNorm(width), nn.Linear(width, classes))

    def forward(self, x):
        return self.blocks(self.words(x) + self.places).transpose(1, 2)


RATES = {"adamw": ("AdamW", 0.001), "sgd": ("SGD", 0.01), "adagrad": ("Adagrad", 0.01), "adam": ("Adam", 0.001)}


def make_step(case, way, compiled, last=False, sparse=False):
    """A step on (x, y) of a fresh model; last: images have their channels last; sparse: gradients of an embedding."""
    widths, images = case["widths"], case.get("images")
    layers = [Recurrent(*widths[:2])] if case.get("steps") else []
    if case.get("embedding"):
        words, length = case["embedding"]["words"], case["embedding"]["length"]
        layers += [nn.Embedding(words, widths[0] // length, sparse=sparse), nn.Flatten()]
    if images:
        for inputs, outputs in zip([images["channels"], *images["filters"]], images["filters"]):
            layers += [nn.Conv2d(inputs, outputs, 5, padding=2), nn.Sigmoid() if case["activation"] == "sigmoid" else nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        layers.append(nn.Flatten())
    for inputs, outputs in [] if case.get("steps") else zip(widths[:-2], widths[1:-1]):
        layers += [nn.Linear(inputs, outputs), nn.Sigmoid() if case["activation"] == "sigmoid" else nn.ReLU()]
        if case["dropout"]:
            layers.append(nn.Dropout(case["dropout"]))
    model = nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))
    if case.get("transformer"):
        model = Transformer(*widths, **case["transformer"])
    if last:
        model = model.to(memory_format=torch.channels_last)
    kind, rate = RATES[case["optimizer"]]
    optimizer = make_optimizer(kind, model.parameters(), way, lr=rate)
    loss_of = nn.CrossEntropyLoss()
    forward = lambda xs, ys: loss_of(model(xs), ys)
    if compiled:
        forward = torch.compile(forward)

    def step(xs, ys):
        optimizer.zero_grad()
        forward(xs, ys).backward()
        optimizer.step()

    return step


def train(case):
    batch, batches, widths = case["batchSize"], case["batches"], case["widths"]
    rows = batch * batches
    if case.get("nonzeros"):
        return train_sparse(case)
    images = case.get("images")
    x = torch.rand(rows, images["channels"], images["side"], images["side"]) if images else torch.rand(rows, *([case["steps"]] if case.get("steps") else []), widths[0])
    table = case.get("embedding")
    if table:
        x = torch.randint(table["words"], (rows, table["length"]))
    formats = {False: x, True: x.to(memory_format=torch.channels_last)} if images else {False: x}
    y = torch.arange(rows) % widths[-1]
    if case.get("transformer"):
        x, y = torch.randint(widths[-1], (2, rows, case["transformer"]["context"]))
        formats = {False: x}
    way, step = None, None
    if mode == "best":
        steps = {}

        def on_one_batch(name, *args):
            def make():
                steps[name] = make_step(case, *args)
                xs = formats[args[2]][:batch]
                return lambda: steps[name](xs, y[:batch])
            return make

        named = {
            "eager": (None, False, False), "eager, fused optimizer": ("fused", False, False),
            "compiled": (None, True, False), "compiled, fused optimizer": ("fused", True, False),
        }
        if images:
            named |= {f"{name}, channels last": (*args[:2], True) for name, args in named.items()}
        if table and case["optimizer"] != "adam":  # SparseAdam leaves out the averages of other rows
            named["eager, sparse gradients"] = (None, False, False, True)
        way, _ = fastest({name: on_one_batch(name, *args) for name, args in named.items()})
        step, x = steps[way], formats[named[way][2]]
    else:
        step = make_step(case, None if mode == "default" else mode, False)

    def epochs(count):
        for _ in range(count):
            order = torch.randperm(rows) if case["shuffle"] else None
            for begin in range(0, rows, batch):
                if order is None:
                    xs, ys = x[begin:begin + batch], y[begin:begin + batch]
                else:
                    index = order[begin:begin + batch]
                    xs, ys = x[index], y[index]
                step(xs, ys)

    return measure_epochs(case, epochs), way


def train_sparse(case):
    """Batches that are CSR matrices already, and a first layer of the form x @ w."""
    batch, batches, widths, nonzeros = case["batchSize"], case["batches"], case["widths"], case["nonzeros"]
    if case["shuffle"] or mode not in ("default", "best"):
        raise Unsupported("sparse rows")
    columns = widths[0]
    apart, starts = columns // nonzeros, torch.arange(0, batch * nonzeros + 1, nonzeros)
    column = lambda: (torch.arange(nonzeros) * apart + torch.randint(apart, (batch, nonzeros))).reshape(-1)
    x = [torch.sparse_csr_tensor(starts, column(), torch.rand(batch * nonzeros), (batch, columns)) for _ in range(batches)]
    y = torch.arange(batch) % widths[-1]
    loss_of = nn.CrossEntropyLoss()
    kind, rate = RATES[case["optimizer"]]

    def make(way):
        w, b = nn.Parameter(torch.randn(columns, widths[1]) * 0.01), nn.Parameter(torch.zeros(widths[1]))
        rest = [layer for pair in zip(widths[1:-1], widths[2:]) for layer in (nn.ReLU(), nn.Linear(*pair))]
        head = nn.Sequential(*rest)
        optimizer = make_optimizer(kind, [w, b, *head.parameters()], way, lr=rate)

        def step(xs=x[0]):
            optimizer.zero_grad()
            loss_of(head(xs @ w + b), y).backward()
            optimizer.step()

        return step

    way, step = None, None
    if mode == "best":
        way, step = fastest({"eager": lambda: make(None), "eager, fused optimizer": lambda: make("fused")})
    else:
        step = make(None)

    def epochs(count):
        for _ in range(count):
            for xs in x:
                step(xs)

    return measure_epochs(case, epochs), way


def matmul(case):
    a, b = torch.rand(case["m"], case["k"]) - 0.5, torch.rand(case["k"], case["n"]) - 0.5

    def calls(count):
        for _ in range(count):
            torch.mm(a, b)

    return measure_calls(case, calls)


def update(case):
    parameters = [torch.rand(case["elements"]) - 0.5 for _ in range(case["tensors"])]
    for p in parameters:
        p.grad = torch.rand(case["elements"]) - 0.5
    make = lambda way: make_optimizer(case["torch"], parameters, way, **case["torchOptions"])
    way, step = None, None
    if mode == "best":
        ways = {
            "eager": lambda: make(None).step, "foreach": lambda: make("foreach").step, "fused": lambda: make("fused").step,
            "compiled": lambda: torch.compile(make(None).step),
        }
        way, step = fastest(ways)
    else:
        step = make(None if mode == "default" else mode).step

    def calls(count):
        for _ in range(count):
            step()

    return measure(case, calls, 3, case["calls"], case["calls"]), way


serve({"torch": torch.__version__}, {"train": train, "matmul": matmul, "update": update})
