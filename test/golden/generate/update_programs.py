"""Adafactor and Muon alone: variables of several shapes, given gradients, the values after several updates. Float64 oracles.

Muon: PyTorch iterates in bfloat16, so its cast is switched off, and updates matrices only, so AdamW has the rest as its documentation says.
"""

import re

from common import keras, np, numbers, draws, snake, torch, write

STEPS = 10
KEEP = [1, 2, 5, 10]
NAMES = ["hidden", "tall", "embedding_table", "output", "bias", "cube", "square", "scalar"]
SHAPES = [(3, 5), (6, 2), (4, 3), (5, 3), (5,), (2, 3, 4), (4, 4), ()]
# Some are so small that epsilon2 is their scale.
START = [draws(i, *shape, scale=0.05 if i in (3, 4) else 1) for i, shape in enumerate(SHAPES)]
# Large and small, repeated and zero ones.
GRADIENTS = [[np.round(draws(100 * step + i, *shape, scale=0.2 + 0.4 * (i % 4)), 2) for i, shape in enumerate(SHAPES)] for step in range(STEPS)]
GRADIENTS[3] = [np.zeros(shape) for shape in SHAPES]
GRADIENTS[6] = GRADIENTS[5]
GRADIENTS[0][1] = np.zeros(SHAPES[1])

ADAFACTOR = {"learningRate": 0.23, "beta2Decay": -0.61, "epsilon1": 1e-3, "epsilon2": 0.2, "clipThreshold": 0.7, "relativeStep": False}
MUON = {
    "learningRate": 0.023, "momentum": 0.81, "nsSteps": 4, "muonA": 3.1, "muonB": -4.1, "muonC": 1.7, "adamLrRatio": 0.6, "adamBeta1": 0.83,
    "adamBeta2": 0.97, "adamWeightDecay": 0.11, "weightDecay": 0.13, "epsilon": 1e-2, "excludeLayers": ["^out"], "rmsRate": 0.31,
}
EMA = {"useEma": True, "emaMomentum": 0.7, "emaOverwriteFrequency": 3}
KERAS = [
    ("adafactor", "adafactor", ADAFACTOR),
    ("adafactor, defaults", "adafactor", {}),
    ("adafactor, small rate and decay", "adafactor", {**ADAFACTOR, "learningRate": 0.03, "weightDecay": 0.13, "clipThreshold": 1.3}),
    ("adafactor, clipNorm", "adafactor", {**ADAFACTOR, "clipNorm": 0.9}),
    ("adafactor, average, globalClipNorm", "adafactor", {**ADAFACTOR, **EMA, "globalClipNorm": 1.7, "weightDecay": 0.13}),
    ("adafactor, accumulation", "adafactor", {**ADAFACTOR, "gradientAccumulationSteps": 2, "clipValue": 0.3}),
    ("muon", "muon", MUON),
    ("muon, defaults", "muon", {}),
    ("muon, no nesterov, no rmsRate, embeddings", "muon", {**MUON, "nesterov": False, "rmsRate": None, "excludeEmbeddings": False}),
    ("muon, no decay, clipNorm", "muon", {**MUON, "weightDecay": None, "adamWeightDecay": None, "clipNorm": 0.9}),
    ("muon, average, globalClipNorm", "muon", {**MUON, **EMA, "globalClipNorm": 1.7}),
    ("muon, accumulation", "muon", {**MUON, "gradientAccumulationSteps": 3, "clipValue": 0.3}),
]
TORCH_MUON = {key: value for key, value in MUON.items() if key not in ("rmsRate", "epsilon")}
TORCH = [
    ("adafactor", "adafactor", {**{key: value for key, value in ADAFACTOR.items() if key != "relativeStep"}, "clipThreshold": 1.3, "weightDecay": 0.13}),
    # PyTorch's epsilon1 is the spacing of the type: here float32's.
    ("adafactor, defaults", "adafactor", {}),
    ("adafactor, clipValue", "adafactor", {"learningRate": 0.03, "weightDecay": 0.05, "clipValue": 0.31}),
    ("muon", "muon", {**TORCH_MUON, "epsilon": 0.4}),
    ("muon, defaults", "muon", {}),
    ("muon, no nesterov, scaled as AdamW", "muon", {**TORCH_MUON, "nesterov": False, "adjustLrFn": "matchRmsAdamw", "excludeEmbeddings": False}),
]


def keras_name(name):
    return {"adamBeta1": "adam_beta_1", "adamBeta2": "adam_beta_2", "beta2Decay": "beta_2_decay", "epsilon1": "epsilon_1",
            "epsilon2": "epsilon_2"}.get(name, snake(name))


def run_keras(optimizer, options):
    keras.config.set_floatx("float64")
    keras.config.set_epsilon(1e-7)
    variables = [keras.Variable(value, dtype="float64", name=name) for name, value in zip(NAMES, START)]
    rule = {"adafactor": keras.optimizers.Adafactor, "muon": keras.optimizers.Muon}[optimizer](
        **{keras_name(key): value for key, value in options.items()})
    for gradients in GRADIENTS:
        rule.apply([torch.tensor(gradient) for gradient in gradients], variables)
        yield [variable.numpy().copy() for variable in variables]


def torch_adafactor(options, variables):
    return [torch.optim.Adafactor(
        variables, lr=options.get("learningRate", 0.01), beta2_decay=options.get("beta2Decay", -0.8),
        eps=(options.get("epsilon1", 2.0 ** -23), options.get("epsilon2", 1e-3)), d=options.get("clipThreshold", 1.0),
        weight_decay=options.get("weightDecay", 0), foreach=False)]


def torch_muon(options, variables):
    get = options.get
    excluded = lambda name: (get("excludeEmbeddings", True) and "embedding" in name) or any(
        re.search(pattern, name) for pattern in get("excludeLayers", []))
    hidden = [v for v, name in zip(variables, NAMES) if v.ndim == 2 and not excluded(name)]
    others = [v for v, name in zip(variables, NAMES) if not (v.ndim == 2 and not excluded(name))]
    rate, decay = get("learningRate", 1e-3), get("adamWeightDecay", 0.01)
    ratio = get("adamLrRatio", 1)
    return [
        torch.optim.Muon(hidden, lr=rate, weight_decay=get("weightDecay", 0.1), momentum=get("momentum", 0.95), nesterov=get("nesterov", True),
                         ns_coefficients=(get("muonA", 3.4445), get("muonB", -4.775), get("muonC", 2.0315)), eps=get("epsilon", 1e-7),
                         ns_steps=get("nsSteps", 5), adjust_lr_fn="match_rms_adamw" if get("adjustLrFn") else None),
        # As in Keras, decay keeps to the rate of the matrices.
        torch.optim.AdamW(others, lr=rate * ratio, betas=(get("adamBeta1", 0.9), get("adamBeta2", 0.999)), weight_decay=decay / ratio, foreach=False),
    ]


def run_torch(optimizer, options):
    torch.Tensor.bfloat16 = lambda tensor: tensor.clone()
    variables = [torch.tensor(value, requires_grad=True) for value in START]
    rules = {"adafactor": torch_adafactor, "muon": torch_muon}[optimizer](options, variables)
    for gradients in GRADIENTS:
        for variable, gradient in zip(variables, gradients):
            variable.grad = torch.tensor(gradient)
        if "clipValue" in options:
            torch.nn.utils.clip_grad_value_(variables, options["clipValue"])
        for rule in rules:
            rule.step()
        yield [variable.detach().numpy().copy() for variable in variables]


def cases(rows, run, preset):
    for name, optimizer, options in rows:
        states = list(run(optimizer, options))
        yield {"name": name, "optimizer": optimizer, "options": {**options, "preset": preset},
               "after": {str(step): [numbers(value) for value in states[step - 1]] for step in KEEP}}


if __name__ == "__main__":
    common = {"names": NAMES, "start": [numbers(value) for value in START], "gradients": [[numbers(g) for g in step] for step in GRADIENTS]}
    write("update-programs-keras", __file__, {**common, "cases": list(cases(KERAS, run_keras, "keras"))})
    write("update-programs-torch", __file__, {**common, "cases": list(cases(TORCH, run_torch, "torch"))})
