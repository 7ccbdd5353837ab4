"""Activations: values and gradients at awkward points. PyTorch in float64 from float32 inputs, compared with Keras by --check."""

import sys

from common import keras, np, numbers, torch, write

F = torch.nn.functional
POINTS = np.float32([
    -1e30, -1e4, -104, -88.5, -30, -17.5, -9.3, -5, -3.1, -1.7, -1, -0.5, -0.1, -1e-3, -1e-7, -1e-20,
    0, 1e-20, 1e-7, 1e-3, 0.1, 0.5, 1, 1.7, 3.1, 5, 9.3, 17.5, 30, 88.5, 104, 1e4, 1e30,
])
ROWS = np.float32([
    [0, 0, 0, 0], [1, 2, 3, 4], [-1000, 0, 0, 1000], [1e4, 1e4, -1e4, 9999], [88.7, 89, -104, 0],
    [-1e30, -1e30, -1e30, -1e30], [1e-7, -1e-7, 3, 3], [-0.5, 0.25, 20, 19.5],
])
SEEDS = np.float32([[1, -2, 0.5, 3], [0.25, 1, -1, 2]] * 4)  # the gradient that comes in at each element of ROWS

# name, attributes, PyTorch's function, Keras's
ELEMENTWISE = [
    ("relu", {}, F.relu, "relu"),
    ("leakyRelu", {}, lambda x: F.leaky_relu(x, 0.2), "leaky_relu"),
    ("elu", {}, F.elu, "elu"),
    ("selu", {}, F.selu, "selu"),
    ("gelu", {}, F.gelu, "gelu"),
    ("gelu", {"approximate": True}, lambda x: F.gelu(x, approximate="tanh"), None),
    ("silu", {}, F.silu, "silu"),
    ("sigmoid", {}, torch.sigmoid, "sigmoid"),
    ("tanh", {}, torch.tanh, "tanh"),
    ("softplus", {}, lambda x: torch.logaddexp(x, torch.zeros_like(x)), "softplus"),
    ("softsign", {}, F.softsign, "softsign"),
]
ROWWISE = [
    ("softmax", {}, lambda x: F.softmax(x, -1), "softmax"),
    ("logSoftmax", {}, lambda x: F.log_softmax(x, -1), "log_softmax"),
]


def case(row, points, seeds):
    name, attributes, function, kerases = row
    x = torch.tensor(points.astype(np.float64), requires_grad=True)
    y = function(x)
    (gradient,) = torch.autograd.grad(y, x, torch.tensor(seeds.astype(np.float64)))
    if "--check" in sys.argv and kerases:
        theirs = getattr(keras.activations, kerases)(torch.tensor(points)).numpy()
        away = np.abs(theirs - y.detach().numpy()) / np.maximum(1e-6, np.abs(y.detach().numpy()))
        print(f"{name}: Keras in float32 is within {np.nanmax(away):.1e}")
    return {"name": name, "attributes": attributes, "values": numbers(y), "gradients": numbers(gradient)}


if __name__ == "__main__":
    write("activations", __file__, {
        "points": numbers(POINTS), "elementwise": [case(row, POINTS, np.ones_like(POINTS)) for row in ELEMENTWISE],
        "rows": numbers(ROWS), "seeds": numbers(SEEDS), "rowwise": [case(row, ROWS, SEEDS) for row in ROWWISE],
    })
