"""Follow one row through a trained model: every layer forward and backward, and what each column contributed.

TABLE has the columns that the model was trained on. --row is the row to explain, counted from 1; the others say what is
typical. If TABLE has the target too, the backward pass and one step of gradient descent are shown. --cell gives the row
itself, without a TABLE or compared with one; columns that are not named are missing. For an image model, TABLE is the
name of the data set, whose test set is used. --out writes the same as a page for the browser.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._support.checks import check_name, sentence
from ..explanation import Explanation, explain
from ..tabular.columns import Frame
from ..tabular.reading import naming_rows
from .models import NetworkModel, Trained, add_model_argument, model_path, network_of, open_model, output_path
from .reading import STDIN, add_reading_options, note_unseen, read_rows, resolve, test_set
from .scores import class_codes, numbers_of

EXAMPLE = "chainrule explain houses-model houses.csv --row 3 --out houses-3.html"
WHO = "explain"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``chainrule explain``."""
    add_model_argument(parser)
    parser.add_argument("table", metavar="TABLE", nargs="?", help="the table with the row, or - for standard input")
    parser.add_argument("--row", metavar="N", type=int, default=1, help="the row to explain, from 1 (default: 1)")
    parser.add_argument("--cell", metavar="COLUMN=VALUE", action="append", default=[], help="a cell; may be repeated")
    parser.add_argument("--out", metavar="FILE", help="write a page, such as row.html")
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the explanation, and write the page."""
    read = [] if args.table in (None, STDIN) else [args.table]
    out = None if args.out is None else output_path(WHO, args.out, *read, model_path(args.model))
    model = open_model(WHO, args.model)
    found = _explained(args, model)
    print(found)
    if out is not None:
        found.save(out)
        print(f"\n{args.out} shows it as a page")
    return 0


def _explained(args: argparse.Namespace, model: Trained) -> Explanation:
    facts = model.facts
    if args.table is None and not args.cell:
        raise ValueError(sentence(WHO, "a TABLE, or --cell for each column and its value", "neither"))
    if facts.image_shape is not None:
        return _of_image(args, model)
    frame = None if args.table is None else _frame(args, model)
    with naming_rows(args.table or "the cells"):
        if frame is None or args.cell:
            row, y = _cells(args.cell, facts.columns), None
        else:
            at = _place(args, len(frame))
            row, y = frame[[at]], _answer(model, frame, at)
            note_unseen(model, row)
        if isinstance(model.model, NetworkModel):  # of version 0.1.0
            return explain(model.model.network, model.model.encode(row))
        return explain(model.model, row, y, baseline=frame)


def _frame(args: argparse.Namespace, model: Trained) -> Any:
    """Read the table, with its target if it has one."""
    try:
        return read_rows(WHO, model.facts, args.table, vars(args), [model.facts.target]).frame
    except ValueError:  # if another column is missing, the second attempt says so
        return read_rows(WHO, model.facts, args.table, vars(args)).frame


def _place(args: argparse.Namespace, count: int) -> int:
    if not count:
        raise ValueError(sentence(WHO, f"rows in {args.table}", "none"))
    if not 1 <= args.row <= count:
        raise ValueError(sentence(WHO, f"--row from 1 to {count:,}, a row of {args.table}", str(args.row)))
    return int(args.row) - 1


def _answer(model: Trained, frame: Any, at: int) -> Any:
    """Return the target of a row as the model has it; None if it is missing or unknown."""
    facts = model.facts
    if facts.target not in frame.columns:
        return None
    column = Frame(WHO, frame).column(facts.target)
    if facts.class_names:
        code = int(class_codes(column, facts.class_names)[0][at])
        return None if code < 0 else model.model.classes_[code]
    number = float(numbers_of(facts.target, column)[at])
    return number if np.isfinite(number) else None


def _cells(given: Sequence[str], columns: Sequence[str]) -> dict[str, list[str | None]]:
    """Read COLUMN=VALUE as a row; columns that are not named are missing."""
    row: dict[str, list[str | None]] = {name: [None] for name in columns}
    for text in given:
        name, is_cell, value = text.partition("=")
        if not is_cell:
            raise ValueError(sentence(WHO, "--cell to give a column, = and a value", repr(text)))
        row[check_name(WHO, "a column of the model", name, columns)] = [value]
    return row


def _of_image(args: argparse.Namespace, model: Trained) -> Explanation:
    if args.table is None or args.cell:
        raise ValueError(sentence(WHO, "the name of a data set for a model of images", "cells", "omit --cell"))
    data = test_set(WHO, model.facts, resolve(WHO, args.table))
    at = _place(args, len(data.x_test))
    return explain(network_of(model), data.x_test[at], data.y_test[at], loss="cross_entropy")
