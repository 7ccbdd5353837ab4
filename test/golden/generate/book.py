"""The lecture's and its book's update rules (Goodfellow et al. 2016, chapter 8) in float64, as they are written there."""

import numpy as np

# Defaults, and the state of a variable by name: 0 unless a default has the name.
DEFAULTS = {
    "sgd": {"learningRate": 0.01, "momentum": 0, "nesterov": False},
    "adagrad": {"learningRate": 0.001, "initialAccumulatorValue": 0, "epsilon": 1e-7},
    "rmsprop": {"learningRate": 0.001, "rho": 0.9, "momentum": 0, "nesterov": False},
    "adam": {"learningRate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "amsgrad": False},
    "adadelta": {"learningRate": 1, "rho": 0.95, "epsilon": 1e-7},
    "adamax": {"learningRate": 0.002, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7},
    "nadam": {"learningRate": 0.002, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7},
    "deltaBarDelta": {"learningRate": 0.01, "kappa": 0.001, "phi": 0.1, "theta": 0.7},
}


def velocity(v, g, o, rate):
    """Momentum, or the same with the gradient at the interim point; gives what is added to what the caller keeps as θ."""
    v["theta"], v["v"] = v["theta"] + o["momentum"] * v["v"] - rate * g, o["momentum"] * v["v"] - rate * g
    return v["theta"] + (o["momentum"] * v["v"] if o["nesterov"] else 0)


def sgd(p, g, s, o, t):
    return velocity(s, g, o, o["learningRate"])


def adagrad(p, g, s, o, t):
    s["r"] = s.get("r", o["initialAccumulatorValue"]) + g * g
    return p - o["learningRate"] / (o["epsilon"] + np.sqrt(s["r"])) * g


def rmsprop(p, g, s, o, t):
    s["r"] = o["rho"] * s.get("r", 0) + (1 - o["rho"]) * g * g
    delta = o.get("epsilon", 0 if o["nesterov"] else 1e-6)
    root = np.sqrt(delta + s["r"])
    rate = np.divide(o["learningRate"], root, out=np.zeros_like(root), where=root > 0)  # no gradient so far: no step
    return velocity(s, g, o, rate) if o["momentum"] else p - rate * g


def adam(p, g, s, o, t):
    s["s"] = o["beta1"] * s.get("s", 0) + (1 - o["beta1"]) * g
    s["r"] = o["beta2"] * s.get("r", 0) + (1 - o["beta2"]) * g * g
    s["largest"] = np.maximum(s.get("largest", 0), s["r"])
    s_hat = s["s"] / (1 - o["beta1"] ** t)
    r_hat = (s["largest"] if o["amsgrad"] else s["r"]) / (1 - o["beta2"] ** t)
    return p - o["learningRate"] * s_hat / (np.sqrt(r_hat) + o["epsilon"])


def adadelta(p, g, s, o, t):
    s["r"] = o["rho"] * s.get("r", 0) + (1 - o["rho"]) * g * g
    step = np.sqrt(s.get("u", 0) + o["epsilon"]) / np.sqrt(s["r"] + o["epsilon"]) * g
    s["u"] = o["rho"] * s.get("u", 0) + (1 - o["rho"]) * step * step
    return p - o["learningRate"] * step


def adamax(p, g, s, o, t):
    s["m"] = o["beta1"] * s.get("m", 0) + (1 - o["beta1"]) * g
    s["u"] = np.maximum(o["beta2"] * s.get("u", 0), abs(g))
    return p - o["learningRate"] / (1 - o["beta1"] ** t) * s["m"] / (s["u"] + o["epsilon"])


def nadam(p, g, s, o, t):
    mu = [o["beta1"] * (1 - 0.5 * 0.96**i) for i in range(t + 2)]
    now, after = np.prod(mu[1 : t + 1]), np.prod(mu[1 : t + 2])
    s["m"] = o["beta1"] * s.get("m", 0) + (1 - o["beta1"]) * g
    s["v"] = o["beta2"] * s.get("v", 0) + (1 - o["beta2"]) * g * g
    mean = mu[t + 1] * s["m"] / (1 - after) + (1 - mu[t]) * g / (1 - now)
    return p - o["learningRate"] * mean / (np.sqrt(s["v"] / (1 - o["beta2"] ** t)) + o["epsilon"])


def delta_bar_delta(p, g, s, o, t):
    bar, rate = s.get("bar", np.zeros_like(p)), s.get("rate", np.full_like(p, o["learningRate"]))
    same, opposed = g * bar > 0, g * bar < 0
    s["rate"] = np.where(same, rate + o["kappa"], np.where(opposed, rate - o["phi"] * rate, rate))
    s["bar"] = (1 - o["theta"]) * g + o["theta"] * bar
    return p - s["rate"] * g


BOOK_RULES = {"sgd": sgd, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam, "adadelta": adadelta, "adamax": adamax,
              "nadam": nadam, "deltaBarDelta": delta_bar_delta}


class Book:
    def __init__(self, name, options, values):
        self.rule, self.options, self.t = BOOK_RULES[name], {**DEFAULTS[name], **options}, 0
        self.values = [value.copy() for value in values]
        self.states = [{"theta": value.copy(), "v": np.zeros_like(value)} for value in values]

    def step(self, gradients, rate):
        self.t += 1
        if rate is not None:
            self.options["learningRate"] = rate
        for value, gradient, state in zip(self.values, gradients, self.states):
            value -= self.options["learningRate"] * self.options.get("weightDecay", 0) * value
            if "weightDecay" in self.options or "useEma" in self.options:
                state["theta"] = value.copy()  # with plain momentum; the interim point cannot be told apart then
            value[...] = self.rule(value, gradient, state, self.options, self.t)
