"""Schedules: the rates of many updates, from Keras's LearningRateSchedule classes and PyTorch's schedulers, in float64."""

import warnings

from common import keras, torch, write

STEPS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 19, 20, 21, 29, 30, 31, 40, 59, 60, 61, 70, 99, 100, 101, 150]

# factory, options, Keras's class, its arguments
KERAS = [
    ("linear", {"initial": 0.3, "final": 0.02, "steps": 30},
     "PolynomialDecay", {"initial_learning_rate": 0.3, "decay_steps": 30, "end_learning_rate": 0.02, "power": 1.0}),
    ("inverseTime", {"initial": 0.3, "decay": 0.07},
     "InverseTimeDecay", {"initial_learning_rate": 0.3, "decay_steps": 1, "decay_rate": 0.07}),
    ("inverseTime", {"initial": 0.3, "decay": 0.7, "steps": 7, "staircase": True},
     "InverseTimeDecay", {"initial_learning_rate": 0.3, "decay_steps": 7, "decay_rate": 0.7, "staircase": True}),
    ("exponential", {"initial": 0.3, "rate": 0.83, "steps": 7},
     "ExponentialDecay", {"initial_learning_rate": 0.3, "decay_steps": 7, "decay_rate": 0.83}),
    ("exponential", {"initial": 0.3, "rate": 0.83, "steps": 7, "staircase": True},
     "ExponentialDecay", {"initial_learning_rate": 0.3, "decay_steps": 7, "decay_rate": 0.83, "staircase": True}),
    ("cosine", {"initial": 0.3, "steps": 60},
     "CosineDecay", {"initial_learning_rate": 0.3, "decay_steps": 60}),
    ("cosine", {"initial": 0.03, "steps": 60, "alpha": 0.13, "warmupTarget": 0.4, "warmupSteps": 11},
     "CosineDecay", {"initial_learning_rate": 0.03, "decay_steps": 60, "alpha": 0.13, "warmup_target": 0.4, "warmup_steps": 11}),
    ("cosineRestarts", {"initial": 0.3, "steps": 10},
     "CosineDecayRestarts", {"initial_learning_rate": 0.3, "first_decay_steps": 10}),
    ("cosineRestarts", {"initial": 0.3, "steps": 10, "tMul": 1, "mMul": 0.7, "alpha": 0.13},
     "CosineDecayRestarts", {"initial_learning_rate": 0.3, "first_decay_steps": 10, "t_mul": 1.0, "m_mul": 0.7, "alpha": 0.13}),
    ("cosineRestarts", {"initial": 0.3, "steps": 7, "tMul": 1.5, "mMul": 0.7, "alpha": 0.13},
     "CosineDecayRestarts", {"initial_learning_rate": 0.3, "first_decay_steps": 7, "t_mul": 1.5, "m_mul": 0.7, "alpha": 0.13}),
    ("polynomial", {"initial": 0.3, "steps": 30},
     "PolynomialDecay", {"initial_learning_rate": 0.3, "decay_steps": 30}),
    ("polynomial", {"initial": 0.3, "final": 0.02, "steps": 30, "power": 2.5, "cycle": True},
     "PolynomialDecay", {"initial_learning_rate": 0.3, "decay_steps": 30, "end_learning_rate": 0.02, "power": 2.5, "cycle": True}),
    ("piecewise", {"boundaries": [4, 20, 60], "values": [0.3, 0.1, 0.2, 0.05]},
     "PiecewiseConstantDecay", {"boundaries": [4, 20, 60], "values": [0.3, 0.1, 0.2, 0.05]}),
]

ONE_CYCLE = {"max": 0.7, "steps": 60}
SHAPED = {"pctStart": 0.42, "divFactor": 7, "finalDivFactor": 130}
# factory, options, what makes PyTorch's scheduler, the optimizer's rate
TORCH = [
    ("oneCycle", ONE_CYCLE, lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.7, total_steps=60, cycle_momentum=False), 0.1),
    ("oneCycle", {**ONE_CYCLE, **SHAPED},
     lambda o: torch.optim.lr_scheduler.OneCycleLR(
         o, 0.7, total_steps=60, pct_start=0.42, div_factor=7, final_div_factor=130, cycle_momentum=False), 0.1),
    ("oneCycle", {**ONE_CYCLE, **SHAPED, "annealStrategy": "linear"},
     lambda o: torch.optim.lr_scheduler.OneCycleLR(
         o, 0.7, total_steps=60, pct_start=0.42, div_factor=7, final_div_factor=130, anneal_strategy="linear",
         cycle_momentum=False), 0.1),
    ("oneCycle", {**ONE_CYCLE, **SHAPED, "threePhase": True},
     lambda o: torch.optim.lr_scheduler.OneCycleLR(
         o, 0.7, total_steps=60, pct_start=0.42, div_factor=7, final_div_factor=130, three_phase=True,
         cycle_momentum=False), 0.1),
    # alpha is a fraction, eta_min a rate.
    ("cosineRestarts", {"initial": 0.3, "steps": 10, "tMul": 2, "alpha": 0.1},
     lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=10, T_mult=2, eta_min=0.03), 0.3),
    ("exponential", {"initial": 0.3, "rate": 0.9, "steps": 1}, lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9), 0.3),
    ("linear", {"initial": 0.1, "final": 0.3, "steps": 20},
     lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=1 / 3, end_factor=1, total_iters=20), 0.3),
    # PyTorch's boundaries are the first updates of the next value, ours the last ones of theirs.
    ("piecewise", {"boundaries": [9, 29], "values": [0.3, 0.06, 0.012]},
     lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [10, 30], gamma=0.2), 0.3),
]


def run_keras(name, arguments):
    keras.config.set_floatx("float64")
    schedule = getattr(keras.optimizers.schedules, name)(**arguments)
    return [float(schedule(torch.tensor(step))) for step in STEPS]


def run_torch(make, rate, last):
    optimizer = torch.optim.SGD([torch.zeros(1, dtype=torch.float64, requires_grad=True)], lr=rate)
    scheduler = make(optimizer)
    rates = []
    for step in range(last + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < last:
            scheduler.step()
    return rates


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_default_dtype(torch.float64)
    cases = []
    for factory, options, name, arguments in KERAS:
        cases.append({"oracle": f"keras {name}", "schedule": factory, "options": options, "steps": STEPS,
                      "rates": run_keras(name, arguments)})
    for factory, options, make, rate in TORCH:
        steps = [step for step in STEPS if factory != "oneCycle" or step < options["steps"]]
        rates = run_torch(make, rate, steps[-1])
        cases.append({"oracle": f"torch {factory}", "schedule": factory, "options": options, "steps": steps,
                      "rates": [rates[step] for step in steps]})
    write("schedules", __file__, {"cases": cases})
