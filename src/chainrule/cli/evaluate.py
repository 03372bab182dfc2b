"""Evaluate a trained model on labelled data.

SOURCE is a table with the target and the columns that the model was trained on, or the name of a data set, whose test
set is used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .._support.checks import Array
from .._support.text import printable
from ..metrics import confusion_matrix
from .facts import Facts, add_model_argument, open_model, written
from .sources import add_header_option, labeled_rows

EXAMPLE = "chainrule evaluate flowers-model/model.safetensors more-flowers.csv"
MOST_CHARACTERS = 60  # of the name of a class
MAX_CLASSES = 30  # for the table with a line per class


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``chainrule evaluate``."""
    add_model_argument(parser)
    parser.add_argument("source", metavar="SOURCE", help="a table with the target column, or the name of a data set")
    add_header_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the scores, and those of each class unless there are many."""
    model, facts = open_model("evaluate", args.model)
    x, y = labeled_rows("evaluate", facts, args.source, args.header)
    if facts.encoder is not None and Path(args.source).name == facts.source:
        print("note: the model was trained on rows of this table; expect lower scores on new data", file=sys.stderr)
    outputs = model.predict(x)
    scores = facts.scores(outputs, y)
    loss = f", loss {scores['loss']:.4g}" if "loss" in scores else ""
    print(written(scores, len(y)) + loss)
    if 0 < len(facts.class_names) <= MAX_CLASSES:
        print(per_class(facts, outputs, y))
    return 0


def per_class(facts: Facts, outputs: Array, y: Array) -> str:
    """A table of each class's recall and precision."""
    counts = confusion_matrix(y, outputs.argmax(axis=1), len(facts.class_names))
    right, true, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    names = [printable(name, MOST_CHARACTERS) for name in facts.class_names]
    width = max(map(len, ("class", *names)))
    lines = [f"{'class':<{width}}  {'rows':>7}  {'recall':>9}  {'precision':>9}"]
    for name, hits, rows, guesses in zip(names, right, true, predicted, strict=True):
        lines.append(f"{name:<{width}}  {rows:>7,}  {_share(hits, rows):>9}  {_share(hits, guesses):>9}")
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "–"
