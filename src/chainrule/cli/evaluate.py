"""Evaluate a trained model on labelled data.

SOURCE is a table with the target and the columns that the model was trained on, or the name of a data set, whose test
set is used. Rows of a class that training did not have count as wrong; rows without a target are left out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .models import add_model_argument, open_model
from .reading import add_reading_options, labelled
from .scores import per_class, scores_of_classes, scores_of_numbers, written

EXAMPLE = "chainrule evaluate flowers-model/model.safetensors more-flowers.csv"
MAX_CLASSES = 30  # maximum number of classes for the table with a line per class


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``chainrule evaluate``."""
    add_model_argument(parser)
    parser.add_argument("source", metavar="SOURCE", help="a table with the target column, or the name of a data set")
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the scores, and those of each class unless there are too many."""
    model = open_model("evaluate", args.model)
    facts = model.facts
    rows = labelled("evaluate", model, args.source, vars(args))
    if facts.columns and Path(args.source).name == facts.source:
        print("note: the model was trained on rows of this table; expect lower scores on new data", file=sys.stderr)
    if not facts.class_names:
        print(written(scores_of_numbers(model.numbers(rows.x), rows.y), len(rows.y)))
        return 0
    p = model.probabilities(rows.x)
    print(written(scores_of_classes(p, rows.y), len(rows.y)))
    if len(facts.class_names) <= MAX_CLASSES:
        print(per_class(facts.class_names, p.argmax(axis=1), rows.y))
    return 0
