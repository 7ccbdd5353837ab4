"""Each update rule alone: three variables, "v0" to "v2", given gradients, the values after several updates. Float64 oracles."""

import re

from book import Book
from common import draws, keras, keras_arguments, np, numbers, snake, torch, write

STEPS = 10
SHAPES = [(3, 4), (4,), (2, 1, 3)]
SCALES = [1.5, 0.2, 0.9]  # the second variable's gradients are small, so per-variable and global clipping differ
START = [draws(1 + i, *shape) for i, shape in enumerate(SHAPES)]
# Large, small, repeated and zero gradients, and an element without any for a while.
GRADIENTS = [[draws(10 + 30 * i + step, *shape, scale=SCALES[i]) for i, shape in enumerate(SHAPES)] for step in range(STEPS)]
GRADIENTS[3] = [np.zeros(shape) for shape in SHAPES]
GRADIENTS[6] = GRADIENTS[5]
for step in range(5):
    GRADIENTS[step][0][0, 1] = 0

# Rows: name, optimizer, options, rates; "rates": the learning rate is set anew before each update.
RATES = [0.05, 0.05, 0.02, 0.02, 0.08, 0.08, 0.01, 0.03, 0.03, 0.07]
SGD = {"learningRate": 0.037}
MOMENTUM = {**SGD, "momentum": 0.83}
NESTEROV = {**MOMENTUM, "nesterov": True}
ADAM = {"learningRate": 0.023, "beta1": 0.83, "beta2": 0.97, "epsilon": 1e-2}
AMSGRAD = {**ADAM, "amsgrad": True}
RMSPROP = {"learningRate": 0.023, "rho": 0.87, "epsilon": 1e-2}
ADAGRAD = {"learningRate": 0.11, "initialAccumulatorValue": 0.23, "epsilon": 1e-2}
ADADELTA = {"learningRate": 0.7, "rho": 0.87, "epsilon": 1e-2}
FTRL = {"learningRate": 0.17, "initialAccumulatorValue": 0.23, "l1RegularizationStrength": 0.13,
        "l2RegularizationStrength": 0.21, "l2ShrinkageRegularizationStrength": 0.07, "beta": 0.31}
LION = {"learningRate": 0.017, "beta1": 0.83, "beta2": 0.91}
RPROP = {"learningRate": 0.043, "etas": [0.37, 1.31], "stepSizes": [0.02, 0.07]}
DELTA_BAR_DELTA = {"learningRate": 0.043, "kappa": 0.013, "phi": 0.31, "theta": 0.57}

# What every optimizer takes, once per rule family.
COMMON = [
    ("decay, clipNorm and average", {"weightDecay": 0.13, "clipNorm": 0.9, "useEma": True, "emaMomentum": 0.7, "emaOverwriteFrequency": 3}),
    ("clipValue and accumulation", {"weightDecay": 0.07, "clipValue": 0.31, "gradientAccumulationSteps": 3}),
    ("globalClipNorm", {"weightDecay": 0.11, "globalClipNorm": 1.7}),
]


def family(name, optimizer, options, rated=True):
    """A rule with a changing rate and with each common argument."""
    rows = [(name, optimizer, options)]
    if rated:
        rows.append((f"{name}, changing rate", optimizer, {**options, "learningRate": RATES[0]}, RATES))
    return rows + [(f"{name}, {title}", optimizer, {**options, **common}) for title, common in COMMON]


KERAS = [
    ("sgd", "sgd", SGD),
    ("sgd, default rate", "sgd", {}),
    ("sgd, decoupled decay", "sgd", {**SGD, "weightDecay": 0.13}),
    ("sgd, clipNorm", "sgd", {**SGD, "clipNorm": 0.9}),
    ("sgd, clipValue", "sgd", {**SGD, "clipValue": 0.31}),
    ("sgd, globalClipNorm", "sgd", {**SGD, "globalClipNorm": 1.7}),
    ("momentum", "sgd", MOMENTUM),
    ("momentum, changing rate", "sgd", {"momentum": 0.83, "learningRate": RATES[0]}, RATES),
    ("momentum, decay and clipNorm", "sgd", {**MOMENTUM, "weightDecay": 0.13, "clipNorm": 0.9}),
    *family("nesterov", "sgd", NESTEROV),
    *family("adam", "adam", ADAM),
    ("adam, defaults", "adam", {}),
    ("adam, small epsilon", "adam", {**ADAM, "epsilon": 3e-6}),
    *family("amsgrad", "adam", AMSGRAD),
    ("adamw", "adamw", {**ADAM, "weightDecay": 0.23}),
    ("adamw, defaults", "adamw", {}),
    ("adamw, amsgrad and clipNorm", "adamw", {**AMSGRAD, "weightDecay": 0.23, "clipNorm": 0.9}),
    *family("adamax", "adamax", ADAM),
    ("adamax, defaults", "adamax", {}),
    *family("nadam", "nadam", ADAM),
    ("nadam, defaults", "nadam", {}),
    *family("rmsprop", "rmsprop", RMSPROP),
    ("rmsprop, defaults", "rmsprop", {}),
    ("rmsprop, centered", "rmsprop", {**RMSPROP, "centered": True}),
    ("rmsprop, momentum", "rmsprop", {**RMSPROP, "momentum": 0.73}),
    ("rmsprop, momentum, changing rate", "rmsprop", {**RMSPROP, "momentum": 0.73, "learningRate": RATES[0]}, RATES),
    *family("rmsprop, centered, momentum", "rmsprop", {**RMSPROP, "centered": True, "momentum": 0.73}),
    *family("adagrad", "adagrad", ADAGRAD),
    ("adagrad, defaults", "adagrad", {}),
    *family("adadelta", "adadelta", ADADELTA),
    ("adadelta, defaults", "adadelta", {}),
    *family("ftrl", "ftrl", FTRL),
    ("ftrl, defaults", "ftrl", {}),
    *family("lion", "lion", LION),
    ("lion, defaults", "lion", {}),
    *family("lamb", "lamb", ADAM),
    ("lamb, defaults", "lamb", {}),
    ("adam, lossScaleFactor and clipNorm", "adam", {**ADAM, "lossScaleFactor": 7, "clipNorm": 0.9}),
    ("ftrl, power", "ftrl", {**FTRL, "learningRatePower": -0.7}),
    ("ftrl, power and decay", "ftrl", {**FTRL, "learningRatePower": -0.3, "weightDecay": 0.13}),
]
TORCH = [
    ("sgd", "sgd", SGD),
    ("sgd, default rate", "sgd", {}),
    ("sgd, coupled decay", "sgd", {**SGD, "weightDecay": 0.13}),
    ("sgd, coupled decay and clipValue", "sgd", {**SGD, "weightDecay": 0.13, "clipValue": 0.31}),
    ("momentum", "sgd", MOMENTUM),
    *family("momentum, dampening", "sgd", {**MOMENTUM, "dampening": 0.21}),
    *family("nesterov", "sgd", NESTEROV),
    *family("adam", "adam", ADAM),
    ("adam, defaults", "adam", {}),
    ("adam, small epsilon", "adam", {**ADAM, "epsilon": 3e-6}),
    *family("amsgrad", "adam", AMSGRAD),
    ("adamw", "adamw", {**ADAM, "weightDecay": 0.23}),
    ("adamw, defaults", "adamw", {}),
    ("adamw, amsgrad and clipNorm", "adamw", {**AMSGRAD, "weightDecay": 0.23, "clipNorm": 0.9}),
    *family("adamax", "adamax", ADAM),
    ("adamax, defaults", "adamax", {}),
    *family("nadam", "nadam", {**ADAM, "momentumDecay": 0.13}),
    ("nadam, defaults", "nadam", {}),
    *family("rmsprop", "rmsprop", RMSPROP),
    ("rmsprop, defaults", "rmsprop", {}),
    ("rmsprop, centered", "rmsprop", {**RMSPROP, "centered": True}),
    ("rmsprop, momentum", "rmsprop", {**RMSPROP, "momentum": 0.73}),
    *family("rmsprop, centered, momentum", "rmsprop", {**RMSPROP, "centered": True, "momentum": 0.73}),
    *family("adagrad", "adagrad", {**ADAGRAD, "lrDecay": 0.19}),
    ("adagrad, defaults", "adagrad", {}),
    *family("adadelta", "adadelta", ADADELTA),
    ("adadelta, defaults", "adadelta", {}),
    *family("rprop", "rprop", RPROP, rated=False),
    ("rprop, defaults", "rprop", {}),
    ("sgd, groups", "sgd", {**SGD, "weightDecay": 0.13, "groups": [{"match": "v1", "learningRate": 0.09, "weightDecay": 0.02}]}),
    ("momentum, groups", "sgd", {**MOMENTUM, "dampening": 0.21, "groups": [
        {"match": ["v1"], "momentum": 0.61, "dampening": 0.43, "weightDecay": 0.07}]}),
    ("momentum in one group", "sgd", {**SGD, "groups": [{"match": "v0", "momentum": 0.61, "dampening": 0.43}]}),
    ("no momentum in one group", "sgd", {**MOMENTUM, "dampening": 0.21, "groups": [{"match": "v0", "momentum": 0}]}),
    ("adam, groups", "adam", {**ADAM, "groups": [
        {"match": {"regExp": "[1-9]$"}, "learningRate": 0.051, "beta1": 0.71, "beta2": 0.88, "epsilon": 3e-2, "weightDecay": 0.17},
        {"match": "v0", "weightDecay": 0.03}]}),
    ("adagrad, groups", "adagrad", {**ADAGRAD, "lrDecay": 0.19, "groups": [{"match": "v1", "lrDecay": 0.3, "epsilon": 3e-2}]}),
    ("rprop, groups with their own rates", "rprop", {**RPROP, "groups": [{"match": ["v0", "v2"], "learningRate": 0.06, "etas": [0.5, 1.1]}]}),
]
BOOK = [
    *family("sgd", "sgd", SGD),
    ("momentum", "sgd", MOMENTUM),
    ("nesterov", "sgd", NESTEROV),
    *family("adagrad", "adagrad", ADAGRAD),
    ("adagrad, defaults", "adagrad", {}),
    *family("rmsprop", "rmsprop", RMSPROP),
    ("rmsprop, defaults", "rmsprop", {}),
    ("rmsprop, momentum", "rmsprop", {**RMSPROP, "momentum": 0.73}),
    ("rmsprop, nesterov", "rmsprop", {**RMSPROP, "epsilon": 0, "momentum": 0.73, "nesterov": True}),
    ("rmsprop, nesterov, default epsilon", "rmsprop", {"learningRate": 0.023, "rho": 0.87, "momentum": 0.73, "nesterov": True}),
    *family("adam", "adam", ADAM),
    ("adam, defaults", "adam", {}),
    ("adam, amsgrad", "adam", AMSGRAD),
    ("adadelta", "adadelta", ADADELTA),
    ("adadelta, defaults", "adadelta", {}),
    ("adamax", "adamax", ADAM),
    ("adamax, defaults", "adamax", {}),
    ("nadam", "nadam", ADAM),
    ("nadam, defaults", "nadam", {}),
    *family("delta-bar-delta", "deltaBarDelta", DELTA_BAR_DELTA, rated=False),
    ("delta-bar-delta, defaults", "deltaBarDelta", {}),
]

KERAS_CLASSES = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "adamax": "Adamax", "nadam": "Nadam", "rmsprop": "RMSprop",
                 "adagrad": "Adagrad", "adadelta": "Adadelta", "ftrl": "Ftrl", "lion": "Lion", "lamb": "Lamb"}
TORCH_CLASSES = {**KERAS_CLASSES, "nadam": "NAdam", "rprop": "Rprop"}
ARGUMENTS = {"clipNorm", "clipValue", "globalClipNorm", "useEma", "emaMomentum", "emaOverwriteFrequency", "gradientAccumulationSteps"}


def run_keras(optimizer, options, rates):
    keras.config.set_floatx("float64")
    variables = [keras.Variable(value, dtype="float64") for value in START]
    rule = getattr(keras.optimizers, KERAS_CLASSES[optimizer])(**keras_arguments(options))
    for step, gradients in enumerate(GRADIENTS):
        if rates:
            rule.learning_rate = rates[step]
        rule.apply(list(map(torch.tensor, gradients)), variables)
        yield [variable.numpy().copy() for variable in variables]


def is_in(name, match):
    return re.search(match["regExp"], name) if isinstance(match, dict) else name in np.atleast_1d(match)


def torch_optimizer(name, options, parameters):
    """A PyTorch optimizer from our argument names, each variable a group of its own; what surrounds the rule is the caller's."""
    kind = getattr(torch.optim, TORCH_CLASSES[name])
    defaults = kind(parameters).defaults
    groups = []
    for i, parameter in enumerate(parameters):
        own = next(({**group} for group in options.get("groups", []) if is_in(f"v{i}", group["match"])), {})
        own.pop("match", None)
        groups.append({"params": [parameter], **torch_arguments(name, {**options, **own}, defaults)})
    return kind(groups, foreach=False, **torch_arguments(name, options, defaults))


def torch_arguments(name, options, defaults):
    options = {key: value for key, value in options.items() if key not in ARGUMENTS | {"groups"}}
    if "betas" in defaults:
        first, second = defaults["betas"]
        options["betas"] = (options.pop("beta1", first), options.pop("beta2", second))
    arguments = {"learningRate": "lr", "epsilon": "eps", "rho": "alpha" if name == "rmsprop" else "rho"}
    return {arguments.get(key, snake(key)): value for key, value in options.items()}


class Torch:
    def __init__(self, name, options, values):
        # PyTorch's Rprop has no decay; it is what the others do with theirs.
        options = dict(options)
        self.decay = options.pop("weightDecay", 0) if name == "rprop" else 0
        self.variables = [torch.tensor(value, requires_grad=True) for value in values]
        self.rule = torch_optimizer(name, options, self.variables)

    @property
    def values(self):
        return [variable.detach().numpy() for variable in self.variables]

    def step(self, gradients, rate):
        if rate is not None:
            for group in self.rule.param_groups:
                group["lr"] = rate
        for variable, gradient in zip(self.variables, gradients):
            variable.grad = torch.tensor(gradient + self.decay * variable.detach().numpy())
        self.rule.step()


def run(make):
    """What surrounds a rule that has nothing of it: accumulation, clipping, the average."""

    def steps(optimizer, options, rates):
        rule, accumulated, averages, updates = make(optimizer, options, START), [], None, 0
        for step, gradients in enumerate(GRADIENTS):
            accumulated.append(gradients)
            count = options.get("gradientAccumulationSteps", 1)
            if len(accumulated) == count:
                gradients = clipped([sum(of) / count for of in zip(*accumulated)], options)
                accumulated, updates = [], updates + 1
                rule.step(gradients, rates and rates[step])
                if options.get("useEma"):
                    keep = options["emaMomentum"] if updates > 1 else 0
                    averages = [keep * e + (1 - keep) * p for e, p in zip(averages or rule.values, rule.values)]
                    if updates % options["emaOverwriteFrequency"] == 0:
                        for value, average in zip(rule.values, averages):
                            value[...] = average
            yield [value.copy() for value in rule.values]

    return steps


def clipped(gradients, options):
    norms = [np.sqrt((g**2).sum()) for g in gradients]
    if limit := options.get("clipNorm"):
        gradients = [g * limit / max(norm, limit) for g, norm in zip(gradients, norms)]
    if limit := options.get("globalClipNorm"):
        gradients = [g * limit / max(np.sqrt(sum(norm**2 for norm in norms)), limit) for g in gradients]
    if limit := options.get("clipValue"):
        gradients = [np.clip(g, -limit, limit) for g in gradients]
    return gradients


def cases(rows, run, preset):
    for name, optimizer, options, *rates in rows:
        rates = rates[0] if rates else None
        states = list(run(optimizer, options, rates))
        row = {"name": name, "optimizer": optimizer, "options": {**options, "preset": preset}}
        if rates:
            row["rates"] = rates
        keep = [3, 9, 10] if any(key in options for key in ARGUMENTS) else [1, 2, 3, 5, 10]
        yield {**row, "after": {str(step): [numbers(value) for value in states[step - 1]] for step in keep}}


DATA = {"start": [numbers(value) for value in START], "gradients": [[numbers(g) for g in step] for step in GRADIENTS]}

if __name__ == "__main__":
    write("update-rules-keras", __file__, {**DATA, "cases": list(cases(KERAS, run_keras, "keras"))})
    write("update-rules-torch", __file__, {**DATA, "cases": list(cases(TORCH, run(Torch), "torch"))})
    write("update-rules-book", __file__, {**DATA, "cases": list(cases(BOOK, run(Book), "book"))})
