"""Moving averages and gradient accumulation: values after several steps, and the averages at the end. Float64 Keras.

Keras takes its average, and may overwrite the weights, after batches that only accumulate as well; ours follow updates. The cases that combine
averages with accumulation are therefore Keras without accumulation, given the means of the gradients, and rates by update: a schedule that Keras asks
for the last step of each ("by": "means").
"""

from common import keras, keras_arguments, np, numbers, torch, write
from update_rules import GRADIENTS, START

SGD = {"learningRate": 0.037}
MOMENTUM = {**SGD, "momentum": 0.83, "nesterov": True}
ADAM = {"learningRate": 0.023, "beta1": 0.83, "beta2": 0.97, "epsilon": 1e-2}
EMA = {"useEma": True, "emaMomentum": 0.7}
SCHEDULE = {"schedule": "inverseTime", "options": {"initial": 0.05, "decay": 0.3}}

# name, optimizer, options, schedule of the learning rate
CASES = [
    ("average", "sgd", {**SGD, **EMA}),
    ("average, default momentum", "adam", {**ADAM, "useEma": True}),
    ("average, overwrites", "sgd", {**MOMENTUM, **EMA, "emaOverwriteFrequency": 3}),
    ("average, overwrites each time", "adam", {**ADAM, **EMA, "emaOverwriteFrequency": 1}),
    ("average, clipNorm and decay", "adam", {**ADAM, **EMA, "clipNorm": 0.9, "weightDecay": 0.13, "emaOverwriteFrequency": 4}),
    ("momentum of the average 0", "sgd", {**SGD, "useEma": True, "emaMomentum": 0}),
    ("unused options of the average", "sgd", {**SGD, "emaMomentum": 0.3, "emaOverwriteFrequency": 2}),
    ("schedule", "adam", ADAM, SCHEDULE),
    ("schedule and decay", "sgd", {**MOMENTUM, "weightDecay": 0.13}, SCHEDULE),
    ("accumulation", "sgd", {**SGD, "gradientAccumulationSteps": 2}),
    ("accumulation of three", "adam", {**ADAM, "gradientAccumulationSteps": 3}),
    ("accumulation, momentum and decay", "sgd", {**MOMENTUM, "weightDecay": 0.13, "gradientAccumulationSteps": 2}),
    ("accumulation, clipNorm", "adam", {**ADAM, "clipNorm": 0.5, "gradientAccumulationSteps": 2}),
    ("accumulation, clipValue", "sgd", {**SGD, "clipValue": 0.21, "gradientAccumulationSteps": 2}),
    ("accumulation, globalClipNorm", "sgd", {**SGD, "globalClipNorm": 0.7, "gradientAccumulationSteps": 3}),
    ("accumulation and schedule", "sgd", {**MOMENTUM, "weightDecay": 0.13, "gradientAccumulationSteps": 2}, SCHEDULE),
    ("accumulation of three and schedule", "adam", {**ADAM, "weightDecay": 0.13, "clipNorm": 0.5, "gradientAccumulationSteps": 3}, SCHEDULE),
]
MEANS = [
    ("accumulation and average", "adam", {**ADAM, **EMA, "gradientAccumulationSteps": 2}),
    ("accumulation, average that overwrites", "sgd", {**MOMENTUM, **EMA, "emaOverwriteFrequency": 2, "gradientAccumulationSteps": 3}),
    ("everything", "adam",
     {**ADAM, **EMA, "emaOverwriteFrequency": 2, "weightDecay": 0.13, "globalClipNorm": 0.7, "gradientAccumulationSteps": 2}, SCHEDULE),
]


class LastOf(keras.optimizers.schedules.LearningRateSchedule):
    """For Keras without accumulation: the rate at the last of the steps that make an update."""

    def __init__(self, schedule, steps):
        self.schedule, self.steps = schedule, steps

    def __call__(self, update):
        return self.schedule((update + 1) * self.steps - 1)


def make(optimizer, options, schedule, steps=1):
    keras.config.set_floatx("float64")
    arguments = keras_arguments(options)
    if schedule:
        initial, decay = schedule["options"]["initial"], schedule["options"]["decay"]
        arguments["learning_rate"] = LastOf(keras.optimizers.schedules.InverseTimeDecay(initial, 1, decay), steps)
    return {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[optimizer](**arguments)


def run(rule, gradients):
    variables = [keras.Variable(value, dtype="float64") for value in START]
    after = []
    for step in gradients:
        rule.apply(list(map(torch.tensor, step)), variables)
        after.append([variable.numpy().copy() for variable in variables])
    rule.finalize_variable_values(variables)
    return after, [variable.numpy().copy() for variable in variables]


def case(name, optimizer, options, schedule=None, *, means=False):
    steps = options.get("gradientAccumulationSteps", 1)
    if means:
        given = {key: value for key, value in options.items() if key != "gradientAccumulationSteps"}
        groups = [GRADIENTS[i:i + steps] for i in range(0, len(GRADIENTS) - steps + 1, steps)]
        gradients = [[np.mean(parts, axis=0) for parts in zip(*group)] for group in groups]
        after, final = run(make(optimizer, given, schedule, steps), gradients)
        at = [(i + 1) * steps for i in range(len(after))]
    else:
        after, final = run(make(optimizer, options, schedule), GRADIENTS)
        at = list(range(1, len(after) + 1))
    keep = [i for i in range(len(at)) if at[i] in (1, 2, 3, 4, 6, 9, 10)]
    row = {"name": name, "optimizer": optimizer, "options": {**options, "preset": "keras"}}
    if schedule:
        row["learningRate"] = schedule
    return {**row, "by": "means" if means else "keras",
            "after": {str(at[i]): [numbers(value) for value in after[i]] for i in keep},
            "final": [numbers(value) for value in final]}


if __name__ == "__main__":
    write("averages", __file__, {
        "start": [numbers(value) for value in START],
        "gradients": [[numbers(g) for g in step] for step in GRADIENTS],
        "cases": [case(*row) for row in CASES] + [case(*row, means=True) for row in MEANS],
    })
