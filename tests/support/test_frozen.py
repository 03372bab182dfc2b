"""Frozen classes behave as ``@dataclass(frozen=True)`` makes them."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, fields, is_dataclass, replace

import pytest

from chainrule._support.settings import frozen


@frozen
class Point:
    """A place."""

    x: float
    y: float = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", float(self.x))


@frozen
class Other:
    """The same fields in another class."""

    x: float
    y: float = 2.0


@frozen
class Named:
    """With a repr of its own."""

    x: float

    def __repr__(self) -> str:
        return "mine"


class Derived(Point):
    """Not frozen itself: only the fields that it inherits are."""


def test_it_is_a_dataclass():
    assert is_dataclass(Point)
    assert [field.name for field in fields(Point)] == ["x", "y"]
    assert asdict(Point(1)) == {"x": 1.0, "y": 2.0}
    assert replace(Point(1), y=3.0) == Point(1, 3.0)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Point()


def test_it_is_written_as_the_call_that_makes_it():
    assert repr(Point(1)) == "Point(x=1.0, y=2.0)"
    assert repr(Named(1)) == "mine"


def test_it_is_equal_where_its_fields_are():
    assert Point(1, y=2.0) == Point(1)
    assert Point(1) != Point(2)
    assert Point(1) != Other(1.0)
    assert Point(1) != Derived(1)
    assert {Point(1): "here"}[Point(1)] == "here"


@pytest.mark.parametrize("name", ["x", "y", "z"])
@pytest.mark.parametrize("change", [lambda point, name: setattr(point, name, 3.0), delattr], ids=["set", "delete"])
def test_it_cannot_be_changed(change, name):
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match=rf"Point cannot be changed: make a new one with another {name}"):
        change(point, name)
    assert point == Point(1)


def test_a_class_derived_from_it_keeps_its_fields_and_may_have_more():
    derived = Derived(1)
    derived.seen = 0
    derived.seen += 1
    assert derived.seen == 1
    with pytest.raises(FrozenInstanceError):
        derived.x = 2.0


def test_a_dataclass_derived_from_it_is_frozen():
    @dataclass(frozen=True)
    class Third(Point):
        z: float = 3.0

    assert repr(Third(1)).endswith("Third(x=1.0, y=2.0, z=3.0)")
    with pytest.raises(TypeError, match="cannot inherit non-frozen dataclass from a frozen one"):

        @dataclass
        class Loose(Point):
            z: float = 3.0


@pytest.mark.parametrize("twin_of", [copy.copy, copy.deepcopy, lambda point: pickle.loads(pickle.dumps(point))])
def test_copies_are_equal(twin_of):
    assert twin_of(Point(1)) == Point(1)
