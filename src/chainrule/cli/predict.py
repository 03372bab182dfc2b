"""Predict the rows of a table with a trained model.

TABLE has the columns that the model was trained on; other columns are ignored, and the target is not needed. For an
image model, TABLE is the name of the data set, whose test set is predicted, or a table with one column per pixel. The
predictions are written as CSV, one line per row, in the order of the table: into a file as they are, on standard output
with control characters escaped.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from .. import ops
from .._support.checks import Array, sentence
from .._support.files import write_text
from .facts import Facts, add_model_argument, model_path, open_model, output_path
from .sources import add_header_option, unlabeled_rows

EXAMPLE = "chainrule predict flowers-model/model.safetensors new.csv --proba --out predictions.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``chainrule predict``."""
    add_model_argument(parser)
    parser.add_argument("table", metavar="TABLE", help="the table to predict")
    parser.add_argument("--out", metavar="FILE", help="output file, or - for standard output (default: -)")
    parser.add_argument("--proba", action="store_true", help="add the probability of each class")
    add_header_option(parser)


def run(args: argparse.Namespace) -> int:
    """Write the predictions."""
    out = None if args.out in (None, "-") else output_path("predict", args.out, args.table, model_path(args.model))
    model, facts = open_model("predict", args.model)
    if args.proba and not facts.class_names:
        raise ValueError(
            sentence("predict", "a classification model for --proba", "a regression model", "omit --proba")
        )
    outputs = model.predict(unlabeled_rows("predict", facts, args.table, args.header))
    lines = _lines(facts, outputs, args.proba)
    if out is None:
        _write(sys.stdout, lines)
        return 0
    text = io.StringIO(newline="")
    _write(text, lines)
    write_text("predict", out, text.getvalue())
    print(f"{len(outputs):,} predictions written to {args.out}", file=sys.stderr)
    return 0


def _write(file: TextIO, lines: Iterable[Sequence[object]]) -> None:
    csv.writer(file, lineterminator="\n").writerows(lines)


def _lines(facts: Facts, outputs: Array, proba: bool) -> Iterator[Sequence[object]]:
    yield ["prediction", *(f"probability_{name}" for name in facts.class_names if proba)]
    predictions = facts.decode(outputs).tolist()
    if not facts.class_names:
        yield from ([f"{value:.7g}"] for value in predictions)  # as many digits as float32 has
    elif proba:
        probabilities = ops.softmax(outputs).tolist()
        yield from ([label, *(f"{p:.6g}" for p in row)] for label, row in zip(predictions, probabilities, strict=True))
    else:
        yield from ([label] for label in predictions)
