"""PyTorch eager, its default switches, data in memory: torch_peer.py CASE THREADS [foreach | fused]. Prints one JSON line.

The word chooses the implementation of the optimizer in cases that measure updates; {"unsupported": …} where PyTorch has none.
"""

import json
import sys
import time

import torch
from torch import nn

case, threads = json.loads(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)


def measure(run, warm, count, per):
    run(warm)
    samples = []
    for _ in range(case["samples"]):
        start = time.perf_counter()
        run(count)
        samples.append((time.perf_counter() - start) * 1e6 / per)
    return samples


def train():
    widths, batch, batches = case["widths"], case["batchSize"], case["batches"]
    rows = batch * batches
    layers = []
    for inputs, outputs in zip(widths[:-2], widths[1:-1]):
        layers += [nn.Linear(inputs, outputs), nn.Sigmoid() if case["activation"] == "sigmoid" else nn.ReLU()]
        if case["dropout"]:
            layers.append(nn.Dropout(case["dropout"]))
    model = nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))
    parameters = model.parameters()
    optimizer = torch.optim.SGD(parameters, lr=0.01) if case["optimizer"] == "sgd" else torch.optim.Adam(parameters, lr=0.001)
    loss_of = nn.CrossEntropyLoss()
    x = torch.rand(rows, widths[0])
    y = torch.arange(rows) % widths[-1]

    def epochs(count):
        for _ in range(count):
            order = torch.randperm(rows) if case["shuffle"] else None
            for begin in range(0, rows, batch):
                if order is None:
                    xs, ys = x[begin:begin + batch], y[begin:begin + batch]
                else:
                    index = order[begin:begin + batch]
                    xs, ys = x[index], y[index]
                optimizer.zero_grad()
                loss = loss_of(model(xs), ys)
                loss.backward()
                optimizer.step()

    return measure(epochs, 1, case["epochs"], case["epochs"] * batches)


def matmul():
    a, b = torch.rand(case["m"], case["k"]) - 0.5, torch.rand(case["k"], case["n"]) - 0.5

    def calls(count):
        for _ in range(count):
            torch.mm(a, b)

    return measure(calls, -(-case["calls"] // 4), case["calls"], case["calls"])


def update():
    parameters = [torch.rand(case["elements"]) - 0.5 for _ in range(case["tensors"])]
    for p in parameters:
        p.grad = torch.rand(case["elements"]) - 0.5
    way = {sys.argv[3]: True} if len(sys.argv) > 3 else {}
    optimizer = getattr(torch.optim, case["torch"])(parameters, **case["torchOptions"], **way)

    def calls(count):
        for _ in range(count):
            optimizer.step()

    return measure(calls, 3, case["calls"], case["calls"])


try:
    result = {"train": train, "matmul": matmul, "update": update}[case["kind"]]()
except (TypeError, RuntimeError) as error:
    if len(sys.argv) <= 3:
        raise
    print(json.dumps({"unsupported": str(error)}))
    sys.exit()
print(json.dumps({"versions": {"torch": torch.__version__, "python": sys.version.split()[0]}, "samples": result, "cpuSeconds": time.process_time()}))
