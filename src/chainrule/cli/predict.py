"""Predict the rows of a table with a trained model.

TABLE has the columns that the model was trained on, without preprocessing; other columns are ignored, and the target is
not needed. CSV, Parquet and Arrow are read in blocks, so TABLE may be larger than memory; it may also be a folder of
Parquet files, a pattern such as "2024/*.csv", or a URL of Parquet files. For an image model, TABLE is the name of the
data set, whose test set is predicted, or a table with one column per pixel. Predictions are written one line per row,
in the order of the table: as Parquet if FILE ends in .parquet, otherwise as CSV. On standard output, control characters
are escaped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from .._support.checks import Array, sentence
from ..tabular.columns import text_of
from ..tabular.reading import naming_rows, numbered
from .models import Trained, add_model_argument, model_path, open_model, output_path
from .outputs import write_predictions
from .reading import STDIN, add_reading_options, blocks_of_rows, note_unseen, pixels, resolve, test_set

EXAMPLE = "chainrule predict flowers-model new.csv --probabilities --keep id --out predictions.csv"
Columns: TypeAlias = "dict[str, Any]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``chainrule predict``."""
    add_model_argument(parser)
    parser.add_argument("table", metavar="TABLE", help="the table to predict, or - for standard input")
    parser.add_argument("--out", metavar="FILE", help="output file, or - for standard output (default: -)")
    parser.add_argument("--keep", metavar="COLUMN", action="append", default=[], help="copy a column; may be repeated")
    parser.add_argument("--probabilities", "--proba", action="store_true", help="add the probability of each class")
    parser.add_argument("--quantiles", action="store_true", help="add the quantiles that the model was trained for")
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Write the predictions."""
    read = [] if args.table == STDIN else [args.table]
    out = None if args.out in (None, STDIN) else output_path("predict", args.out, *read, model_path(args.model))
    model = open_model("predict", args.model)
    _check(args, model)
    count = write_predictions("predict", out, _predictions(args, model))
    if out is not None:
        print(f"{count:,} predictions written to {args.out}", file=sys.stderr)
    return 0


def _check(args: argparse.Namespace, model: Trained) -> None:
    if args.probabilities and not model.facts.class_names:
        got = "a regression model"
        raise ValueError(sentence("predict", "a classification model for --probabilities", got, "omit --probabilities"))
    if args.quantiles and not model.has_quantiles:
        remedy = "train with --quantiles 0.1,0.5,0.9"
        raise ValueError(sentence("predict", "a model of quantiles for --quantiles", "another", remedy))


def _predictions(args: argparse.Namespace, model: Trained) -> Iterator[Columns]:
    """Yield the columns to write, block by block."""
    facts, given = model.facts, vars(args)
    found = resolve("predict", args.table)
    if facts.image_shape is None and found.is_table:
        said: set[str] = set()
        for part, above in numbered(blocks_of_rows("predict", facts, args.table, given, _kept(args.keep))):
            with naming_rows(part.source, above):
                note_unseen(model, part.frame, said)
                kept = {name: part[name] for name in _kept(args.keep)}
                yield kept | _answers(args, model, part.frame)
        return
    if args.keep:
        raise ValueError(sentence("predict", "a table of columns for --keep", args.table, "omit --keep"))
    x = pixels("predict", facts, args.table, given) if found.is_table else test_set("predict", facts, found).x_test
    yield _answers(args, model, x)


def _kept(given: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(given))


def _answers(args: argparse.Namespace, model: Trained, rows: Any) -> Columns:
    if not model.facts.class_names:
        found: Columns = {"prediction": _plain(model.numbers(rows), model)}
    else:
        p = model.probabilities(rows)
        found = {"prediction": _as_written(model.labels(p))}
    if args.probabilities:
        found |= {f"probability_{name}": p[:, at] for at, name in enumerate(model.facts.class_names)}
    if args.quantiles:
        levels, q = model.quantiles(rows)
        found |= {f"quantile_{level:g}": _plain(q[:, at], model) for at, level in enumerate(levels)}
    return found


def _as_written(labels: Array) -> Array:
    return labels if labels.dtype.kind in "iu" else np.array([text_of(label) for label in labels.tolist()], object)


def _plain(values: Array, model: Trained) -> Array:
    """Round numbers to their significant digits."""
    return np.array([float(f"{value:.{model.digits}g}") for value in values.tolist()], np.float64)
