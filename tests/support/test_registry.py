"""A registry gives a new object for a name, takes an object as it is, and answers all else with what to write."""

from __future__ import annotations

import subprocess
import sys
from abc import ABC, abstractmethod

import pytest

import chainrule as cr
from chainrule._support.checks import nearest
from chainrule._support.registry import Registry, concrete, snake_case
from chainrule.layers.activations import ACTIVATIONS


class Shape(ABC):
    @abstractmethod
    def corners(self) -> int: ...


class Square(Shape):
    def corners(self) -> int:
        return 4


class RightTriangle(Shape):
    def corners(self) -> int:
        return 3


class Polygon(Shape):
    """Still abstract."""


SHAPES: Registry[type[Shape]] = Registry(
    "a shape",
    {snake_case(name): shape for name, shape in concrete(globals(), Shape).items()},
    accepts=lambda value: isinstance(value, Shape),
    expected="the name of a shape or a Shape",
    remedy='try "square"',
    elsewhere={"quadrat": "square"},
)


def test_concrete_classes_are_named_in_snake_case() -> None:
    assert list(SHAPES) == ["right_triangle", "square"]
    assert [snake_case(name) for name in ("GaussianNLL", "LogCosh", "SGD")] == ["gaussian_nll", "log_cosh", "sgd"]


def test_a_name_gives_a_new_object_and_an_object_stands_for_itself() -> None:
    first, second = SHAPES.resolve("square"), SHAPES.resolve("square")
    assert type(first) is type(second) is Square
    assert first is not second
    assert SHAPES.resolve(first) is first
    assert ACTIVATIONS.resolve("relu") is not ACTIVATIONS["relu"]


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        (
            "sqare",
            ValueError,
            "name of a shape, got 'sqare' (did you mean 'square'?); known are right_triangle, square.",
        ),
        ("Quadrat", ValueError, "(did you mean 'square'?)"),
        (Square, TypeError, "a shape object, got the class Square; write Square()."),
        (4, TypeError, 'the name of a shape or a Shape, got 4; try "square".'),
    ],
)
@pytest.mark.parametrize("who", ["", "draw"])
def test_anything_else_is_refused_with_what_to_write(
    who: str, value: object, error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as caught:
        SHAPES.resolve(value, who)
    assert str(caught.value).startswith(f"{who or 'get_shape'} expects ")
    assert says in str(caught.value)


def test_a_name_from_elsewhere_is_answered_by_the_name_and_by_the_class() -> None:
    assert nearest("quadrat", ["square", "circle"]) == " (did you mean 'square'?)"
    assert nearest("quadrat", ["Square", "Circle"]) == " (did you mean 'Square'?)"


def test_naming_one_metric_loads_no_other_family() -> None:
    program = (
        "import sys, chainrule as cr; cr.metrics.get_metric('r2_score');"
        "loaded = [name for name in sys.modules if name.startswith('chainrule.metrics.')];"
        "assert 'chainrule.metrics.classification' not in loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("registry", [cr.losses.LOSSES, cr.optimizers.OPTIMIZERS, cr.initializers.INITIALIZERS])
def test_every_public_class_of_a_kind_has_a_name(registry: Registry[type]) -> None:
    package = sys.modules[next(iter(registry.values())).__module__.rpartition(".")[0]]
    names = {name for name in package.__all__ if isinstance(getattr(package, name), type)}
    assert {cls.__name__ for cls in registry.values()} == names - {"Loss", "Optimizer", "Initializer", "EachMember"}
