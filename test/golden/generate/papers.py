"""Update rules and clipping that neither Keras nor PyTorch has, transcribed from their papers, in float64; as update_rules.py."""

from common import np, write
from update_rules import ADAM, DATA, GRADIENTS, MOMENTUM, RATES, SGD, START, cases

LARS = {"learningRate": 0.37, "momentum": 0.83, "trustCoefficient": 0.21, "epsilon": 0.03, "weightDecay": 0.13}
AGC = {"adaptiveClipFactor": 0.11, "adaptiveClipEpsilon": 0.6}
PAPERS = [
    ("lamb of the paper", "lamb", {**ADAM, "weightDecay": 0.13, "preset": "torch"}),
    ("lamb of the paper, changing rate and clipValue", "lamb", {**ADAM, "weightDecay": 0.13, "clipValue": 0.31, "preset": "torch"}, RATES),
    ("lars", "lars", LARS),
    ("lars, defaults", "lars", {"learningRate": 0.5}),
    ("lars, nesterov and changing rate", "lars", {**LARS, "nesterov": True}, RATES),
    ("lars around SGD", "lars", {**LARS, "preset": "torch"}),
    ("lars around SGD, nesterov, changing rate, clipNorm", "lars", {**LARS, "nesterov": True, "clipNorm": 0.9, "preset": "torch"}, RATES),
    ("adaptive clipping", "sgd", {**SGD, **AGC}),
    ("adaptive clipping, default epsilon", "sgd", {"learningRate": 0.2, "adaptiveClipFactor": 0.03}),
    ("adaptive clipping of some units, momentum and decay", "sgd", {**MOMENTUM, **AGC, "adaptiveClipFactor": 0.9, "weightDecay": 0.13}),
]


def norm(x):
    return np.sqrt(np.sum(np.square(x)))


def clipped(g, p, options):
    if "clipNorm" in options:
        g = g * options["clipNorm"] / max(norm(g), options["clipNorm"])
    if "clipValue" in options:
        g = np.clip(g, -options["clipValue"], options["clipValue"])
    if "adaptiveClipFactor" in options:  # Brock et al. 2021, equation 3; units are columns, a vector is one
        axis = None if g.ndim == 1 else 0
        size = lambda x: np.sqrt(np.sum(np.square(x), axis=axis, keepdims=True))
        limit = options["adaptiveClipFactor"] * np.maximum(size(p), options.get("adaptiveClipEpsilon", 1e-3))
        g = np.where(size(g) > limit, g * limit / np.maximum(size(g), 1e-6), g)
    return g


def paper_step(optimizer, o, rate, t, g, p, slots):
    outside, decay = o.get("preset") == "torch", o.get("weightDecay", 0)
    if optimizer == "lamb":  # You et al. 2020, algorithm 2, φ the identity
        slots[0] = o["beta1"] * slots[0] + (1 - o["beta1"]) * g
        slots[1] = o["beta2"] * slots[1] + (1 - o["beta2"]) * g * g
        m, v = slots[0] / (1 - o["beta1"] ** t), slots[1] / (1 - o["beta2"] ** t)
        u = m / (np.sqrt(v) + o["epsilon"]) + decay * p
        return p - rate * (norm(p) / norm(u) if norm(p) > 0 and norm(u) > 0 else 1) * u
    if optimizer == "lars":  # You, Gitman and Ginsburg 2017, algorithm 1
        momentum = o.get("momentum", 0.9)
        trust = o.get("trustCoefficient", 0.001) * norm(p) / (norm(g) + decay * norm(p) + o.get("epsilon", 0)) if norm(g) > 0 else 1
        s = trust * (g + decay * p) * (1 if outside else rate)
        slots[0] = momentum * slots[0] + s
        return p - (momentum * slots[0] + s if o.get("nesterov") else slots[0]) * (rate if outside else 1)
    p = p - rate * decay * p
    slots[0] = o.get("momentum", 0) * slots[0] - rate * g
    return p + slots[0]


def run_papers(optimizer, options, rates):
    variables, slots = [value.copy() for value in START], [[np.zeros_like(value)] * 2 for value in START]
    for step, gradients in enumerate(GRADIENTS):
        rate = rates[step] if rates else options["learningRate"]
        for i, g in enumerate(gradients):
            variables[i] = paper_step(optimizer, options, rate, step + 1, clipped(g, variables[i], options), variables[i], slots[i])
        yield [variable.copy() for variable in variables]


def rows():
    for case, (_, _, options, *_) in zip(cases(PAPERS, run_papers, "keras"), PAPERS):
        yield {**case, "options": {**case["options"], **options}}


if __name__ == "__main__":
    write("update-rules-papers", __file__, {**DATA, "cases": list(rows())})
