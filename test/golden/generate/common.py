"""What the generators share: the oracles' versions, names, rounding, and a JSON writer with stable output."""

import json
import math
import os
import pathlib

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch

torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent


def number(value):
    """The shortest decimal that names the same float32; what JSON lacks becomes a string."""
    value = np.float32(value)
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    value = float(str(value))
    return int(value) if value == int(value) and abs(value) < 1e6 and math.copysign(1, value) * value >= 0 else value


def numbers(values):
    """Nested lists of a NumPy array or a torch tensor."""
    if isinstance(values, torch.Tensor):
        values = values.detach().numpy()
    values = np.asarray(values)
    return [numbers(row) for row in values] if values.ndim else number(values)


def _is_data(value):
    return isinstance(value, list) and all(not isinstance(item, dict) and (not isinstance(item, list) or _is_data(item)) for item in value)


def _dump(value, indent):
    compact = json.dumps(value, separators=(", ", ": "))
    if _is_data(value) or not isinstance(value, (list, dict)) or len(compact) + indent < 110:
        return compact
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        rows = [f"{pad}{json.dumps(key)}: {_dump(item, indent + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(pad + _dump(item, indent + 1) for item in value) + "\n" + " " * indent + "]"


def write(name, generator, body):
    """Writes ../<name>.json, naming what made it."""
    made_by = {
        "generator": f"generate/{pathlib.Path(generator).name}",
        "keras": f"{keras.__version__} (backend torch)",
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    path = HERE.parent / f"{name}.json"
    path.write_text(_dump({"madeBy": made_by, **body}, 0) + "\n")
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} kB")


def snake(name):
    """learningRate -> learning_rate, as Keras spells its arguments."""
    return {"beta1": "beta_1", "beta2": "beta_2", "clipNorm": "clipnorm", "clipValue": "clipvalue",
            "globalClipNorm": "global_clipnorm", "useBias": "use_bias"}.get(
        name, "".join("_" + c.lower() if c.isupper() else c for c in name))


def camel(name):
    """Keras's class as the name of our factory."""
    return {"KLDivergence": "klDivergence", "AUC": "auc"}.get(name, name[0].lower() + name[1:])


def keras_arguments(options):
    return {snake(key): value for key, value in options.items()}


def draws(seed, *shape, scale=1.0, digits=2):
    """Reproducible values with few digits, so that the files stay small and exact in float32's shortest form."""
    return np.round(np.random.RandomState(seed).standard_normal(shape) * scale, digits)
