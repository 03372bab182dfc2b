"""The compiled twins stand in for the plain ops in every way that a call, help() or pickle can tell."""

from __future__ import annotations

import inspect
import pickle
import sys

import numpy as np
import pytest

from chainrule import ops
from chainrule.ops import activations
from chainrule.ops.fused import compiled

needs_kernels = pytest.mark.skipif(compiled is None, reason="compiled kernels are not in use")
X = np.linspace(-2.0, 2.0, 12).reshape(3, 4)


@pytest.mark.parametrize("name", ops.__all__)
def test_the_plain_op_is_in_its_own_module(name: str) -> None:
    op = getattr(ops, name)
    plain = inspect.unwrap(op)
    assert inspect.isfunction(plain)
    assert getattr(sys.modules[plain.__module__], name) is plain
    assert (op.__name__, op.__doc__) == (name, plain.__doc__)
    assert inspect.signature(op) == inspect.signature(plain)


@pytest.mark.parametrize("name", ops.__all__)
def test_an_op_can_be_pickled(name: str) -> None:
    op = getattr(ops, name)
    assert pickle.loads(pickle.dumps(op)) in (op, inspect.unwrap(op))


@needs_kernels
@pytest.mark.parametrize("name", ["ACTIVATIONS", "LOSSES", "OPTIMIZERS"])
def test_the_numbers_of_a_list_are_the_places_in_it(name: str) -> None:
    assert list(getattr(compiled, name).values()) == list(range(len(getattr(compiled, name))))


@needs_kernels
@pytest.mark.parametrize("name", activations.__all__)
def test_every_activation_is_compiled(name: str) -> None:
    assert getattr(ops, name) is getattr(compiled, name)


def arguments_of(name: str) -> dict[str, object]:
    """An array, or the default plus one, for each parameter but ``out``."""
    parameters = inspect.signature(getattr(activations, name)).parameters.values()
    given = {p.name: X + i if p.default is p.empty else p.default for i, p in enumerate(parameters)}
    return {p: value + 0.25 if type(value) is float else value for p, value in given.items() if p != "out"}


@pytest.mark.parametrize("name", [name for name in activations.__all__ if "prelu" not in name])
def test_arguments_may_be_given_by_place_or_by_name(name: str) -> None:
    op, arguments = getattr(ops, name), arguments_of(name)
    expected = op(*arguments.values())
    np.testing.assert_allclose(expected, getattr(activations, name)(**arguments), rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(op(**arguments), expected)
    first, *others = arguments
    np.testing.assert_array_equal(op(arguments[first], **{key: arguments[key] for key in others}), expected)
    for out in ({"out": np.empty_like(X)}, {"out": None}):
        np.testing.assert_array_equal(op(*arguments.values(), **out), expected)
        np.testing.assert_array_equal(op(*arguments.values(), out["out"]), expected)


@pytest.mark.parametrize("name", activations.__all__)
def test_an_argument_of_another_name_is_refused(name: str) -> None:
    arguments = arguments_of(name)
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'other'"):
        getattr(ops, name)(**arguments, other=1.0)
    if type(list(arguments.values())[-1]) is float:
        with pytest.raises(TypeError, match="got multiple values for argument"):
            getattr(ops, name)(*arguments.values(), **{list(arguments)[-1]: 0.125})
