"""The figures that ``chainrule train`` saves next to the model."""

from __future__ import annotations

from pathlib import Path

from .. import plots
from .._support.checks import Array
from .._support.files import replacing
from ..training.callbacks import History
from .facts import Facts

DOTS_PER_INCH = 150
FILES = ("curves.png", "confusion.png", "predictions.png")


def write(out: Path, facts: Facts, history: History, outputs: Array, y: Array) -> list[str]:
    """Save the learning curves and the test results as figures, and return the names of the files."""
    figures = {"curves.png": plots.curves(history)} if len(history) else {}
    if facts.class_names:
        figures["confusion.png"] = plots.confusion(y, outputs.argmax(axis=1), facts.class_names)
    else:
        figures["predictions.png"] = plots.predictions(facts.decode(y), facts.decode(outputs), facts.target)
    for name, figure in figures.items():
        with replacing("train", out / name) as stream:
            figure.savefig(stream, format="png", dpi=DOTS_PER_INCH)
    return list(figures)
