"""Gradients, Hessians and their eigenvalues, gradient noise and layer statistics of small networks. PyTorch in float64."""

from common import draws, np, numbers, torch, write

torch.set_default_dtype(torch.float64)


def rounded(value):
    """Eight digits: the numbers are compared within 1e-5."""
    return float(f"{float(torch.as_tensor(value).detach()):.8g}")


ROWS, FEATURES = 26, 3
ACTIVATIONS = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu, "softmax": lambda x: torch.softmax(x, -1), "linear": lambda x: x}


def mean_loss(name, y, p):
    if name == "meanSquaredError":
        return ((p - y) ** 2).mean(1)
    if name == "binaryCrossentropy":
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean(1)
    p = p / p.sum(-1, keepdim=True)  # as Keras does: the derivative with respect to p sees it
    if name == "categoricalCrossentropy":
        return -(y * torch.log(p)).sum(1)
    return -torch.log(p[torch.arange(len(p)), y])


# name, loss, layers as makeNet takes them, targets
def cases():
    labels = np.random.RandomState(5).randint(0, 4, ROWS)
    yield ("softmax, penalties", "categoricalCrossentropy",
           [{"units": 5, "activation": "tanh", "kernelL2": 0.03, "biasL2": 0.07}, {"units": 4, "activation": "softmax", "kernelL2": 0.02}],
           np.eye(4)[labels])
    yield ("labels", "sparseCategoricalCrossentropy",
           [{"units": 4, "activation": "sigmoid"}, {"units": 3, "activation": "tanh", "useBias": False}, {"units": 4, "activation": "softmax"}], labels)
    yield ("regression", "meanSquaredError",
           [{"units": 6, "activation": "relu", "kernelL2": 0.05}, {"units": 2, "activation": "linear"}], draws(6, ROWS, 2))
    yield ("binary", "binaryCrossentropy", [{"units": 4, "activation": "tanh"}, {"units": 1, "activation": "sigmoid"}],
           np.random.RandomState(7).randint(0, 2, (ROWS, 1)))


def make(name, loss, specs, targets):
    x = torch.tensor(draws(1, ROWS, FEATURES))
    y = torch.tensor(np.asarray(targets) if targets.ndim == 1 else targets.astype(float))
    shapes, width = [], FEATURES
    for spec in specs:
        shapes.append((width, spec["units"]))
        if spec.get("useBias", True):
            shapes.append((spec["units"],))
        width = spec["units"]
    start = [draws(20 + i, *shape, scale=0.9) for i, shape in enumerate(shapes)]
    sizes = [int(np.prod(shape)) for shape in shapes]

    def forward(theta, rows, keep=None):
        parts = [part.reshape(shape) for part, shape in zip(torch.split(theta, sizes), shapes)]
        value, penalty, outputs = x[rows], 0.0, []
        for spec in specs:
            kernel = parts.pop(0)
            value, penalty = value @ kernel, penalty + spec.get("kernelL2", 0) * (kernel ** 2).sum()
            if spec.get("useBias", True):
                bias = parts.pop(0)
                value, penalty = value + bias, penalty + spec.get("biasL2", 0) * (bias ** 2).sum()
            value = ACTIVATIONS[spec["activation"]](value)
            if keep is not None:
                value.retain_grad()
                keep.append(value)
        return mean_loss(loss, y[rows], value).mean() + penalty

    theta = torch.tensor(np.concatenate([value.ravel() for value in start]), requires_grad=True)
    everything = slice(0, ROWS)

    def gradient(rows):
        return torch.autograd.grad(forward(theta, rows), theta)[0]

    g = gradient(everything)
    hessian = torch.autograd.functional.hessian(lambda at: forward(at, everything), theta.detach())
    eigenvalues = torch.linalg.eigvalsh(hessian)

    size, count = 3, 8
    batches = torch.stack([gradient(slice(size * i, size * (i + 1))) for i in range(count)])
    mean = batches.mean(0)
    big, small = (mean ** 2).sum(), (batches ** 2).sum(1).mean()
    trace = (small - big) / (1 / size - 1 / (size * count))
    squared_norm = (size * count * big - size * small) / (size * count - size)
    errors = [torch.sqrt(((batches.reshape(-1, 2 ** i, len(g)).mean(1) - mean) ** 2).sum() / (count / 2 ** i - 1)) for i in range(3)]

    kept = []
    forward(theta, everything, kept).backward()
    spread = [[rounded(f(value)) for f in (torch.mean, lambda v: v.std(correction=0))] for output in kept for value in (output.detach(), output.grad)]

    return {
        "name": name, "loss": loss, "layers": specs, "features": FEATURES, "start": [numbers(value) for value in start],
        "x": numbers(x), "y": numbers(y),
        "value": rounded(forward(theta, everything)), "norms": [rounded(part.norm()) for part in torch.split(g, sizes)],
        "gTg": rounded(g @ g), "gTHg": rounded(g @ hessian @ g), "largest": rounded(eigenvalues[-1]), "smallest": rounded(eigenvalues[0]),
        "noise": {"batchSize": size, "batches": count, "trace": rounded(trace), "squaredNorm": rounded(squared_norm),
                  "noiseScale": rounded(trace / squared_norm), "errors": [rounded(error) for error in errors]},
        "spread": spread,
        "shifted": rounded(forward(theta.detach() + 0.5 * g - 0.25, everything)), "direction": [numbers(part) for part in torch.split(g, sizes)],
    }


write("diagnostics", __file__, {"cases": [make(*case) for case in cases()]})
