"""Show what a trained model learned: scores, pictures, worst examples and importances on one page, report.html.

DIR is the output folder of train. SOURCE is a table with the target, best of rows that training never saw, or the name
of a data set, whose test set is used. Without SOURCE the rows are those that train set aside for the test.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import reporting
from .._support.checks import Array, sentence
from .._support.files import read_facts
from ..data.tables import Table
from ..model import Sequential
from . import runs
from .facts import Facts, open_model
from .sources import add_header_option, labeled, resolve, table_problem

EXAMPLE = "chainrule report flowers-model more-flowers.csv"
PAGE, HISTORY, RUN = "report.html", "history.json", "run.json"
SPLIT = ("target", "task", "columns", "text", "header", "test_fraction", "validation", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``chainrule report``."""
    parser.add_argument("folder", metavar="DIR", help="the output folder of train; the page is written there")
    parser.add_argument(
        "source", metavar="SOURCE", nargs="?", help="a table with the target column, or the name of a data set"
    )
    add_header_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the table and write the page."""
    folder = Path(args.folder)
    if not folder.is_dir():
        raise NotADirectoryError(sentence("report", "the output folder of train", str(folder)))
    model, facts = open_model("report", str(folder))
    record = _read(folder / RUN)
    x, y, table, what, note = _rows(args, facts, record)
    history = _read(folder / HISTORY).get("rows")
    if note:
        print(f"note: {note}", file=sys.stderr)
    found = reporting.report(
        model if facts.class_names else _InUnits(model, facts),
        x,
        y if facts.class_names else facts.decode(y),
        class_names=facts.class_names or None,
        feature_names=_names(facts),
        image_shape=facts.image_shape,
        rows=None if table is None else _as_shown(table, facts),
        history=history if isinstance(history, list) else None,
        title=f"{facts.source}: {facts.target}",
        target=facts.target,
        note=note,
        about={"Data": _about_data(facts, what)} | _about_model(model) | _about_run(record),
    )
    print(found)
    found.save(folder / PAGE)
    print(f"\n{folder / PAGE} shows all of it")
    return 0


@dataclass(frozen=True)
class _InUnits:
    """The model of a table's numbers, in the units of the target."""

    model: Sequential
    facts: Facts

    def predict(self, x: Array) -> Array:
        return self.facts.decode(self.model.predict(x))


def _rows(
    args: argparse.Namespace, facts: Facts, record: Mapping[str, Any]
) -> tuple[Array, Array, Table | None, str, str]:
    """The inputs, the targets, the rows as they were written, what they are, and what to be warned of."""
    if args.source is None and facts.encoder is not None:
        return *_set_aside(facts, record), "the rows that training set aside for the test", ""
    source = facts.source if args.source is None else args.source
    x, y, table = labeled("report", facts, source, args.header)
    if table is None:
        return x, y, None, f"the test set of {source}", ""
    seen = Path(source).name == facts.source
    note = "The model was trained on rows of this table; expect lower scores on new data." if seen else ""
    return x, y, table, source, note


def _set_aside(facts: Facts, record: Mapping[str, Any]) -> tuple[Array, Array, Table]:
    """The test rows again, from the same table, divided in the same way."""
    remedy = f"name a table with the column {facts.target!r}"
    settings = record.get("settings")
    if not isinstance(settings, dict) or not runs.are_settings(settings, ("source", *SPLIT)):
        raise ValueError(sentence("report", "a SOURCE", f"none, and no {RUN} that says how rows were divided", remedy))
    found = resolve("report", str(settings["source"]))
    if isinstance(found, str):
        raise ValueError(sentence("report", "a table", f"the data set {found}", remedy))
    given = {name: settings[name] for name in SPLIT}
    given["text"], fraction = given["text"] or (), given.pop("test_fraction")
    problem = table_problem(found, test=0.2 if fraction is None else fraction, **given)
    if problem.rows is None or problem.facts.to_metadata()["encoder"] != facts.to_metadata()["encoder"]:
        raise ValueError(sentence("report", f"{found} as it was when the model was trained", "another table", remedy))
    return *problem.test, problem.rows


def _names(facts: Facts) -> list[str] | None:
    """The column that each input is of."""
    if facts.encoder is None:
        return None
    known = facts.encoder.categories
    return [name for name in facts.encoder.columns for _ in known.get(name, ("",))]


def _as_shown(table: Table, facts: Facts) -> dict[str, Any]:
    """The columns that the model sees, behind the place of each row in its file."""
    names = facts.encoder.columns if facts.encoder is not None else ()
    place = table.unit if table.unit not in names else f"{table.unit} of the file"
    return {place: table.lines} | {name: table[name] for name in names}


def _about_data(facts: Facts, what: str) -> dict[str, Any]:
    about = {"trained on": facts.source, "these rows": what, "task": facts.task, "target": facts.target}
    if facts.class_names:
        about["classes"] = ", ".join(facts.class_names)
    if facts.encoder is not None:
        about["columns"] = ", ".join(facts.encoder.columns)
    shape = {"images": " × ".join(map(str, facts.image_shape)) + " pixels"} if facts.image_shape else {}
    return about | {"inputs": f"{facts.inputs:,}"} | shape


def _about_model(model: Sequential) -> dict[str, Any]:
    layers: dict[str, Any] = {f"layer {place}": repr(layer) for place, layer in enumerate(model.layers, start=1)}
    size = {"parameters": f"{model.parameters.vector.size:,}", "dtype": model.dtype.name}
    about: dict[str, Any] = {"Network": layers | size}
    for heading, name in (("Training", "training"), ("Scores when it was trained", "scores")):
        if isinstance(model.metadata.get(name), Mapping):
            about[heading] = model.metadata[name]
    return about


def _about_run(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of the run under one heading for each of its parts."""
    parts = {f"Run: {name}": value for name, value in record.items() if isinstance(value, Mapping)}
    others = {name: value for name, value in record.items() if not isinstance(value, Mapping)}
    return parts | ({"Run": others} if others else {})


def _read(path: Path) -> dict[str, Any]:
    """A file of facts; nothing if there is none, or a damaged one."""
    try:
        return read_facts("report", path, "facts that train writes")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        print(f"note: {path} is left out: it does not hold the facts that train writes", file=sys.stderr)
        return {}
