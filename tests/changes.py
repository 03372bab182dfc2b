"""What callbacks change in the middle of a training: every public setting that a step reads, and whole parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.layers import LAYERS
from chainrule.optimizers import OPTIMIZERS
from custom import Double


class Change(cr.Callback):
    """Changes something after an epoch, or within one."""

    def __init__(self, change: Callable[[Any], None], step: int) -> None:
        self.change, self.step = change, step

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        if trainer.step == self.step:
            self.change(trainer)


# ---- layers

#: Attributes of layers that a step reads, and another value for each.
LAYER_VALUES: dict[str, Any] = {
    "activation": "tanh",
    "alpha": 0.3,
    "approximate": "tanh",
    "epsilon": 0.5,
    "l1": 0.05,
    "l2": 0.05,
    "momentum": 0.9,
    "rate": 0.6,
    "running_mean": np.full(8, 0.5),
    "running_variance": np.full(8, 3.0),
    "sigma": 0.7,
    "slope": 0.8,
    **{name: np.linspace(-0.4, 0.5, 8) for name in ("amount", "b", "bias", "gain")},
    "W": np.linspace(-0.4, 0.5, 64).reshape(8, 8),
    **dict.fromkeys(("E", "w1", "b1", "W2", "b2", "steps", "r", "A", "c"), 0.1),  # in training/test_compiled_columns.py
}
#: Those that no step reads, or that say what the layer is: its shape, its first values, what it is made of.
LAYER_FACTS = {
    "bias_initializer",
    "children",
    "features",
    "in_features",
    "initializer",
    "layers",
    "networks",
    "groups",
    "members",
}
LAYER_FACTS |= {
    "out_features",
    "start",
    "codes",
    "frequencies",
    "outputs",
    "edges",
    "networks",
    "parts",
    "scale",
    "size",
}
GRADIENTS = {
    "dW",
    "damount",
    "db",
    "dgain",
    "dbias",
    "dslope",
    "dE",
    "dw1",
    "db1",
    "dW2",
    "db2",
    "dsteps",
    "dr",
    "dA",
    "dc",
}

#: How to make a layer of each class, eight numbers wide.
MAKE: dict[str, Callable[[], cr.Layer]] = {
    "BatchNorm": lambda: cr.BatchNorm(8),
    "LayerNorm": lambda: cr.LayerNorm(8),
    "Linear": lambda: cr.Linear(8, 8),
    "PReLU": lambda: cr.PReLU(8),
    "ParametricActivation": lambda: cr.ParametricActivation(8, "selu"),
    "Residual": lambda: cr.Residual([cr.Linear(8, 8)]),
    "Scale": lambda: cr.Scale(8),
    "Dropout": lambda: cr.Dropout(0.2),
    "Columns": lambda: cr.Columns([(3, []), (5, [cr.Linear(5, 5)])]),
    "Embedding": lambda: cr.Embedding(3, 8),
    "PBLD": lambda: cr.PBLD(2),
    "TabM": lambda: cr.TabM(8, [cr.Tanh()], 8, 2),
    "Members": lambda: cr.Members([[cr.Linear(8, 8)], [cr.Tanh()]]),
    "PiecewiseLinear": lambda: cr.PiecewiseLinear([[-1, 0, 1]] * 2, 4),
}
FRONTS = ("Embedding", "PBLD", "PiecewiseLinear", "TabM")  # which stand at an end of a network, and keep no width


def layer_of(name: str) -> cr.Layer:
    return MAKE.get(name, LAYERS[name])()


def attributes(thing: Any) -> set[str]:
    """Of an object: what its constructor takes and its public arrays."""
    return {name for name in vars(thing) if not name.startswith("_")}


CASES = [(name, one) for name in LAYERS for one in sorted(attributes(layer_of(name)) & LAYER_VALUES.keys())]
CASES.remove(("TabM", "activation"))  # which no step of training reads
CASES += [
    ("BatchNorm", "gain"),
    ("LayerNorm", "bias"),
    ("Scale", "gain"),
    ("PReLU", "slope"),
    ("ParametricActivation", "amount"),
]


# ---- optimizers

OPTIMIZER_VALUES: dict[str, Any] = {
    "betas": (0.5, 0.7),
    "clip_norm": 1e-3,
    "clip_ratio": 1e-5,
    "clip_value": 1e-4,
    "dampening": 0.7,
    "epsilon": 0.1,
    "groups": {"*.W": {"learning_rate_factor": 0.0}},
    "initial_accumulator": 0.5,
    "iterations": 1,
    "learning_rate": 0.2,
    "momentum": 0.2,
    "momentum_decay": 0.5,
    "rho": 0.5,
    "trust_coefficient": 0.5,
    "weight_decay": 0.5,
}
FIRST_VALUES = {"initial_accumulator"}  # of the state, which is there


def optimizer_of(name: str) -> cr.Optimizer:
    cls = OPTIMIZERS[name]
    return cls(0.02, momentum=0.9) if "momentum" in {field.name for field in fields(cls)} else cls(0.02)


ATTRIBUTES = [(name, field.name) for name in OPTIMIZERS for field in fields(OPTIMIZERS[name]) if field.name != "_"]


# ---- whole parts, and what is in them


def own_loss(z: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> tuple[float, np.ndarray]:
    value, dz = cr.CrossEntropy(label_smoothing=0.2)(z, y, weight)
    return 2 * value, 2 * dz


def jitter(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return x + rng.normal(size=x.shape), y


def zeroed(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array * (name == "step") for name, array in state.items()}


def replace_array(trainer: Any) -> None:
    trainer.optimizer.state["mean"] = np.full_like(trainer.optimizer.state["mean"], 0.1)


CHANGES: dict[str, Callable[[Any], None]] = {
    "another loss": lambda t: setattr(t, "loss", cr.CrossEntropy(label_smoothing=0.5)),
    "a loss without a kernel": lambda t: setattr(t, "loss", own_loss),
    "another optimizer": lambda t: setattr(t, "optimizer", cr.SGD(0.3, momentum=0.9)),
    "one without a kernel": lambda t: setattr(t, "optimizer", cr.Muon(0.01)),
    "a schedule": lambda t: setattr(t.optimizer, "learning_rate", cr.schedules.StepDecay(0.5, every=2)),
    "a state from nothing": lambda t: setattr(t.optimizer, "state", {}),
    "another state": lambda t: setattr(t.optimizer, "state", zeroed(t.optimizer.state)),
    "an array of the state": replace_array,
    "an averaged penalty": lambda t: (setattr(t, "average_penalty", True), setattr(t.model.layers[0], "l2", 1.0)),
    "another layer": lambda t: t.model.layers.__setitem__(2, cr.Tanh()),
    "a layer without a kernel": lambda t: t.model.layers.__setitem__(2, Double()),
    "a layer more": lambda t: t.model.layers.insert(3, cr.Sigmoid()),
    "a dropout more": lambda t: t.model.layers.insert(3, cr.Dropout(0.5)),
    "no dropout": lambda t: t.model.layers.pop(3),
    "a layer that learns": lambda t: t.model.layers.__setitem__(4, cr.Linear(8, 3)),
    "a layer of another width": lambda t: t.model.layers.__setitem__(4, cr.Linear(5, 3)),
    "weights": lambda t: t.model.parameters.vector.__imul__(0.5),
    "a generator of the order": lambda t: setattr(t, "rng", np.random.default_rng(7)),
    "a generator of the model": lambda t: setattr(t.model, "rng", 7),
    "augmentation": lambda t: setattr(t, "augment", [jitter]),
    "the size of batches": lambda t: setattr(t, "batch_size", 40),
    "short batches": lambda t: (setattr(t, "batch_size", 50), setattr(t, "drop_last", True)),
    "an order": lambda t: setattr(t, "sample", np.arange),
    "the end": lambda t: setattr(t, "epochs", 5),
}
