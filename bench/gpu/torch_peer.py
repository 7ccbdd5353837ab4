"""PyTorch on a GPU: torch_peer.py NAMES NETWORKS. Names of kernels' cases as bench/native/gpu_kernels.cpp prints them, networks as cases.ts has
them. Prints one line of JSON per case and way: microseconds, median of samples. Without a GPU it runs on the CPU, to be tried out."""

import json
import re
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

names, networks = json.loads(sys.argv[1]), json.loads(sys.argv[2])
gpu = torch.cuda.is_available()
device = torch.device("cuda" if gpu else "cpu")
synchronize = torch.cuda.synchronize if gpu else lambda: None


def print_line(**fields):
    print(json.dumps(fields), flush=True)


def median(values):
    return sorted(values)[len(values) // 2]


def captured(work, repeats):
    """`work`, `repeats` times, as one CUDA graph; eager without a GPU."""
    if not gpu:
        return lambda: [work() for _ in range(repeats)]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(repeats):
            work()
    return graph.replay


def timed(run, repeats=1, sample_seconds=0.03, samples=7):
    """Microseconds of one of the `repeats` that a call of `run` makes."""

    def seconds(count):
        start = time.perf_counter()
        for _ in range(count):
            run()
        synchronize()
        return time.perf_counter() - start

    seconds(2)
    count = max(1, min(5000, int(sample_seconds / max(seconds(1), 1e-7))))
    seconds(max(1, count // 4))
    return median([seconds(count) * 1e6 / count / repeats for _ in range(samples)])


def precision(kind):
    torch.set_float32_matmul_precision("high" if kind == "tf32" else "highest")
    return torch.bfloat16 if kind == "bfloat16" else torch.float32


def uniform(*shape, dtype=torch.float32):
    return (torch.rand(*shape, device=device) * 2 - 1).to(dtype)


def product(m, k, n, transposes, epilogue, kind):
    dtype = precision(kind)
    a = uniform(k, m, dtype=dtype).T if transposes[0] == "t" else uniform(m, k, dtype=dtype)
    b = uniform(n, k, dtype=dtype).T if transposes[1] == "t" else uniform(k, n, dtype=dtype)
    bias = uniform(n, dtype=dtype)
    work = {
        None: lambda: torch.mm(a, b),
        "-bias-relu": lambda: torch.relu(torch.addmm(bias, a, b)),
        "-sums": lambda: (torch.mm(a, b), b.sum(0)),
    }[epilogue]
    repeats = 50 if m * k * n < 1 << 30 else 1
    return timed(captured(work, repeats), repeats)


def rows_of(what, rows, columns):
    x = uniform(rows, columns)
    if what == "softmax":
        return timed(captured(lambda: torch.softmax(x, -1), 1))
    labels = torch.randint(columns, (rows,), device=device)
    x.requires_grad_()

    def gradient():
        x.grad = None
        F.cross_entropy(x, labels, reduction="sum").backward()

    return timed(gradient)


def update(rule):
    parameter = nn.Parameter(uniform(100_000_000 if gpu else 1000))
    parameter.grad = uniform(parameter.numel())
    kind = torch.optim.Adam if rule == "adam" else torch.optim.SGD
    return timed(kind([parameter], lr=1e-3, fused=True).step)


def kernel(name):
    found = re.fullmatch(r"matmul-(\d+)x(\d+)x(\d+)(?:-([nt]{2}))?(-bias-relu|-sums)?-(\w+)", name)
    if found:
        m, k, n = (int(found[i]) for i in (1, 2, 3))
        return product(m, k, n, found[4] or "nn", found[5], found[6])
    found = re.fullmatch(r"(softmax|cross-entropy)-(\d+)x(\d+)", name)
    if found:
        return rows_of(found[1], int(found[2]), int(found[3]))
    if name.startswith("update-"):
        return update(name.removeprefix("update-"))
    if name == "copy":
        source = torch.zeros((1 << 28) if gpu else 1 << 14, device=device)
        target = torch.empty_like(source)
        return timed(lambda: target.copy_(source))
    return None


class Training:
    def __init__(self, case, capturable):
        widths, self.batch = case["widths"], case["batchSize"]
        rows = self.batch * case["batches"]
        layers = []
        for inputs, outputs in zip(widths[:-2], widths[1:-1]):
            layers += [nn.Linear(inputs, outputs), nn.Sigmoid() if case["activation"] == "sigmoid" else nn.ReLU()]
            if case["dropout"]:
                layers.append(nn.Dropout(case["dropout"]))
        self.model = nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1])).to(device)
        parameters = self.model.parameters()
        if case["optimizer"] == "sgd":
            self.optimizer = torch.optim.SGD(parameters, lr=0.01, fused=True)
        else:
            self.optimizer = torch.optim.Adam(parameters, lr=0.001, fused=True, capturable=capturable and gpu)
        self.x = torch.rand(rows, widths[0], device=device)
        self.y = torch.arange(rows, device=device) % widths[-1]
        self.forward = self.model

    def step(self, x, y):
        self.optimizer.zero_grad()
        F.cross_entropy(self.forward(x), y).backward()
        self.optimizer.step()

    def epoch(self, step):
        for begin in range(0, len(self.x), self.batch):
            step(self.x[begin : begin + self.batch], self.y[begin : begin + self.batch])


def train(case, way):
    precision(case["precision"])
    training = Training(case, capturable="graph" in way)
    if "compiled" in way:
        training.forward = torch.compile(training.model)
    step = training.step
    if "graph" in way:
        xs, ys = training.x[: training.batch].clone(), training.y[: training.batch].clone()
        replay = captured(lambda: training.step(xs, ys), 1)

        def step(x, y):
            xs.copy_(x)
            ys.copy_(y)
            replay()

    training.epoch(step)
    synchronize()
    samples = []
    for _ in range(case["samples"]):
        start = time.perf_counter()
        for _ in range(case["epochs"] if "graph" in way else max(1, case["epochs"] // 4)):
            training.epoch(step)
        synchronize()
        taken = time.perf_counter() - start
        samples.append(taken * 1e6 / case["batches"] / (case["epochs"] if "graph" in way else max(1, case["epochs"] // 4)))
    return median(samples)


def attempt(name, way, work):
    try:
        microseconds = work()
    except Exception as error:
        return print_line(case=name, way=way, error=f"{type(error).__name__}: {error}"[:300])
    if microseconds is not None:
        print_line(case=name, way=way, microseconds=microseconds)
    if gpu:
        torch.cuda.empty_cache()


print_line(versions={"torch": torch.__version__, "cuda of torch": torch.version.cuda or "none", "python": sys.version.split()[0]})
if not gpu:
    print_line(note="PyTorch sees no GPU: its times are of the CPU")
for case in networks:
    attempt(case["name"], "torch eager", lambda: train(case, "eager"))
    attempt(case["name"], "torch graph", lambda: train(case, "graph"))
for name in names:
    attempt(name, "torch", lambda: kernel(name))
if gpu:  # last, since compiling takes longest
    for case in networks:
        if case["name"] != "smallest-step":
            attempt(case["name"], "torch compiled, graph", lambda: train(case, "compiled graph"))
