"""The figures that ``chainrule train`` saves next to the model."""

from __future__ import annotations

import sys
from pathlib import Path

from .. import plots
from .._support.checks import Array
from .._support.files import replacing
from ..training.callbacks import History
from .facts import Facts

DOTS_PER_INCH = 150
FILES = ("curves.png", "confusion.png", "predictions.png")


def draw(out: Path, facts: Facts, history: History, said: Array, true: Array) -> list[str]:
    """Save the figures and return the names of the files; without Matplotlib, print a note instead."""
    try:
        return write(out, facts, history, said, true)
    except ImportError as error:
        print(f"note: no figures written: {error}", file=sys.stderr)
        return []


def write(out: Path, facts: Facts, history: History, said: Array, true: Array) -> list[str]:
    """Save the learning curves and the test results; y are class indices or numbers (N,)."""
    figures = {"curves.png": plots.curves(history)} if len(history) else {}
    if facts.class_names:
        known = true >= 0
        figures["confusion.png"] = plots.confusion(true[known], said[known], facts.class_names)
    else:
        figures["predictions.png"] = plots.predictions(true, said, facts.target)
    for name, figure in figures.items():
        with replacing("train", out / name) as stream:
            figure.savefig(stream, format="png", dpi=DOTS_PER_INCH)
    return list(figures)
