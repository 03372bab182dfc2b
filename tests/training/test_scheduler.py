"""A setting of layers that follows a schedule: its value in each epoch, and the engine that takes the steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.callbacks import LayerScheduler
from chainrule.ops.fused import KERNELS
from chainrule.schedules import Constant, FlatCos, ReduceOnPlateau, StepDecay
from chainrule.training import run as run_module
from chainrule.training.compiled import Compiled, compiled_engine

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 5)), RNG.integers(0, 3, 60)


class Values(cr.Callback):
    """What a setting is after each step."""

    def __init__(self, read: Callable[[cr.Sequential], float]) -> None:
        self.read, self.found = read, list[float]()

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        self.found.append(self.read(trainer.model))


def fit(layers: list[cr.Layer], *callbacks: cr.Callback, epochs: int = 4) -> cr.Trainer:
    trainer = cr.Trainer(cr.Sequential(layers, rng=0), "cross_entropy", batch_size=20, callbacks=callbacks)
    trainer.fit(X, Y, epochs=epochs, verbose=0)
    return trainer


def dropouts(model: cr.Sequential) -> float:
    """The rate of all of them."""
    (rate,) = {model.layers[0].rate, model.layers[2].layers[1].rate}
    return rate


def test_the_rate_changes_before_each_epoch_and_in_every_layer() -> None:
    inner = [cr.Linear(8, 8, "relu"), cr.Dropout(0.9)]
    values = Values(dropouts)
    scheduler = LayerScheduler(cr.Dropout, "rate", FlatCos(0.4))
    layers = [cr.Dropout(0.1), cr.Linear(5, 8), cr.Residual(inner), cr.Linear(8, 3)]
    trainer = fit(layers, scheduler, values)
    assert values.found == pytest.approx([0.4] * 9 + [0.2] * 3)
    trainer.fit(X, Y, epochs=2, verbose=0)  # from the first epoch
    assert values.found[12:] == pytest.approx([0.4] * 6)


def test_settings_of_other_layers_and_of_activations() -> None:
    leaky, dense = cr.LeakyReLU(0.1), cr.Linear(5, 8, cr.LeakyReLU(0.1), l2=0.1)
    layers = [dense, leaky, cr.Linear(8, 3)]
    halves = StepDecay(0.8, factor=0.5, every=1)
    fit(layers, LayerScheduler(cr.LeakyReLU, "slope", halves), LayerScheduler(cr.Linear, "l2", halves), epochs=3)
    assert leaky.slope == dense.activation.slope == dense.l2 == layers[2].l2 == 0.2


@pytest.mark.skipif(KERNELS != "fused", reason="compiled kernels are not in use")
def test_kernels_take_the_steps_with_one_plan_for_each_value(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Any] = []
    monkeypatch.setattr(run_module, "compiled_engine", lambda *all: plans.append(compiled_engine(*all)) or plans[-1])
    scheduler = LayerScheduler(cr.Dropout, "rate", FlatCos(0.4))
    fit([cr.Linear(5, 8, "relu"), cr.Dropout(0.1), cr.Linear(8, 3)], scheduler, epochs=10)
    assert all(isinstance(plan, Compiled) for plan in plans)
    assert len(plans) == 1 + 5  # the one before the first epoch had another rate; 6 epochs have the same


@pytest.mark.parametrize(
    ("act", "error", "says"),
    [
        (lambda: LayerScheduler(cr.Dropout, "p", FlatCos(0.1)), ValueError, "did you mean 'rate'"),
        (lambda: LayerScheduler(cr.Linear, "in_features", FlatCos(0.1)), ValueError, "the name of a setting"),
        (lambda: LayerScheduler(cr.Dropout(), "rate", FlatCos(0.1)), TypeError, "the class of layers, got Dropout"),  # type: ignore[arg-type]
        (lambda: LayerScheduler(cr.Dropout, "rate", 0.1), TypeError, "a schedule that is a function"),  # type: ignore[arg-type]
        (lambda: LayerScheduler(cr.Dropout, "rate", FlatCos), TypeError, "a schedule that is a function"),  # type: ignore[arg-type]
        (lambda: LayerScheduler(cr.Dropout, "rate", ReduceOnPlateau(0.1)), TypeError, "got ReduceOnPlateau"),
        (
            lambda: fit([cr.Linear(5, 3)], LayerScheduler(cr.Dropout, "rate", FlatCos(0.1))),
            ValueError,
            "Dropout layers",
        ),
        (lambda: fit(dropped(), LayerScheduler(cr.Dropout, "rate", Constant(1.5))), ValueError, "rate >= 0 and < 1"),
    ],
)
def test_what_cannot_be_is_refused(act: Callable[[], Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        act()


def dropped() -> list[cr.Layer]:
    return [cr.Dropout(0.1), cr.Linear(5, 3)]
