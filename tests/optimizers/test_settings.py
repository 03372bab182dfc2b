"""An assignment is refused in the words of the constructor; one that is accepted takes effect at once."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.optimizers import OPTIMIZERS

SHAPES = {"0.W": (4, 3), "0.b": (3,)}
NO_NUMBERS = ["a", "0.5", True, [0.5], np.array([0.5]), 1j, float("nan"), float("inf"), -float("inf"), 10**400]
NOT_FRACTIONS = [*NO_NUMBERS, None, 1, 1.5, -0.1]

#: Of each argument: the words of a refusal, what is refused, and what is not.
VALUES: dict[str, tuple[str, list[Any], list[Any]]] = {
    "betas": (
        "betas as a pair|each of betas (>= 0 and < 1|to be)",
        [None, 0.9, (0.9,), (0.9, 1.0), (-0.1, 0.9), ("a", 0.9), (0.9, True)],
        [(0.5, 0.7), [0, 0.5], (np.float64(0.5), np.float32(0.25))],
    ),
    "clip_norm": ("> 0", [*NO_NUMBERS, 0, -1], [None, 1, np.float64(0.01)]),
    "clip_ratio": ("> 0", [*NO_NUMBERS, 0, -1], [None, 1, np.float64(0.01)]),
    "clip_value": ("> 0", [*NO_NUMBERS, 0, -1], [None, 1, np.float64(0.01)]),
    "dampening": (">= 0 and < 1", NOT_FRACTIONS, [0, np.float64(0.5)]),
    "epsilon": ("> 0", [*NO_NUMBERS, None, 0, -1], [1, np.float64(0.1)]),
    "groups": (
        "groups as a dict of dicts, got .*; for instance|name of a factor, got 'rate'|weight_decay_factor >= 0",
        ["*.b", ["*.b"], {"*.b": 0.1}, {"*.b": {"rate": 1.0}}, {"*.b": {"weight_decay_factor": -1.0}}],
        [None, {"*.W": {"learning_rate_factor": 0.0}}],
    ),
    "initial_accumulator": (">= 0", [*NO_NUMBERS, None, -1], [0, np.float64(0.5)]),
    "iterations": ("iterations (>= 1|to be an integer), got", [None, "a", True, 1.5, 0, -1], [1, np.int64(3)]),
    "learning_rate": (
        ">= 0",
        [*NO_NUMBERS, None, -1, cr.schedules.StepDecay],
        [0, np.float64(0.5), cr.schedules.StepDecay(0.1, every=1)],
    ),
    "momentum": (">= 0 and < 1", NOT_FRACTIONS, [0.5, np.float32(0.25)]),
    "momentum_decay": (">= 0", [*NO_NUMBERS, None, -1], [0, np.float64(0.5)]),
    "nesterov": ("", [], [True]),
    "rho": (">= 0 and < 1", NOT_FRACTIONS, [0, np.float64(0.5)]),
    "trust_coefficient": ("> 0", [*NO_NUMBERS, None, 0, -1], [1, np.float64(0.1)]),
    "weight_decay": (
        ">= 0",
        [*NO_NUMBERS, None, -1, cr.schedules.StepDecay],
        [0, np.float64(0.5), lambda step, total: 0.25],
    ),
}
#: What an optimizer needs beside, so that each of its numbers counts.
BESIDE = {"SGD": {"momentum": 0.9}, "RMSprop": {"momentum": 0.9}}


def make(name: str, **arguments: Any) -> cr.Optimizer:
    return OPTIMIZERS[name.lower()](**(BESIDE.get(name, {}) | arguments))


def arguments_of(cls: type[cr.Optimizer]) -> list[str]:
    return list(inspect.signature(cls).parameters)


EACH_ARGUMENT = pytest.mark.parametrize(
    ("name", "argument"), [(cls.__name__, argument) for cls in OPTIMIZERS.values() for argument in arguments_of(cls)]
)


def refusal(act: Callable[[], Any]) -> tuple[type, str]:
    with pytest.raises((ValueError, TypeError, AttributeError)) as caught:
        act()
    return caught.type, str(caught.value)


def moved(optimizer: cr.Optimizer) -> np.ndarray:
    """The parameters after three steps."""
    parameters = cr.Parameters(SHAPES, "float64")
    rng = np.random.default_rng(0)
    parameters.vector[:] = rng.standard_normal(parameters.vector.size)
    optimizer.setup(parameters, total_steps=3)
    for _ in range(3):
        optimizer.step(parameters.vector, rng.standard_normal(parameters.vector.size))
    return parameters.vector


def test_the_table_holds_every_argument_of_every_optimizer() -> None:
    assert {argument for cls in OPTIMIZERS.values() for argument in arguments_of(cls)} == VALUES.keys()


@EACH_ARGUMENT
def test_an_assignment_is_refused_as_in_the_constructor(name: str, argument: str) -> None:
    bounds, refused, _ = VALUES[argument]
    words = f"{argument} {bounds}, got" if bounds.startswith(">") else bounds
    for value in refused:
        said = refusal(lambda value=value: make(name, **{argument: value}))
        assert said[1].startswith(f"{name} ")
        assert re.search(f"{words}|{argument} to be a number", said[1])
        optimizer = make(name)
        before = dict(vars(optimizer))
        assert refusal(lambda value=value, optimizer=optimizer: setattr(optimizer, argument, value)) == said
        assert vars(optimizer).keys() == before.keys()
        assert all(vars(optimizer)[key] is before[key] for key in before)


@EACH_ARGUMENT
def test_what_is_assigned_counts_as_in_the_constructor(name: str, argument: str) -> None:
    for value in VALUES[argument][2]:
        made, changed = make(name, **{argument: value}), make(name)
        setattr(changed, argument, copy.copy(value))
        kept = getattr(changed, argument)
        assert type(kept) is type(getattr(made, argument))
        assert not any(isinstance(number, np.generic) for number in (kept if isinstance(kept, tuple) else (kept,)))
        assert repr(changed) == repr(made) or callable(value)
        np.testing.assert_array_equal(moved(changed), moved(made), f"{value!r}")


def test_numbers_that_do_not_fit_each_other_are_refused() -> None:
    for arguments, name, value in (
        ({"momentum": 0.9, "nesterov": True}, "momentum", 0),
        ({"momentum": 0.9, "nesterov": True}, "dampening", 0.5),
        ({}, "nesterov", True),
        ({"momentum": 0.9, "dampening": 0.9}, "nesterov", True),
    ):
        sgd = cr.SGD(**arguments)
        before = repr(sgd)
        said = refusal(lambda: cr.SGD(**(arguments | {name: value})))  # noqa: B023
        assert said[1].startswith("SGD(nesterov=True) expects momentum above 0 and no dampening, got momentum=")
        assert refusal(lambda: setattr(sgd, name, value)) == said  # noqa: B023
        assert repr(sgd) == before


@pytest.mark.parametrize("name", [cls.__name__ for cls in OPTIMIZERS.values()])
def test_a_name_that_nothing_reads_is_refused(name: str) -> None:
    optimizer = make(name)
    for unknown, near in (("lr", "learning_rate"), ("clipnorm", "clip_norm"), ("Weight_Decay", "weight_decay")):
        kind, says = refusal(lambda unknown=unknown: setattr(optimizer, unknown, 1e-9))
        assert kind is AttributeError
        expected = f"{name} expects the name of an attribute that it has, got {unknown!r} (did you mean {near!r}?)"
        assert says.startswith(expected)
        assert unknown not in vars(optimizer)


@pytest.mark.parametrize("value", ["a", -1, 1.5, True])
def test_the_number_of_steps_is_checked(value: Any) -> None:
    adam = cr.Adam()
    with pytest.raises((ValueError, TypeError), match="Adam expects total_steps"):
        adam.total_steps = value
    assert adam.total_steps is None
    adam.total_steps = 7
    assert adam.total_steps == 7


def test_groups_changed_in_place_are_checked_by_setup() -> None:
    sgd = cr.SGD(groups={"*.W": {"learning_rate_factor": 0.5}})
    sgd.groups["*.W"]["learning_rate_factor"] = -1
    with pytest.raises(ValueError, match="learning_rate_factor >= 0, got -1"):
        sgd.setup(cr.Parameters(SHAPES))


def test_an_optimizer_of_a_user_has_attributes_of_its_own() -> None:
    @dataclass(eq=False, repr=False)
    class Sign(cr.Optimizer):
        sharpness: float = 1.0

        def __post_init__(self) -> None:
            self.calls = 0
            super().__post_init__()
            self.mood = "good"

        def direction(self, g: Any, state: Any, scratch: Any, coefficients: Any) -> Any:
            self.calls += 1
            return np.sign(g, out=scratch[0])

    sign = Sign()
    sign.sharpness, sign.colour = -3, "pink"
    moved(sign)
    assert sign.calls > 0
    assert refusal(lambda: setattr(sign, "learning_rate", -1)) == refusal(lambda: Sign(-1))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda adam: pickle.loads(pickle.dumps(adam))])
def test_a_copy_checks_too(copied: Callable[[cr.Optimizer], cr.Optimizer]) -> None:
    adam = copied(cr.Adam(0.25))
    with pytest.raises(ValueError, match="clip_norm > 0, got -1"):
        adam.clip_norm = -1
    assert adam.clip_norm is None


@pytest.mark.parametrize("kernel", [True, False])
def test_in_the_middle_of_training(kernel: bool) -> None:
    """The error of the assignment reaches who called fit."""

    class Uphill(cr.Callback):
        def on_batch_end(self, trainer: Any, loss: float) -> None:
            trainer.optimizer.clip_norm = -1

    x = np.random.default_rng(0).normal(size=(32, 4))
    optimizer = cr.Adam() if kernel else cr.Muon()
    trainer = cr.Trainer(cr.Sequential([cr.Linear(4, 1)], rng=0), "squared_error", optimizer, callbacks=[Uphill()])
    with pytest.raises(ValueError, match=f"{type(optimizer).__name__} expects clip_norm > 0, got -1"):
        trainer.fit(x, x[:, :1], epochs=2, verbose=0)
    assert optimizer.clip_norm is None


@pytest.mark.parametrize("count", [3, 9])
@pytest.mark.parametrize("kernels", [True, False], ids=["kernels", "NumPy"])
def test_other_coefficients_than_the_rule_takes_are_refused(
    count: int, kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(cr.Adam):
        def coefficients(self, t: int, rate: float) -> tuple[float, ...]:
            return (0.5,) * count

    if not kernels:
        monkeypatch.setattr(Other, "kernel", None)
    words = rf"^Other.coefficients expects to give 4 numbers, as Adam.direction takes, got {count}\.$"
    with pytest.raises(ValueError, match=words):
        Other(0.1).step(np.ones(3), np.ones(3))
    trainer = cr.Trainer(cr.MLP([2, 2], rng=0), "cross_entropy", Other(0.1))
    with pytest.raises(ValueError, match=words):
        trainer.fit(np.eye(2), np.arange(2), epochs=1, verbose=0)
