"""What a user can touch: a sorted and complete list, documented by running examples, that corrects a typo."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import pytest

import chainrule as cr
from public import public_things

WITHOUT_EXAMPLE: frozenset[str] = frozenset()  # names whose docstring may lack an example; may it stay empty
EXAMPLES = re.compile(r"^Examples?\n-{5,}\n(.*\n)*?\s*>>> ", re.MULTILINE)


def own_docstring(thing: object) -> str:
    """The docstring written for this very thing, not one inherited."""
    return inspect.cleandoc(getattr(thing, "__doc__", None) or "")


def test_the_list_is_sorted_and_names_each_thing_once() -> None:
    """In the order that ruff keeps: ELU, then Adam, then gradcheck."""
    assert list(cr.__all__) == sorted(set(cr.__all__), key=lambda name: (not name.isupper(), name))


def test_each_name_resolves_to_one_thing_that_is_documented() -> None:
    things = public_things()
    assert [name for name, thing in things.items() if public_things()[name] is not thing] == []
    assert [name for name, thing in things.items() if not own_docstring(thing)] == []


def test_each_function_and_class_shows_an_example() -> None:
    things = {name: thing for name, thing in public_things().items() if name not in WITHOUT_EXAMPLE}
    usable = {name: thing for name, thing in things.items() if inspect.isroutine(thing) or inspect.isclass(thing)}
    assert sorted(name for name, thing in usable.items() if not EXAMPLES.search(own_docstring(thing))) == []


def test_each_public_module_documents_its_own_names() -> None:
    modules = [thing for thing in (getattr(cr, name) for name in cr.__all__) if inspect.ismodule(thing)]
    public = [getattr(module, name) for module in modules for name in getattr(module, "__all__", ())]
    assert [value for value in public if callable(value) and not own_docstring(value)] == []


def test_exemptions_are_needed() -> None:
    assert [n for n in WITHOUT_EXAMPLE if n not in cr.__all__ or EXAMPLES.search(own_docstring(getattr(cr, n)))] == []


def test_dir_lists_every_name_before_it_is_touched() -> None:
    script = "import chainrule as cr; print(*sorted(set(cr.__all__) - set(dir(cr))))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


@pytest.mark.parametrize(
    ("slip", "meant"), [("Sequental", "Sequential"), ("Trainr", "Trainer"), ("gradchek", "gradcheck")]
)
def test_a_slip_is_answered_with_the_nearest_name(slip: str, meant: str) -> None:
    with pytest.raises(AttributeError, match=rf"{slip}.*{meant}"):
        getattr(cr, slip)


def test_an_unknown_name_is_an_attribute_error_even_where_nothing_is_near() -> None:
    assert not hasattr(cr, "zzzzzzzz")
