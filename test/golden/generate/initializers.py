"""Initializers: bounds, mean and deviation of Keras's draws, or PyTorch's; ours need not draw the same numbers, only from the same distribution. And what Keras asks
its generator for: the bounds or the deviation that follow from a shape."""

from common import keras, keras_arguments, np, number, snake, torch, write  # first: it chooses Keras's backend
from keras.src.initializers import random_initializers

SHAPES = [[784, 32], [32, 784], [300, 200], [20000], [3, 3, 40, 60], [5, 30, 50]]


def torch_linear(shape, **_):
    return torch.nn.Linear(*shape).weight.detach().T


def torch_sparse(shape, sparsity, stddev):
    """Zeroes a fraction of each column: of each unit's inputs in our layout."""
    return torch.nn.init.sparse_(torch.empty(shape), sparsity, stddev)


# ours, Keras's or PyTorch's, options
CASES = [
    ("glorotUniform", "GlorotUniform", {}),
    ("randomUniform", "RandomUniform", {}),
    ("randomUniform", "RandomUniform", {"minval": -0.3, "maxval": 0.9}),
    ("randomNormal", "RandomNormal", {}),
    ("randomNormal", "RandomNormal", {"mean": 0.7, "stddev": 0.21}),
    ("truncatedNormal", "TruncatedNormal", {}),
    ("truncatedNormal", "TruncatedNormal", {"mean": -0.4, "stddev": 0.31}),
    ("zeros", "Zeros", {}),
    ("ones", "Ones", {}),
    ("constant", "Constant", {"value": -0.37}),
    ("identity", "Identity", {"gain": 1.7}),
    ("orthogonal", "Orthogonal", {"gain": 1.7}),
    ("uniformFanIn", torch_linear, {}),
    ("sparse", torch_sparse, {"sparsity": 0.37, "stddev": 0.21}),
]
# Names that differ in their scale alone, and the general form.
SCALED = [(name[0].lower() + name[1:], name, {}) for name in
          ("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal")] + [
    ("varianceScaling", "VarianceScaling", options) for options in (
        {}, {"scale": 0.37, "mode": "fanOut"}, {"scale": 2.3, "mode": "fanAvg", "distribution": "uniform"},
        {"scale": 0.7, "mode": "fanIn", "distribution": "untruncatedNormal"}, {"scale": 1.9, "mode": "fanOut", "distribution": "normal"})]
SCALED_SHAPES = [[784, 32], [7], [3, 5, 4, 6], [5, 30, 50], []]
AXES = {"inputAxes": [0, -1], "outputAxes": [1]}
SCALES = [(*row, shape) for row in SCALED for shape in SCALED_SHAPES] + [
    (ours, theirs, {**options, **AXES}, shape) for ours, theirs, options in SCALED for shape in ([3, 5, 4, 6], [5, 30, 50])]


def case(ours, theirs, options, shape):
    if callable(theirs):
        torch.manual_seed(7)
        values = np.asarray(theirs(shape, **options), dtype=np.float64)
    else:
        seed = {} if ours in ("zeros", "ones", "constant", "identity") else {"seed": 7}
        values = np.asarray(getattr(keras.initializers, theirs)(**options, **seed)(shape), dtype=np.float64)
    return {"initializer": ours, "options": options, "shape": shape, "min": number(values.min()), "max": number(values.max()),
            "mean": number(values.mean()), "deviation": number(values.std())}


class Recorder:
    """Stands for keras.random: notes what it is asked for, and draws nothing."""

    def __init__(self):
        self.asked = None

    def __getattr__(self, kind):
        def draw(shape, **options):
            keys = ("minval", "maxval") if kind == "uniform" else ("mean", "stddev")
            self.asked = {"kind": {"uniform": "uniform", "normal": "normal", "truncated_normal": "truncatedNormal"}[kind],
                          **{key: number(options[key]) for key in keys}}
            return np.zeros(shape)

        return draw


def scale(ours, theirs, options, shape):
    recorder, actual = Recorder(), random_initializers.random
    arguments = {key: snake(value) if isinstance(value, str) else value for key, value in keras_arguments(options).items()}
    random_initializers.random = recorder
    try:
        getattr(keras.initializers, theirs)(**arguments, seed=1)(shape)
    finally:
        random_initializers.random = actual
    return {"initializer": ours, "options": options, "shape": shape, **recorder.asked}


if __name__ == "__main__":
    rows = [case(*row, shape) for row in CASES for shape in (SHAPES if row[0] in ("glorotUniform", "randomNormal") else SHAPES[:1])]
    write("initializers", __file__, {"cases": rows, "scales": [scale(*row) for row in SCALES]})
