"""The network for tables with all that its recipe has, wholly in the compiled engine, and the same without it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.kernels import dense_layers
from chainrule.layers.program import programs
from chainrule.ops.fused import KERNELS
from chainrule.training import run as run_module
from chainrule.training.compiled import Compiled, compiled_engine

pytestmark = pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use")

ROWS, EPOCHS, WIDTH = 230, 6, 40
RNG = np.random.default_rng(0)
#: Three numbers, a column that is 0 or 1, one of 12 codes.
X = np.hstack([RNG.normal(size=(ROWS, 3)), RNG.integers(0, 2, (ROWS, 1)), RNG.integers(0, 12, (ROWS, 1))])
LABELS, NUMBERS = RNG.integers(0, 3, ROWS), RNG.normal(size=(ROWS, 1))


def network(activation: str, outputs: int, dtype: str) -> cr.Sequential:
    layers: list[cr.Layer] = [cr.Columns([(3, [cr.PBLD(3)]), (1, []), (1, [cr.Embedding(12, 8)])]), cr.Scale(21)]
    width = 21
    for _ in range(3):
        layers += [cr.Linear(width, WIDTH), cr.ParametricActivation(WIDTH, activation), cr.Dropout(0.15)]
        width = WIDTH
    model = cr.Sequential([*layers, cr.Linear(width, outputs)], rng=0, dtype=dtype)
    cr.initialize_from_data(model, X)
    return model


def groups(model: cr.Sequential) -> dict[str, dict[str, float]]:
    """The factors on the learning rate and, for the product of the two, on the decay."""
    found = {
        "*.b": {"learning_rate_factor": 0.1, "weight_decay_factor": 0.0},
        "*.gain": {"learning_rate_factor": 6.0, "weight_decay_factor": 6.0},
        "*.amount": {"learning_rate_factor": 0.1, "weight_decay_factor": 0.1},
        "0.0.*": {"learning_rate_factor": 0.1, "weight_decay_factor": 0.1},
    }
    for name, shape in model.parameters.shapes.items():
        if name.endswith(".W"):
            root = math.sqrt(shape[0])
            found[name] = {"learning_rate_factor": 1 / root, "weight_decay_factor": root}
    return found


def trained(classes: bool, dtype: str = "float64", **fit: Any) -> tuple[cr.Sequential, cr.callbacks.History]:
    model = network("selu" if classes else "mish", 3 if classes else 1, dtype)
    rate, decay = cr.schedules.CosLog4(0.04 if classes else 0.2), cr.schedules.FlatCos(0.02)
    optimizer = cr.AdamW(rate, betas=(0.9, 0.95), weight_decay=decay, groups=groups(model))
    fading = cr.callbacks.LayerScheduler(cr.Dropout, "rate", cr.schedules.FlatCos(0.15))
    loss = cr.CrossEntropy(label_smoothing=0.1) if classes else cr.SquaredError()
    trainer = cr.Trainer(model, loss, optimizer, batch_size=64, drop_last=True, callbacks=[fading])
    y = LABELS if classes else NUMBERS
    return model, trainer.fit(X, y, epochs=EPOCHS, verbose=0, **fit)


@pytest.mark.parametrize("classes", [True, False], ids=["classes", "numbers"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-11), ("float32", 1e-4)])
def test_it_is_trained_wholly_by_kernels(
    classes: bool, dtype: str, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[Any] = []
    monkeypatch.setattr(run_module, "compiled_engine", lambda *all: plans.append(compiled_engine(*all)) or plans[-1])
    model, history = trained(classes, dtype, validation=0.2)
    assert plans
    assert all(isinstance(plan, Compiled) for plan in plans)
    monkeypatch.setattr(run_module, "compiled_engine", lambda *parts: None)
    plain, plain_history = trained(classes, dtype, validation=0.2)
    np.testing.assert_allclose(model.parameters.vector, plain.parameters.vector, rtol=0, atol=tolerance)
    for column in ("loss", "validation_loss", "learning_rate"):
        np.testing.assert_allclose(history[column], plain_history[column], rtol=tolerance, err_msg=column)


def test_every_number_of_threads_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.training.compiled.WORK_A_THREAD", 1)
    vectors = set()
    for threads in (1, 2, 3):
        monkeypatch.setenv("CHAINRULE_NUM_THREADS", str(threads))
        vectors.add(trained(True, "float32")[0].parameters.vector.tobytes())
    assert len(vectors) == 1


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-4)])
def test_it_predicts_by_kernels(dtype: str, tolerance: float) -> None:
    model, _ = trained(True, dtype)
    assert dense_layers(programs(model.layers) or ()) is not None
    for rows in (X[:1], X[:3], X):
        expected = model.forward(rows.astype(dtype))
        np.testing.assert_allclose(model.predict(rows), expected, rtol=tolerance, atol=tolerance)
