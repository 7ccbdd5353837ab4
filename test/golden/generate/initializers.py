"""Initializers: bounds, mean and deviation of Keras's draws; ours need not draw the same numbers, only from the same distribution."""

from common import keras, np, number, write

SHAPES = [[784, 32], [32, 784], [300, 200], [20000], [3, 3, 40, 60], [5, 30, 50]]
# ours, Keras's, options
CASES = [
    ("glorotUniform", "GlorotUniform", {}),
    ("randomUniform", "RandomUniform", {}),
    ("randomUniform", "RandomUniform", {"minval": -0.3, "maxval": 0.9}),
    ("randomNormal", "RandomNormal", {}),
    ("randomNormal", "RandomNormal", {"mean": 0.7, "stddev": 0.21}),
    ("zeros", "Zeros", {}),
    ("ones", "Ones", {}),
    ("constant", "Constant", {"value": -0.37}),
]


def case(ours, theirs, options, shape):
    seed = {} if ours in ("zeros", "ones", "constant") else {"seed": 7}
    values = np.asarray(getattr(keras.initializers, theirs)(**options, **seed)(shape), dtype=np.float64)
    return {"initializer": ours, "options": options, "shape": shape, "min": number(values.min()), "max": number(values.max()),
            "mean": number(values.mean()), "deviation": number(values.std())}


if __name__ == "__main__":
    rows = [case(*row, shape) for row in CASES for shape in (SHAPES if row[0] in ("glorotUniform", "randomNormal") else SHAPES[:1])]
    write("initializers", __file__, {"cases": rows})
