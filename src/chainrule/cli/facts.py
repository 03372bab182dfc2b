"""The metadata of a model file: the problem that the model was trained for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._support.checks import Array, check_shape, sentence
from .._support.files import as_path
from ..losses import CrossEntropy
from ..metrics import accuracy, mean_absolute_error, r2_score, root_mean_squared_error
from ..model import Sequential
from ..persistence import load
from ..tabular import TableEncoder

MODEL_FILE = "model.safetensors"


@dataclass(frozen=True)
class Facts:
    """The problem: the inputs, the outputs, and what the outputs mean.

    A table has an ``encoder``, a named data set an ``image_shape``; ``class_names`` is empty for regression.
    """

    source: str
    target: str
    class_names: tuple[str, ...]
    encoder: TableEncoder | None = None
    image_shape: tuple[int, int] | None = None

    @property
    def task(self) -> str:
        """Classification or regression, as in ``TableEncoder``."""
        return "classification" if self.class_names else "regression"

    @property
    def inputs(self) -> int:
        """I, the width of x."""
        if self.encoder is not None:
            return len(self.encoder.feature_names)
        height, width = self.image_shape or (0, 0)
        return height * width

    @property
    def outputs(self) -> int:
        """K or 1, the width of the network's output."""
        return len(self.class_names) or 1

    def decode(self, outputs: Array) -> Array:
        """Labels, or numbers in the target's own units, (N,) from the network's outputs."""
        if self.encoder is not None:
            return self.encoder.decode(outputs)
        check_shape("the model", "outputs", outputs, ("N", self.outputs))
        labels: Array = np.array(self.class_names, dtype=object)[outputs.argmax(axis=1)]
        return labels

    def scores(self, outputs: Array, y: Array) -> dict[str, float]:
        """The scores of the outputs for the targets y, in the target's own units."""
        if self.class_names:
            return {"accuracy": accuracy(y, outputs), "loss": CrossEntropy()(outputs, y)[0]}
        z, t = self.decode(outputs)[:, None], self.decode(y)[:, None]
        scores = {"rmse": root_mean_squared_error(t, z), "mae": mean_absolute_error(t, z)}
        return scores | ({"r2": r2_score(t, z)} if len(t) > 1 else {})

    def to_metadata(self) -> dict[str, Any]:
        """The facts as JSON values; :meth:`from_metadata` is the inverse."""
        return {
            "source": self.source,
            "task": self.task,
            "target": self.target,
            "class_names": list(self.class_names),
            "encoder": None if self.encoder is None else self.encoder.to_dict(),
            "image_shape": None if self.image_shape is None else list(self.image_shape),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Facts:
        """The facts in a model file's metadata; ValueError if they are missing or invalid."""
        source, target = metadata.get("source"), metadata.get("target")
        names, encoder, shape = (metadata.get(name) for name in ("class_names", "encoder", "image_shape"))
        texts = [source, target, *names] if isinstance(names, list) else [None]
        sizes = [] if shape is None else shape
        if not all(isinstance(text, str) for text in texts) or (encoder is None) == (shape is None):
            raise ValueError(
                sentence("a model file", "the metadata that chainrule train writes", "missing or invalid ones")
            )
        if not isinstance(sizes, list) or len(sizes) not in (0, 2) or any(type(size) is not int for size in sizes):
            raise ValueError(sentence("a model file", "the height and width of images", repr(shape)))
        facts = cls(
            source=str(source),
            target=str(target),
            class_names=tuple(names or ()),
            encoder=None if encoder is None else TableEncoder.from_dict(encoder),
            image_shape=None if shape is None else (sizes[0], sizes[1]),
        )
        if facts.encoder is not None and len(facts.encoder.classes) != len(facts.class_names):
            raise ValueError(sentence("a model file", f"{len(facts.class_names)} classes", repr(facts.encoder.classes)))
        return facts


def written(scores: Mapping[str, float], rows: int) -> str:
    """The scores as text: ``accuracy 98.33 % (353 of 359 rows)``."""
    if "accuracy" in scores:
        share = scores["accuracy"]
        return f"accuracy {100 * share:.2f} % ({round(share * rows):,} of {rows:,} rows)"
    r2 = f", R² {scores['r2']:.4f}" if "r2" in scores else ""
    return f"RMSE {scores['rmse']:.4g}, MAE {scores['mae']:.4g}{r2} ({rows:,} row{'s' * (rows != 1)})"


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """``MODEL``, for every command that uses one."""
    parser.add_argument("model", metavar="MODEL", help="a model file, or the output folder of train")


def model_path(path: str) -> Path:
    """The path of the model file; ``path`` may also be the output folder of ``train``."""
    return Path(path) / MODEL_FILE if Path(path).is_dir() else Path(path)


def output_path(who: str, out: str, *inputs: str | Path) -> Path:
    """The path of the file to write, which must be none of those that are read, by whatever name."""
    path = as_path(who, out)
    for source in inputs:
        if os.path.isfile(path) and os.path.exists(source) and os.path.samefile(path, source):
            expected = "--out to be another file than those that it reads"
            raise ValueError(sentence(who, expected, f"{out}, which is {source}", "choose another name"))
    return path


def open_model(who: str, path: str) -> tuple[Sequential, Facts]:
    """A model that ``chainrule train`` saved, and its facts."""
    file = model_path(path)
    model = load(file)
    try:
        return model, Facts.from_metadata(model.metadata)
    except ValueError as error:
        remedy = "in Python use chainrule.load(path).predict(x)"
        expected = f"{file} to be a model saved by `chainrule train`"
        raise ValueError(
            sentence(who, expected, f"a different model file ({str(error).rstrip('.')})", remedy)
        ) from None
