"""One rule for kernels and programs: they hold for the equations beside them, in the class that states them."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.program import EQUATIONS as OF_LAYERS
from chainrule.layers.program import program_of
from chainrule.losses import LOSSES
from chainrule.losses.base import EQUATIONS as OF_LOSSES
from chainrule.losses.base import loss_kernel
from chainrule.optimizers import OPTIMIZERS
from chainrule.optimizers.rule import EQUATIONS as OF_OPTIMIZERS
from chainrule.optimizers.rule import rule_kernel

Found = Callable[[Any], Any]
SCALAR = np.zeros((1, 2))


def of_loss(loss: cr.Loss) -> Any:
    return loss_kernel(loss, np.zeros(2, np.intp) if isinstance(loss, cr.CrossEntropy) else SCALAR)


THINGS: dict[str, tuple[Callable[[], Any], Found, str, tuple[str, ...]]] = {
    **{name: (cls, of_loss, "kernel", OF_LOSSES) for name, cls in LOSSES.items()},
    **{name: (cls, rule_kernel, "kernel", OF_OPTIMIZERS) for name, cls in OPTIMIZERS.items() if cls.kernel},
    "relu": (cr.ReLU, program_of, "program", OF_LAYERS),
    "flatten": (cr.Flatten, program_of, "program", OF_LAYERS),
    "dropout": (lambda: cr.Dropout(0.5), program_of, "program", OF_LAYERS),
}
CASES = [(name, one) for name, (make, *_, equations) in THINGS.items() for one in equations if hasattr(make(), one)]
EACH = pytest.mark.parametrize("name", THINGS)


def derived(thing: Any, *mixins: type, after: tuple[type, ...] = (), **body: Any) -> Any:
    """The same object as one of a class with this body."""
    cls = type("Derived", (*mixins, type(thing), *after), body)
    made = object.__new__(cls)
    vars(made).update(vars(thing))
    return made


@EACH
def test_what_changes_nothing_inherits_it(name: str) -> None:
    make, found, *_ = THINGS[name]
    assert found(make()) is not None
    assert found(derived(make())) == found(derived(derived(make()), extra=lambda self: 1)) == found(make())


@pytest.mark.parametrize(("name", "equation"), CASES)
def test_a_class_that_changes_an_equation_has_none_unless_it_states_one(name: str, equation: str) -> None:
    make, found, statement, _ = THINGS[name]
    method = getattr(type(make()), equation)
    changed = derived(make(), **{equation: lambda self, *given, **options: method(self, *given, **options)})
    assert found(changed) is None
    assert found(derived(changed)) is None
    stated = getattr(type(make()), statement)
    assert found(derived(changed, **{statement: stated, equation: method})) == found(make())


@pytest.mark.parametrize(("name", "equation"), CASES)
def test_a_mixin_that_changes_an_equation_counts_by_its_place(name: str, equation: str) -> None:
    make, found, *_ = THINGS[name]
    mixin = type("Mixin", (), {equation: getattr(type(make()), equation)})
    assert found(derived(make(), mixin)) is None
    assert found(derived(make(), after=(mixin,))) == found(make())


@pytest.mark.parametrize(("name", "equation"), CASES)
def test_a_method_replaced_on_the_object_counts(name: str, equation: str) -> None:
    make, found, *_ = THINGS[name]
    thing = make()
    object.__setattr__(thing, equation, types.MethodType(getattr(type(thing), equation), thing))
    assert found(thing) is None


def test_a_direction_replaced_between_two_steps_is_followed() -> None:
    w, adam = np.ones(3), cr.Adam(0.1)
    adam.step(w, np.ones(3))
    before = w.copy()
    adam.direction = lambda g, *given: 0 * g  # type: ignore[method-assign, assignment]
    adam.step(w, np.ones(3))
    np.testing.assert_array_equal(w, before)
    del adam.direction
    adam.step(w, np.ones(3))
    assert (w < before).all()


@pytest.mark.parametrize("name", ["target", "sample_weight", "terms"])
def test_a_method_replaced_on_a_loss_is_called(name: str) -> None:
    loss, called = cr.SquaredError(), []
    method = getattr(loss, name)
    object.__setattr__(loss, name, lambda *given: called.append(name) or method(*given))
    trainer = cr.Trainer(cr.MLP([2, 2], rng=0), loss, batch_size=2)
    trainer.fit(np.ones((4, 2)), np.ones((4, 2)), np.ones(4), epochs=2, verbose=0)
    assert len(called) >= 4  # once in each step
