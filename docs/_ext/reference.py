"""The reference: a page for each public name, made from its docstring, with the proof of its derivative by this build.

Each name stands in one group; a table at the top of the group's page gives the first sentence of each docstring. The
backward of an operation shares the page of its forward. The folder ``docs/reference`` is written here.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from functools import cache
from io import StringIO
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

import chainrule as cr
from chainrule.cli import COMMANDS, make_parser
from chainrule.proof.table import TOLERANCE, proofs

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: The page of a group, its title, what it holds, and where that is: the modules that define top-level names, or the
#: namespace of the others.
GROUPS = [
    ("networks", "Networks", "What a model is made of and how it is built.", ["model", "parameters"]),
    ("layers", "Layers", "Each has a forward, a backward and, if it learns, parameters.", ["layers"]),
    ("activations", "Activations", "Layers that apply one function to each number.", ["layers.activations"]),
    ("losses", "Losses", "Value and gradient from one call: ``value, dz = loss(z, y, weight)``.", ["losses"]),
    ("optimizers", "Optimizers", "Rules that turn a gradient into a step.", ["optimizers"]),
    ("schedules", "Schedules", "The learning rate as a function of the step.", ["schedules."]),
    ("initializers", "Initializers", "The values of weights before training.", ["initializers."]),
    (
        "training",
        "Training",
        "The loop, its batches and what can go wrong.",
        ["training", "distributed.", "_support.errors"],
    ),
    ("callbacks", "Callbacks", "What happens beside the steps of a training.", ["training.callbacks", "callbacks."]),
    ("proof", "Proof", "Derivatives compared with finite differences.", ["proof"]),
    (
        "understanding",
        "Understanding",
        "What a network does, and why it does not learn.",
        ["diagnostics", "explanation", "reporting", "runtime", "exercises."],
    ),
    ("plots", "Plots", "Pictures of data, training and networks; they need Matplotlib.", ["plots."]),
    ("tables", "Tables", "Estimators for tables as they come: gaps, dates and words.", ["tabular"]),
    ("estimators", "scikit-learn's twins", "Drop-in replacements: change one import.", ["estimators"]),
    ("files", "Files and conversion", "Models to and from files and other libraries.", ["persistence", "convert."]),
    ("data", "Data", "Data sets, splits and augmentation.", ["data."]),
    ("metrics", "Metrics", "Numbers that compare predictions with targets.", ["metrics."]),
    ("ops", "Operations", "Pure functions on arrays: each forward beside its backward.", ["ops."]),
]


def public_names() -> dict[str, Any]:
    """Every public name: those of the package, and those of its namespaces with a dot."""
    found: dict[str, Any] = {}
    for name in cr.__all__:
        thing = getattr(cr, name)
        if inspect.ismodule(thing):
            found |= {f"{name}.{inner}": getattr(thing, inner) for inner in thing.__all__}
        else:
            found[name] = thing
    return {name: thing for name, thing in found.items() if name != "callbacks.Callback"}  # which is cr.Callback


def group_of(name: str, thing: Any) -> str:
    """The page of the group that has the longest matching entry."""
    namespace, dot, _ = name.rpartition(".")
    place = f"{namespace}." if dot else inspect.getmodule(thing).__name__.removeprefix("chainrule.") + "."
    fits = [(len(entry), page) for page, _, _, where in GROUPS for entry in where if place.startswith(entry)]
    if not fits:
        raise LookupError(f"chainrule.{name} has no group in {__file__}")
    return max(fits)[1]


def pages() -> dict[str, list[str]]:
    """For each page of the reference the names on it: an operation and its backward share one."""
    names = public_names()
    return {
        name: [name, *([f"{name}_backward"] if f"{name}_backward" in names else [])]
        for name in names
        if name.removesuffix("_backward") not in names or not name.endswith("_backward")
    }


@cache
def proved() -> dict[str, list[tuple[str, float]]]:
    """For each proved name the rows of ``chainrule check`` about it, and their errors."""
    found: dict[str, list[tuple[str, float]]] = {}
    for row in proofs():
        name = row.name.split(" (")[0]
        error = row.error(np.random.default_rng(0))
        found.setdefault(f"ops.{name}" if row.kind == "op" else name, []).append((row.name, error))
    return found


@cache
def classes() -> list[type]:
    """The public classes."""
    return [thing for thing in public_names().values() if inspect.isclass(thing)]


def sentence(thing: Any) -> str:
    """The first sentence of a docstring, whose references, made for the page of the name, become code."""
    first = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    first = re.sub(r":\w+:`~?([^`]+)`", r"``\1``", first)
    return first if inspect.isclass(thing) or callable(thing) else ""


def source_of(thing: Any) -> str:
    """Where a class or function is defined, as the role ``source`` takes it; "" for others."""
    try:
        thing = inspect.unwrap(thing)
        file, line = Path(inspect.getfile(thing)), inspect.getsourcelines(thing)[1]
    except (TypeError, OSError):
        return ""
    inside = file.parts[len(file.parts) - file.parts[::-1].index("chainrule") :]
    return f"{'/'.join(inside)}:{line}"


def members(thing: type) -> Iterator[str]:
    """The methods and properties that a class introduces, or a base that has no page of its own."""
    bases = [base for base in thing.__mro__ if base.__module__.startswith("chainrule.")]
    hidden = [base for base in bases if base is thing or base not in classes()]
    for name in sorted({name for base in hidden for name in vars(base) if not name.startswith("_")}):
        value = next(vars(base)[name] for base in thing.__mro__ if name in vars(base))
        if isinstance(value, (FunctionType, property, classmethod)) and value.__doc__:
            yield name


def directive(name: str, thing: Any) -> str:
    """What autodoc documents, and how."""
    namespace, _, own = f"chainrule.{name}".rpartition(".")
    if inspect.isclass(thing):
        kind, options = "class", [f"members: {', '.join(members(thing))}"] if any(members(thing)) else []
        options += ["show-inheritance"] if set(thing.__bases__) & set(classes()) else []
    else:
        kind, options = ("function", []) if callable(thing) and inspect.isroutine(thing) else ("data", ["no-value"])
    options = [f"   :{option}" if ":" in option else f"   :{option}:" for option in options]
    return "\n".join([f".. currentmodule:: {namespace}", "", f".. auto{kind}:: {own}", *options])


def proof_of(name: str, rows: list[tuple[str, float]]) -> str:
    """What the check of this build found."""
    lines = [
        ".. admonition:: Proof",
        "   :class: proof",
        "",
        "   This build compared the gradient with finite differences along random directions, in float64, as",
        f"   ``chainrule check`` does on your machine. Relative error (at most {TOLERANCE:g} passes):",
        "",
        *(f"   * {variant}: **{error:.1e}**" for variant, error in rows),
    ]
    return "\n".join(lines)


def name_page(names: list[str], things: dict[str, Any], rows: list[tuple[str, float]]) -> str:
    """The page of a name, or of an operation and its backward."""
    title = names[0]
    parts = [f"{title}\n{'=' * len(title)}"]
    for name in names:
        if source := source_of(things[name]):
            parts.append(f".. rst-class:: defined\n\nDefined in :source:`{source}`.")
        parts.append(directive(name, things[name]))
    if rows:
        parts.append(proof_of(title, rows))
    return "\n\n".join(parts) + "\n"


def group_page(title: str, says: str, members: list[str], things: dict[str, Any], rows: dict[str, Any]) -> str:
    """The table of a group, and its pages."""
    lines = [title, "=" * len(title), "", says, "", ".. list-table::", "   :class: names", "   :widths: auto", ""]
    for name in members:
        errors = [error for _, error in rows.get(name, [])]
        mark = f"proved, {max(errors):.0e}" if errors else ""
        lines += [f"   * - :doc:`{name}`", f"     - {sentence(things[name])}"] + [f"     - {mark}"] * bool(rows)
    return "\n".join([*lines, "", ".. toctree::", "   :hidden:", "", *(f"   {name}" for name in members), ""])


def command_line() -> str:
    """The help of each command."""
    os.environ["COLUMNS"] = "90"
    lines = ["Command line", "============", "", "What each command prints with ``--help``.", ""]
    for words in ([], *([command] for command in COMMANDS)):
        with redirect_stdout(StringIO()) as said, suppress(SystemExit):
            make_parser().parse_args([*words, "--help"])
        title = " ".join(["chainrule", *words])
        text = [f"   {line}".rstrip() for line in said.getvalue().splitlines()]
        lines += [title, "-" * len(title), "", ".. code-block:: none", "", *text, ""]
    return "\n".join(lines)


def write(folder: Path) -> None:
    """Write the pages; a page that would not change is left alone, so that it is not built again."""
    things, rows, groups = public_names(), proved(), {page: [] for page, *_ in GROUPS}
    texts: dict[str, str] = {}
    for name, names in pages().items():
        groups[group_of(name, things[name])].append(name)
        texts[name] = name_page(names, things, rows.get(name, []))
    kept = [(page, title, says) for page, title, says, _ in GROUPS if groups[page]]
    for page, title, says in kept:
        some = {name: rows[name] for name in groups[page] if name in rows}
        texts[page] = group_page(title, says, sorted(groups[page], key=str.lower), things, some)
    texts["command-line"] = command_line()
    texts["index"] = "\n".join(index(kept, groups, rows))
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.rst"):
        if old.stem not in texts:
            old.unlink()
    for name, text in texts.items():
        file = folder / f"{name}.rst"
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def index(kept: list[tuple[str, str, str]], groups: dict[str, list[str]], rows: dict[str, Any]) -> Iterator[str]:
    """The first page of the reference."""
    checked = [error for errors in rows.values() for _, error in errors]
    yield from ["Reference", "=========", ""]
    yield from ["Every public name, from its docstring: equation, shapes, errors, example.", ""]
    yield f"This build proved {len(checked)} derivatives; the largest relative error is {max(checked):.0e}. How a"
    yield "derivative is proved is the subject of :doc:`gradcheck` and :doc:`check_vjp`."
    yield from ["", ".. list-table::", "   :class: names", "   :widths: auto", ""]
    for page, _, says in kept:
        yield from [f"   * - :doc:`{page}`", f"     - {says}", f"     - {len(groups[page])}"]
    yield from [
        "   * - :doc:`command-line`",
        "     - The options of ``chainrule train`` and the other commands.",
        "     - ",
    ]
    yield from ["", ".. toctree::", "   :hidden:", "", *(f"   {page}" for page, *_ in kept), "   command-line", ""]


def public_bases(app: Sphinx, name: str, thing: type, options: Any, bases: list[type]) -> None:
    """Show no base that has no page."""
    bases[:] = [base for base in bases if base in classes()]


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for them."""
    from numpydoc.docscrape_sphinx import SphinxDocString

    app.connect("autodoc-process-bases", public_bases)
    entry = SphinxDocString._process_param  # keeps what a docstring says of an attribute that is a property
    SphinxDocString._process_param = lambda self, name, says, _: entry(self, name, says, False)
    app.connect("builder-inited", lambda app: write(Path(app.srcdir) / "reference"))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
