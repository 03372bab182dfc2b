"""Show what a trained model learned: scores, pictures, worst examples and importances on one page, report.html.

DIR is the output folder of train. SOURCE is a table with the target, preferably of new rows, or the name of a data set,
whose test set is used. Without SOURCE, the rows are those that train set aside for the test.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import reporting
from .._support.checks import Array, sentence
from .._support.files import read_facts
from . import runs
from .models import Facts, Trained, network_of, open_model
from .reading import Labelled, add_reading_options, labelled
from .screen import HISTORY_FILE
from .tables import set_aside

EXAMPLE = "chainrule report flowers-model more-flowers.csv"
PAGE = "report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``chainrule report``."""
    parser.add_argument("folder", metavar="DIR", help="the output folder of train; the page is written there")
    parser.add_argument(
        "source", metavar="SOURCE", nargs="?", help="a table with the target column, or the name of a data set"
    )
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the table and write the page."""
    folder = Path(args.folder)
    if not folder.is_dir():
        raise NotADirectoryError(sentence("report", "the output folder of train", str(folder)))
    model = open_model("report", str(folder))
    facts, record = model.facts, _read(folder / runs.RECORD)
    rows, what, note = _rows(args, model, record)
    history = _read(folder / HISTORY_FILE).get("rows")
    if note:
        print(f"note: {note}", file=sys.stderr)
    found = reporting.report(
        _Answering(model),
        rows.x if facts.image_shape is not None else rows.x.select(list(facts.columns)),
        rows.y.astype(np.intp) if facts.class_names else rows.y,
        class_names=facts.class_names or None,
        image_shape=facts.image_shape,
        rows=None if facts.image_shape is not None else _as_shown(rows, facts),
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


class _Answering:
    """A model with the interface of a report: classes are indices of their names."""

    def __init__(self, model: Trained) -> None:
        self._model = model
        if model.facts.class_names:
            self.classes_ = np.arange(len(model.facts.class_names))
        self.encoding_ = getattr(model.model, "encoding_", None)

    def predict(self, x: Any) -> Array:
        return self._model.numbers(x)

    def predict_proba(self, x: Any) -> Array:
        return self._model.probabilities(x)


def _rows(args: argparse.Namespace, model: Trained, record: Mapping[str, Any]) -> tuple[Labelled, str, str]:
    """Return the rows, what they are, and warnings."""
    facts = model.facts
    if args.source is None and facts.image_shape is None:
        return _set_aside(facts, record), "the rows that training set aside for the test", ""
    source = facts.source if args.source is None else args.source
    rows = labelled("report", model, source, vars(args))
    if facts.image_shape is not None:
        return rows, f"the test set of {source}", ""
    known = rows.y >= 0 if facts.class_names else np.ones(len(rows.y), bool)
    if not known.any():
        raise ValueError(sentence("report", f"rows of classes that training saw in {source}", "none"))
    if not known.all():
        print("note: the page leaves these rows out", file=sys.stderr)
        rows = Labelled(rows.x[np.flatnonzero(known).tolist()], rows.y[known], rows.lines[known])
    seen = Path(source).name == facts.source
    note = "The model was trained on rows of this table; expect lower scores on new data." if seen else ""
    return rows, source, note


def _set_aside(facts: Facts, record: Mapping[str, Any]) -> Labelled:
    remedy = f"name a table with the column {facts.target!r}"
    settings = record.get("settings")
    if not isinstance(settings, dict) or not runs.are_settings(settings, runs.SETTINGS):
        raise ValueError(
            sentence("report", "a SOURCE", f"none, and no {runs.RECORD} that says how rows were divided", remedy)
        )
    rows, data = set_aside(settings, facts)
    if data["sha256"] != (record.get("data") or {}).get("sha256"):
        expected = f"{settings['source']} as it was when the model was trained"
        raise ValueError(sentence("report", expected, "another table", remedy))
    return rows


def _as_shown(rows: Labelled, facts: Facts) -> dict[str, Any]:
    """Return the columns that the model uses, after the position of each row in its table."""
    frame = rows.x
    place = "row" if "row" not in facts.columns else "row of the table"
    return {place: rows.lines} | {name: frame[name].to_list() for name in facts.columns}


def _about_data(facts: Facts, what: str) -> dict[str, Any]:
    about = {"trained on": facts.source, "these rows": what, "task": facts.task, "target": facts.target}
    if facts.class_names:
        about["classes"] = ", ".join(facts.class_names)
    if facts.image_shape is None:
        return about | {"columns": ", ".join(facts.columns)}
    return about | {"inputs": f"{facts.inputs:,}", "images": " × ".join(map(str, facts.image_shape)) + " pixels"}


def _about_model(model: Trained) -> dict[str, Any]:
    network = network_of(model)
    layers: dict[str, Any] = {f"layer {place}": repr(layer) for place, layer in enumerate(network.layers, start=1)}
    size = {"parameters": f"{network.parameters.vector.size:,}", "dtype": network.dtype.name}
    about: dict[str, Any] = {"Network": layers | size}
    for heading, name in (("Training", "training"), ("Scores when it was trained", "scores")):
        if isinstance(network.metadata.get(name), Mapping):
            about[heading] = network.metadata[name]
    return about


def _about_run(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of the run, with a heading for each part, without the options that were not given."""
    parts = {
        f"Run: {name}": {option: given for option, given in value.items() if given is not None}
        for name, value in record.items()
        if isinstance(value, Mapping)
    }
    others = {name: value for name, value in record.items() if not isinstance(value, Mapping) and value != []}
    return parts | ({"Run": others} if others else {})


def _read(path: Path) -> dict[str, Any]:
    """Read a file of facts; empty if it is absent or damaged."""
    try:
        return read_facts("report", path, "facts that train writes")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        print(f"note: {path} is left out: it does not hold the facts that train writes", file=sys.stderr)
        return {}
