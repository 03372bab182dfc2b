"""Networks, optimizers and losses that the compiled engine takes, and how its training is held against the other's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.activations import get_activation
from chainrule.layers.elementwise import Elementwise
from chainrule.ops.fused import KERNELS
from chainrule.training import run as run_module
from chainrule.training.compiled import Compiled, compiled_engine

COMPILED = pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use")

ROWS, INPUTS, CLASSES = 210, 7, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, INPUTS))
LABELS = RNG.integers(0, CLASSES, ROWS)
NUMBERS = RNG.normal(size=(ROWS, CLASSES))
WEIGHTS = RNG.random(ROWS)
HIDDEN = ["elu", "gelu", "gelu_tanh", "hard_sigmoid", "identity", "leaky_relu", "mish", "relu", "selu", "sigmoid"]
HIDDEN += ["silu", "softplus", "tanh"]


class LogSoftmax(Elementwise, op="log_softmax"):
    """The last layer of those who train with the negative log-likelihood."""


NETS: dict[str, Callable[[], list[cr.Layer]]] = {
    "no hidden layer": lambda: [cr.Linear(INPUTS, CLASSES)],
    "wide": lambda: [cr.Linear(INPUTS, 130, "relu"), cr.Linear(130, 70, "relu"), cr.Linear(70, CLASSES)],
    "no bias": lambda: [cr.Linear(INPUTS, 16, "tanh", bias=False), cr.Linear(16, CLASSES, bias=False)],
    "parameters of activations": lambda: [
        cr.Linear(INPUTS, 9, cr.LeakyReLU(0.3)),
        cr.Linear(9, 9, cr.ELU(0.5)),
        cr.Linear(9, CLASSES),
    ],
    "penalties": lambda: [cr.Linear(INPUTS, 33, "relu", l1=1e-3, l2=1e-2), cr.Linear(33, CLASSES, l2=0.1)],
    "wide with penalties": lambda: [
        cr.Linear(INPUTS, 130, "relu", l1=1e-3),
        cr.Linear(130, 70, "relu", l1=1e-3, l2=1e-2),
        cr.Linear(70, CLASSES, l2=0.1),
    ],
    "dropout": lambda: [
        cr.Dropout(0.1),
        cr.Linear(INPUTS, 33, "relu"),
        cr.Dropout(0.5),
        cr.Linear(33, CLASSES),
        cr.Dropout(0.0),
    ],
    "parametric activations": lambda: [
        cr.ParametricActivation(INPUTS, "tanh"),
        cr.Linear(INPUTS, 33),
        cr.ParametricActivation(33, "selu"),
        cr.Linear(33, 20),
        cr.ParametricActivation(20, "mish"),
        cr.ParametricActivation(20, cr.LeakyReLU(0.3)),
        cr.Linear(20, CLASSES),
    ],
    "scales": lambda: [
        cr.Scale(INPUTS),
        cr.Linear(INPUTS, 33, "relu"),
        cr.Scale(33),
        cr.ReLU(),
        cr.Linear(33, CLASSES),
        cr.Scale(CLASSES),
    ],
    "layer normalisation": lambda: [
        cr.LayerNorm(INPUTS),
        cr.Linear(INPUTS, 33, "relu"),
        cr.LayerNorm(33),
        cr.Linear(33, CLASSES),
    ],
    "batch normalisation": lambda: [
        cr.BatchNorm(INPUTS),
        cr.Linear(INPUTS, 33, bias=False),
        cr.BatchNorm(33, momentum=0.3),
        cr.ReLU(),
        cr.Linear(33, CLASSES),
    ],
    "PReLU": lambda: [
        cr.PReLU(INPUTS, 0.5),
        cr.Linear(INPUTS, 33),
        cr.PReLU(33, -2.0),
        cr.PReLU(33, 1.5),
        cr.Linear(33, CLASSES),
        cr.PReLU(CLASSES),
    ],
    "softmax between layers": lambda: [
        cr.Softmax(),
        cr.Linear(INPUTS, 9, "softmax"),
        cr.Linear(9, 45, bias=False),
        cr.Softmax(),
        cr.Linear(45, CLASSES),
        LogSoftmax(),
    ],
    "noise": lambda: [
        cr.GaussianNoise(0.3),
        cr.Linear(INPUTS, 33, "relu"),
        cr.Dropout(0.5),
        cr.Residual([cr.GaussianNoise(2.0)]),
        cr.GaussianNoise(0.1),
        cr.Linear(33, CLASSES),
        cr.GaussianNoise(0.1),
    ],
    "residuals": lambda: [
        cr.Residual([cr.LayerNorm(INPUTS), cr.Linear(INPUTS, 33, "gelu"), cr.Dropout(0.2), cr.Linear(33, INPUTS)]),
        cr.Linear(INPUTS, 20),
        cr.Residual([cr.ReLU(), cr.Linear(20, 20, l2=1e-3), cr.Residual([cr.Residual([cr.PReLU(20)]), cr.Tanh()])]),
        cr.Residual([cr.BatchNorm(20)]),
        cr.ReLU(),
        cr.Linear(20, CLASSES),
        cr.Residual([cr.Softmax()]),
    ],
    "residuals without parameters": lambda: [
        cr.Residual([cr.Residual([cr.Tanh()])]),
        cr.Residual([cr.Dropout(0.1), cr.Residual([cr.Dropout(0.2)])]),
        cr.Linear(INPUTS, CLASSES),
        cr.Residual([cr.Flatten()]),
    ],
    **{
        f"{name} inside and after": lambda name=name: [  # type: ignore[misc]
            cr.Linear(INPUTS, 12, name),
            cr.Linear(12, 12),
            get_activation("a test", name),
            cr.Linear(12, CLASSES),
        ]
        for name in HIDDEN
    },
}
OPTIMIZERS: dict[str, Callable[[], cr.Optimizer]] = {
    "SGD": lambda: cr.SGD(0.1),
    "momentum": lambda: cr.SGD(0.1, momentum=0.9, dampening=0.5),
    "Nesterov": lambda: cr.SGD(0.1, momentum=0.9, nesterov=True),
    "RMSprop": lambda: cr.RMSprop(1e-2),
    "RMSprop with momentum": lambda: cr.RMSprop(1e-2, momentum=0.5),
    "Adagrad": lambda: cr.Adagrad(1e-2),
    "Adam": lambda: cr.Adam(1e-2),
    "AdamW": lambda: cr.AdamW(1e-2, weight_decay=0.1),
    "NAdam": lambda: cr.NAdam(1e-2),
    "Lion": lambda: cr.Lion(1e-3),
    "clipped norm": lambda: cr.Adam(1e-2, clip_norm=0.1),
    "clipped values": lambda: cr.SGD(0.1, clip_value=0.01),
    "both": lambda: cr.SGD(0.1, clip_norm=0.05, clip_value=0.02),
    "groups": lambda: cr.AdamW(1e-2, groups={"*.b": {"weight_decay_factor": 0.0, "learning_rate_factor": 2.0}}),
    "schedule": lambda: cr.AdamW(cr.schedules.OneCycle(1e-2), weight_decay=cr.schedules.WarmupCosine(0.1)),
}
LOSSES: dict[str, tuple[cr.Loss, np.ndarray, np.ndarray | None]] = {
    "labels": (cr.CrossEntropy(label_smoothing=0.1), LABELS, None),
    "labels with weights": (cr.CrossEntropy(class_weight=[1.0, 2.0, 0.5, 0.0, 3.0]), LABELS, WEIGHTS),
    "soft labels": (cr.CrossEntropy(), np.full((ROWS, CLASSES), 1 / CLASSES), WEIGHTS),
    "binary": (cr.BinaryCrossEntropy(), (NUMBERS > 0).astype(float), None),
    "squared": (cr.SquaredError(), NUMBERS, WEIGHTS),
    "half squared": (cr.HalfSquaredError(), NUMBERS, None),
    "absolute": (cr.AbsoluteError(), NUMBERS, None),
    "Huber": (cr.Huber(0.5), NUMBERS, WEIGHTS),
    "log-cosh": (cr.LogCosh(), NUMBERS, None),
    "Poisson": (cr.PoissonNLL(), np.abs(NUMBERS), None),
    "quantile": (cr.Quantile((0.1, 0.3, 0.5, 0.7, 0.9)), NUMBERS[:, :1], None),
}


#: Changes to batches, with a loss and its targets.
MIXTURES: dict[str, tuple[cr.data.MixUp, Any, np.ndarray]] = {
    "labels": (cr.data.MixUp(0.4, classes=CLASSES), cr.CrossEntropy(label_smoothing=0.1), LABELS),
    "soft labels": (cr.data.MixUp(0.4), "cross_entropy", np.eye(CLASSES)[LABELS]),
    "numbers": (cr.data.MixUp(3.0), "squared_error", NUMBERS),
    "one target for all outputs": (cr.data.MixUp(), cr.Quantile((0.1, 0.3, 0.5, 0.7, 0.9)), NUMBERS[:, :1]),
}


def small_net() -> list[cr.Layer]:
    return [cr.Linear(INPUTS, 20, "relu"), cr.Linear(20, CLASSES)]


def trained(
    layers: list[cr.Layer],
    optimizer: cr.Optimizer,
    loss: Any = "cross_entropy",
    y: np.ndarray = LABELS,
    weight: np.ndarray | None = None,
    fit: dict[str, Any] | None = None,
    dtype: str = "float64",
    **settings: Any,
) -> tuple[cr.Sequential, cr.callbacks.History, cr.Trainer]:
    model = cr.Sequential(layers, rng=1, dtype=dtype)
    trainer = cr.Trainer(model, loss, optimizer, **settings)
    return model, trainer.fit(X, y, weight, verbose=0, **({"epochs": 3} | (fit or {}))), trainer


def assert_same_training(monkeypatch: pytest.MonkeyPatch, train: Callable[[], Any], tolerance: float = 1e-11) -> None:
    """With a plan, which must be there, and without."""
    plans: list[Compiled | None] = []

    def remember(*parts: Any) -> Compiled | None:
        plans.append(compiled_engine(*parts))
        return plans[-1]

    monkeypatch.setattr(run_module, "compiled_engine", remember)
    model, history, trainer = train()
    assert isinstance(plans[0], Compiled)
    monkeypatch.setattr(run_module, "compiled_engine", lambda *parts: None)
    plain_model, plain_history, plain_trainer = train()
    np.testing.assert_allclose(model.parameters.vector, plain_model.parameters.vector, rtol=0, atol=tolerance)
    for name, buffer in model.buffers.items():
        np.testing.assert_allclose(buffer, plain_model.buffers[name], rtol=0, atol=tolerance, err_msg=name)
    assert history.columns == plain_history.columns
    for column in set(history.columns) - {"seconds"}:
        np.testing.assert_allclose(history[column], plain_history[column], rtol=1e-9, atol=tolerance, err_msg=column)
    assert trainer.optimizer.state["step"] == plain_trainer.optimizer.state["step"]
    assert trainer.rng.integers(2**62) == plain_trainer.rng.integers(2**62)  # the same draws were taken
