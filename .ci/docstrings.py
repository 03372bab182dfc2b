"""Check that public docstrings have numpydoc's form, with this project's order of sections; `make lint` runs it.

numpydoc reports what is missing or out of place in one docstring. This file adds which names are public, which of
numpydoc's checks apply, and the order: sentence, equations, parameters, returns, raises, notes, example, source.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator

from numpydoc.validate import validate

import chainrule

CHECKS = {
    *("GL03", "GL05", "GL06", "GL08"),  # a docstring, without double blank lines, tabs and unknown sections
    *("SS01", "SS02", "SS03", "SS04"),  # whose first line is a sentence
    *(f"PR{number:02}" for number in range(1, 11)),  # whose parameters are the call's, each with type and description
    *("RT01", "RT02", "RT03", "YD01"),  # and which says what is returned
}
ORDER = ["Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "Notes", "Examples", "References"]
TITLE = re.compile(r"^ *(\w[\w ]*)\n *-{3,}$", re.MULTILINE)


def public_names() -> Iterator[str]:
    """Every class, function and method that a user may call, by its full name in the file that defines it."""
    seen = set()
    for package in (chainrule, *modules()):
        for thing in (inspect.unwrap(getattr(package, name)) for name in getattr(package, "__all__", ())):
            if (inspect.isclass(thing) or inspect.isfunction(thing)) and thing not in seen:
                seen.add(thing)
                name = f"{thing.__module__}.{thing.__qualname__}"
                yield name
                yield from (f"{name}.{method}" for method in own_methods(thing))


def modules() -> Iterator[object]:
    """The modules of the package; the command line has no public names."""
    for part in pkgutil.iter_modules(chainrule.__path__):
        if part.name not in ("cli", "__main__"):
            yield importlib.import_module(f"chainrule.{part.name}")


def own_methods(thing: object) -> Iterator[str]:
    """The public methods that a class introduces; an override is documented where it was introduced."""
    for name, value in vars(thing).items() if inspect.isclass(thing) else ():
        inherited = any(name in vars(base) for base in thing.__mro__[1:])
        if not name.startswith("_") and not inherited and (inspect.isfunction(value) or isinstance(value, property)):
            yield name


def faults(name: str) -> Iterator[str]:
    """The faults of a docstring, one line each."""
    result = validate(name)
    yield from (f"{code} {' '.join(says.split())}" for code, says in result["errors"] if code in CHECKS)
    sections = [title for title in TITLE.findall(result["docstring"]) if title in ORDER]
    if sections != sorted(sections, key=ORDER.index):
        yield f"the order is {', '.join(sorted(sections, key=ORDER.index))}"


def main() -> int:
    """Print every fault; 1 if there is one."""
    found = [(name, fault) for name in public_names() for fault in faults(name)]
    print(*(f"{name}: {fault}" for name, fault in found), sep="\n", end="\n" if found else "")
    return min(len(found), 1)


if __name__ == "__main__":
    sys.exit(main())
