"""What a callback changes in the middle of training counts at the next step, compiled or not, with equal results."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers import LAYERS
from chainrule.losses import LOSSES
from chainrule.training import run as run_module
from changes import (
    ATTRIBUTES,
    CASES,
    CHANGES,
    FIRST_VALUES,
    GRADIENTS,
    LAYER_FACTS,
    LAYER_VALUES,
    OPTIMIZER_VALUES,
    Change,
    attributes,
    layer_of,
    optimizer_of,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 6))
LABELS, NUMBERS = RNG.integers(0, 3, 120), RNG.uniform(0.1, 0.9, (120, 3))
EPOCHS = 3


def train(
    change: Callable[[Any], None] | None,
    compiled: bool,
    monkeypatch: pytest.MonkeyPatch,
    *,
    layers: Callable[[], list[cr.Layer]] | None = None,
    optimizer: Callable[[], cr.Optimizer] = lambda: cr.Adam(0.01),
    loss: Any = "cross_entropy",
    y: np.ndarray = LABELS,
    step: int = 9,
) -> np.ndarray | str:
    """The weights and statistics in the end, or the class of the refusal; 8 steps are an epoch."""
    made = layers() if layers else [cr.Linear(6, 8), cr.BatchNorm(8), cr.LeakyReLU(), cr.Dropout(0.1), cr.Linear(8, 3)]
    model = cr.Sequential(made, rng=0, dtype="float64")
    callbacks = [] if change is None else [Change(change, step)]
    with monkeypatch.context() as patch:
        if not compiled:
            patch.setattr(run_module, "compiled_engine", lambda *parts: None)
        trainer = cr.Trainer(model, loss, optimizer(), batch_size=16, callbacks=callbacks, rng=1)
        try:
            trainer.fit(X, y, epochs=EPOCHS, verbose=0)
        except (ValueError, TypeError) as error:
            return type(error).__name__
    return np.concatenate([model.parameters.vector, *model.buffers.values()])


def assert_obeyed(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None], **settings: Any) -> None:
    """Both engines do the same, and not what they do without the change; or both refuse."""
    mine, plain = (train(change, compiled, monkeypatch, **settings) for compiled in (True, False))
    if isinstance(mine, str) or isinstance(plain, str):
        assert str(mine) == str(plain)
        return
    np.testing.assert_allclose(mine, plain, rtol=0, atol=1e-9)
    settings.pop("step", None)
    assert not np.allclose(mine, train(None, True, monkeypatch, **settings), rtol=0, atol=1e-7)


# ---- layers


@pytest.mark.parametrize("name", LAYERS)
def test_every_attribute_of_a_layer_is_changed_here_or_is_no_part_of_a_step(name: str) -> None:
    layer = layer_of(name)
    cr.Sequential([layer], rng=0)
    assert attributes(layer) - LAYER_FACTS - GRADIENTS <= LAYER_VALUES.keys()


@pytest.mark.parametrize("step", [8, 11], ids=["after an epoch", "within one"])
@pytest.mark.parametrize(("name", "attribute"), CASES, ids=[f"{name}.{one}" for name, one in CASES])
def test_an_attribute_of_a_layer_counts(name: str, attribute: str, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = lambda: [cr.Linear(6, 8, "tanh"), layer_of(name), cr.Linear(8, 3)]  # noqa: E731
    value = np.linspace(0.1, 0.5, 8) if name == "PReLU" else LAYER_VALUES[attribute]
    change = lambda trainer: setattr(trainer.model.layers[1], attribute, copy(value))  # noqa: E731
    assert_obeyed(monkeypatch, change, layers=layers, optimizer=lambda: cr.SGD(0.1), step=step)


INSIDE = [("leaky_relu", "slope"), ("elu", "alpha"), ("gelu", "approximate")]


@pytest.mark.parametrize(("activation", "attribute"), INSIDE)
def test_an_activation_within_a_dense_layer_counts(activation: str, attribute: str, monkeypatch) -> None:
    make = {"leaky_relu": cr.LeakyReLU, "elu": cr.ELU, "gelu": cr.GELU}[activation]
    layers = lambda: [cr.Linear(6, 8, make()), cr.Linear(8, 3)]  # noqa: E731
    change = lambda trainer: setattr(trainer.model.layers[0].activation, attribute, LAYER_VALUES[attribute])  # noqa: E731
    assert_obeyed(monkeypatch, change, layers=layers)


# ---- optimizers


@pytest.mark.parametrize(("name", "attribute"), [case for case in ATTRIBUTES if case[1] not in FIRST_VALUES])
def test_an_attribute_of_an_optimizer_counts(name: str, attribute: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if attribute == "nesterov":
        change = lambda trainer: setattr(trainer.optimizer, attribute, not trainer.optimizer.nesterov)  # noqa: E731
    else:
        change = lambda trainer: setattr(trainer.optimizer, attribute, OPTIMIZER_VALUES[attribute])  # noqa: E731
    layers = lambda: [cr.Linear(6, 8, "tanh"), cr.Dropout(0.1), cr.Linear(8, 3)]  # noqa: E731
    assert_obeyed(monkeypatch, change, optimizer=lambda: optimizer_of(name), layers=layers)


def test_groups_changed_in_place_count(monkeypatch: pytest.MonkeyPatch) -> None:
    make = lambda: cr.SGD(0.1, groups={"*.W": {"learning_rate_factor": 0.5}})  # noqa: E731
    change = lambda trainer: trainer.optimizer.groups["*.W"].update(learning_rate_factor=0.0)  # noqa: E731
    assert_obeyed(monkeypatch, change, optimizer=make)


def test_groups_that_say_nothing_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for groups in ({"nothing": {}}, {"*.W": {"learning_rate": 1.0}}):
        change = lambda trainer, groups=groups: setattr(trainer.optimizer, "groups", groups)  # noqa: E731
        assert [train(change, compiled, monkeypatch) for compiled in (True, False)] == ["ValueError"] * 2


# ---- losses

LOSS_VALUES: dict[str, Any] = {
    "class_weight": (0.1, 1.0, 5.0),
    "delta": 0.01,
    "floor": 0.5,
    "from_logits": False,
    "label_smoothing": 0.4,
    "levels": (0.2, 0.4, 0.9),
    "positive_weight": 4.0,
}


def loss_and_target(name: str) -> tuple[Any, np.ndarray, list[cr.Layer]]:
    loss = LOSSES[name]()
    width = {"gaussian_nll": 6}.get(name, 3)
    y = {"cross_entropy": LABELS, "quantile": NUMBERS[:, :1], "binary_cross_entropy": (NUMBERS > 0.5).astype(float)}
    return loss, y.get(name, NUMBERS), [cr.Linear(6, 8, "tanh"), cr.Linear(8, width)]


LOSS_CASES = [(name, field.name) for name in LOSSES if is_dataclass(LOSSES[name]) for field in fields(LOSSES[name])]


@pytest.mark.parametrize(("name", "attribute"), LOSS_CASES)
def test_an_attribute_of_a_loss_counts(name: str, attribute: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses are frozen; but who insists is obeyed."""
    _, y, _ = loss_and_target(name)
    change = lambda trainer: object.__setattr__(trainer.loss, attribute, LOSS_VALUES[attribute])  # noqa: E731
    results = []
    for compiled in (True, False):
        loss, y, _ = loss_and_target(name)
        results.append(train(change, compiled, monkeypatch, layers=lambda: loss_and_target(name)[2], loss=loss, y=y))
    if isinstance(results[0], str) or isinstance(results[1], str):
        assert str(results[0]) == str(results[1])
        return
    np.testing.assert_allclose(results[0], results[1], rtol=0, atol=1e-9)
    loss, y, _ = loss_and_target(name)
    unchanged = train(None, True, monkeypatch, layers=lambda: loss_and_target(name)[2], loss=loss, y=y)
    assert not np.allclose(results[0], unchanged, rtol=0, atol=1e-7)


def test_class_weights_changed_in_place_count(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for compiled in (True, False):
        change = lambda trainer: trainer.loss.class_weight.update({0: 9.0})  # noqa: E731
        loss = cr.CrossEntropy(class_weight={0: 1.0, 1: 1.0, 2: 1.0})
        results.append(train(change, compiled, monkeypatch, loss=loss))
    np.testing.assert_allclose(results[0], results[1], rtol=0, atol=1e-9)
    assert not np.allclose(results[0], train(None, True, monkeypatch), rtol=0, atol=1e-7)


# ---- whole parts, and what is in them


@pytest.mark.parametrize("step", [8, 11], ids=["after an epoch", "within one"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_counts(name: str, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_obeyed(monkeypatch, CHANGES[name], step=step)


def test_what_is_changed_between_two_fits_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for change in CHANGES.values():
        results = []
        for compiled in (True, False):
            with monkeypatch.context() as patch:
                if not compiled:
                    patch.setattr(run_module, "compiled_engine", lambda *parts: None)
                layers = [cr.Linear(6, 8), cr.BatchNorm(8), cr.LeakyReLU(), cr.Dropout(0.1), cr.Linear(8, 3)]
                trainer = cr.Trainer(cr.Sequential(layers, rng=0, dtype="float64"), "cross_entropy", batch_size=16)
                trainer.fit(X, LABELS, epochs=1, verbose=0)
                change(trainer)
                try:
                    trainer.fit(X, LABELS, epochs=2, verbose=0)
                except ValueError as error:
                    results.append(str(error))
                else:
                    results.append(trainer.model.parameters.vector.copy())
        if isinstance(results[0], str):
            assert results[0] == results[1]
        else:
            np.testing.assert_allclose(results[0], results[1], rtol=0, atol=1e-9)
