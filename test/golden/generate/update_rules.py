"""Each update rule alone: two variables, "v0" and "v1", given gradients, the values after several updates. Float64 oracles."""

import inspect
import re

from common import keras, keras_arguments, np, numbers, draws, torch, write

STEPS = 10
KEEP = [1, 2, 3, 5, 10]  # updates after which the values are written down
SHAPES = [(3, 4), (4,)]
START = [draws(1, 3, 4), draws(2, 4)]
# Large, small, repeated and zero gradients; the second variable's are small, so per-variable and global clipping differ.
GRADIENTS = [[draws(10 + step, 3, 4, scale=1.5), draws(40 + step, 4, scale=0.2)] for step in range(STEPS)]
GRADIENTS[3] = [np.zeros((3, 4)), np.zeros(4)]
GRADIENTS[6] = GRADIENTS[5]

# name, optimizer, options; "rates": the learning rate is set anew before each update.
RATES = [0.05, 0.05, 0.02, 0.02, 0.08, 0.08, 0.01, 0.03, 0.03, 0.07]
SGD = {"learningRate": 0.037}
MOMENTUM = {**SGD, "momentum": 0.83}
NESTEROV = {**MOMENTUM, "nesterov": True}
ADAM = {"learningRate": 0.023, "beta1": 0.83, "beta2": 0.97, "epsilon": 1e-2}
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
    ("nesterov", "sgd", NESTEROV),
    ("nesterov, changing rate", "sgd", {"momentum": 0.83, "nesterov": True, "learningRate": RATES[0]}, RATES),
    ("nesterov, decay and globalClipNorm", "sgd", {**NESTEROV, "weightDecay": 0.13, "globalClipNorm": 1.7}),
    ("adam", "adam", ADAM),
    ("adam, defaults", "adam", {}),
    ("adam, small epsilon", "adam", {**ADAM, "epsilon": 3e-6}),
    ("adam, changing rate", "adam", {**ADAM, "learningRate": RATES[0]}, RATES),
    ("adam, decoupled decay", "adam", {**ADAM, "weightDecay": 0.13}),
    ("adam, decay and clipValue", "adam", {**ADAM, "weightDecay": 0.13, "clipValue": 0.31}),
    ("adam, globalClipNorm", "adam", {**ADAM, "globalClipNorm": 1.7}),
    ("lamb", "lamb", ADAM),
    ("lamb, defaults", "lamb", {}),
    ("lamb, changing rate", "lamb", {**ADAM, "learningRate": RATES[0]}, RATES),
    ("lamb, decay and clipNorm", "lamb", {**ADAM, "weightDecay": 0.13, "clipNorm": 0.9}),
    ("adam, lossScaleFactor and clipNorm", "adam", {**ADAM, "lossScaleFactor": 7, "clipNorm": 0.9}),
]
TORCH = [
    ("sgd", "sgd", SGD),
    ("sgd, default rate", "sgd", {}),
    ("sgd, coupled decay", "sgd", {**SGD, "weightDecay": 0.13}),
    ("sgd, coupled decay and clipValue", "sgd", {**SGD, "weightDecay": 0.13, "clipValue": 0.31}),
    ("momentum", "sgd", MOMENTUM),
    ("momentum, changing rate", "sgd", {"momentum": 0.83, "learningRate": RATES[0]}, RATES),
    ("momentum, dampening", "sgd", {**MOMENTUM, "dampening": 0.21}),
    ("momentum, dampening and coupled decay", "sgd", {**MOMENTUM, "dampening": 0.21, "weightDecay": 0.13}),
    ("nesterov", "sgd", NESTEROV),
    ("nesterov, coupled decay", "sgd", {**NESTEROV, "weightDecay": 0.13}),
    ("nesterov, changing rate", "sgd", {"momentum": 0.83, "nesterov": True, "learningRate": RATES[0]}, RATES),
    ("adam", "adam", ADAM),
    ("adam, defaults", "adam", {}),
    ("adam, small epsilon", "adam", {**ADAM, "epsilon": 3e-6}),
    ("adam, changing rate", "adam", {**ADAM, "learningRate": RATES[0]}, RATES),
    ("adam, coupled decay", "adam", {**ADAM, "weightDecay": 0.13}),
    ("adam, coupled decay and clipValue", "adam", {**ADAM, "weightDecay": 0.13, "clipValue": 0.31}),
    ("sgd, groups", "sgd", {**SGD, "weightDecay": 0.13, "groups": [{"match": "v1", "learningRate": 0.09, "weightDecay": 0.02}]}),
    ("momentum, groups", "sgd", {**MOMENTUM, "dampening": 0.21, "groups": [
        {"match": ["v1"], "momentum": 0.61, "dampening": 0.43, "weightDecay": 0.07}]}),
    ("momentum in one group", "sgd", {**SGD, "groups": [{"match": "v0", "momentum": 0.61, "dampening": 0.43}]}),
    ("no momentum in one group", "sgd", {**MOMENTUM, "dampening": 0.21, "groups": [{"match": "v0", "momentum": 0}]}),
    ("adam, groups", "adam", {**ADAM, "groups": [
        {"match": {"regExp": "[1-9]$"}, "learningRate": 0.051, "beta1": 0.71, "beta2": 0.88, "epsilon": 3e-2, "weightDecay": 0.17},
        {"match": "v0", "weightDecay": 0.03}]}),
]


def run_keras(optimizer, options, rates):
    keras.config.set_floatx("float64")
    variables = [keras.Variable(value, dtype="float64") for value in START]
    rule = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam, "lamb": keras.optimizers.Lamb}[optimizer](**keras_arguments(options))
    for step, gradients in enumerate(GRADIENTS):
        if rates:
            rule.learning_rate = rates[step]
        rule.apply(list(map(torch.tensor, gradients)), variables)
        yield [variable.numpy().copy() for variable in variables]


def torch_arguments(name, options):
    """PyTorch's arguments from ours."""
    arguments = {"learningRate": "lr", "weightDecay": "weight_decay", "epsilon": "eps"}
    options = {arguments.get(key, key): value for key, value in options.items() if key not in ("clipValue", "groups")}
    if name == "adam":
        first, second = inspect.signature(torch.optim.Adam).parameters["betas"].default
        options["betas"] = (options.pop("beta1", first), options.pop("beta2", second))
    return options


def is_in(name, match):
    return re.search(match["regExp"], name) if isinstance(match, dict) else name in np.atleast_1d(match)


def torch_optimizer(name, options, parameters):
    """A PyTorch optimizer from our argument names; clipValue is applied by the caller. Each variable is a group of its own."""
    groups = []
    for i, parameter in enumerate(parameters):
        own = next(({**g} for g in options.get("groups", []) if is_in(f"v{i}", g["match"])), {})
        own.pop("match", None)
        groups.append({"params": [parameter], **torch_arguments(name, {**options, **own})})
    return {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[name](groups, foreach=False, **torch_arguments(name, options))


def run_torch(optimizer, options, rates):
    variables = [torch.tensor(value, requires_grad=True) for value in START]
    rule = torch_optimizer(optimizer, options, variables)
    for step, gradients in enumerate(GRADIENTS):
        if rates:
            for group in rule.param_groups:
                group["lr"] = rates[step]
        for variable, gradient in zip(variables, gradients):
            variable.grad = torch.tensor(gradient)
        if "clipValue" in options:
            torch.nn.utils.clip_grad_value_(variables, options["clipValue"])
        rule.step()
        yield [variable.detach().numpy().copy() for variable in variables]


def cases(rows, run, preset):
    for name, optimizer, options, *rates in rows:
        rates = rates[0] if rates else None
        states = list(run(optimizer, options, rates))
        row = {"name": name, "optimizer": optimizer, "options": {**options, "preset": preset}}
        if rates:
            row["rates"] = rates
        yield {**row, "after": {str(step): [numbers(value) for value in states[step - 1]] for step in KEEP}}


COMMON = {"start": [numbers(value) for value in START], "gradients": [[numbers(g) for g in step] for step in GRADIENTS]}

if __name__ == "__main__":
    write("update-rules-keras", __file__, {**COMMON, "cases": list(cases(KERAS, run_keras, "keras"))})
    write("update-rules-torch", __file__, {**COMMON, "cases": list(cases(TORCH, run_torch, "torch"))})
