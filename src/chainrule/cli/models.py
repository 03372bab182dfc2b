"""Open a model file for the shell: raw rows in; labels and probabilities, or numbers, out; and its metadata.

A file contains the network of a named data set, a :class:`~chainrule.TabularClassifier` or
:class:`~chainrule.TabularRegressor`, or the network of a table that version 0.1.0 trained. The metadata say what
problem the model solves, and how its table was read.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .._support.checks import Array, check_finite, sentence
from .._support.files import as_path
from ..model import Sequential
from ..ops import softmax
from ..persistence import load
from ..tabular.columns import text_of
from ..tabular.earlier import EarlierEncoder

MODEL_FILE = "model.safetensors"
KEY = "shell"  # the key in the metadata of a table model


@dataclass(frozen=True)
class Facts:
    """The problem: the inputs, the outputs, and what the outputs mean.

    A named data set has an ``image_shape``; a table has ``columns``, those that the model needs. ``class_names`` is
    empty for regression. ``table`` lists all columns of the training table, ``texts`` those with text, and ``reading``
    the options by which it was read.
    """

    source: str
    target: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int] | None = None
    columns: tuple[str, ...] = ()
    table: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> str:
        return "classification" if self.class_names else "regression"

    @property
    def inputs(self) -> int:
        """Pixels, or columns."""
        height, width = self.image_shape or (0, 0)
        return height * width or len(self.columns)

    @property
    def outputs(self) -> int:
        """K, or 1."""
        return len(self.class_names) or 1

    def without_target(self, known: Sequence[str]) -> dict[str, str]:
        """For a file without header and target: name in training → name by position; otherwise empty."""
        rest = [name for name in self.table if name != self.target]
        alike = self.reading.get("header") is False and list(known) == [f"c{at}" for at in range(len(rest))]
        return dict(zip(rest, known, strict=True)) if alike and rest else {}

    def to_metadata(self) -> dict[str, Any]:
        """Convert the facts to JSON values; :meth:`from_metadata` is the inverse."""
        shape = None if self.image_shape is None else list(self.image_shape)
        plain: dict[str, Any] = {"source": self.source, "task": self.task, "target": self.target}
        plain |= {"class_names": list(self.class_names), "image_shape": shape}
        if shape is not None:
            return plain
        lists = {"columns": list(self.columns), "table": list(self.table), "texts": list(self.texts)}
        return plain | lists | {"reading": dict(self.reading)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Facts:
        """Read the facts from metadata; raise a ValueError if they are missing or invalid."""
        source, target = metadata.get("source"), metadata.get("target")
        lists = {name: metadata.get(name, []) for name in ("class_names", "columns", "table", "texts")}
        texts = [source, target, *(text for found in lists.values() if isinstance(found, list) for text in found)]
        are_lists = "class_names" in metadata and all(isinstance(found, list) for found in lists.values())
        shape, reading = metadata.get("image_shape"), metadata.get("reading", {})
        sizes = [] if shape is None else shape
        if not are_lists or not all(isinstance(text, str) for text in texts) or not isinstance(reading, dict):
            raise ValueError(
                sentence("a model file", "the metadata that chainrule train writes", "missing or invalid ones")
            )
        if not isinstance(sizes, list) or len(sizes) not in (0, 2) or any(type(size) is not int for size in sizes):
            raise ValueError(sentence("a model file", "the height and width of images", repr(shape)))
        return cls(
            source=str(source),
            target=str(target),
            image_shape=None if shape is None else (sizes[0], sizes[1]),
            reading=reading,
            **{name: tuple(found) for name, found in lists.items()},
        )


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``MODEL``, for every command that uses one."""
    parser.add_argument("model", metavar="MODEL", help="a model file, or the output folder of train")


def model_path(path: str) -> Path:
    """Return the path of the model file; ``path`` may also be the output folder of ``train``."""
    return Path(path) / MODEL_FILE if Path(path).is_dir() else Path(path)


def output_path(who: str, out: str, *inputs: str | Path) -> Path:
    """Return the path of the file to write, which must differ from the files that are read."""
    path = as_path(who, out)
    for source in inputs:
        if os.path.isfile(path) and os.path.exists(source) and os.path.samefile(path, source):
            expected = "--out to be another file than those that it reads"
            raise ValueError(sentence(who, expected, f"{out}, which is {source}", "choose another name"))
    return path


DIGITS = 7  # significant digits of float32
_MOST_DIGITS = 17


@dataclass(frozen=True)
class Trained:
    """A model with scikit-learn's methods, and its facts."""

    model: Any
    facts: Facts

    @property
    def has_quantiles(self) -> bool:
        return getattr(self.model, "quantiles", None) is not None

    def numbers(self, rows: Any) -> Array:
        """Predict numbers in the units of the target (N,)."""
        found = np.asarray(self.model.predict(rows), np.float64)
        check_finite("the model", "its predictions", found)
        return found

    def probabilities(self, rows: Any) -> Array:
        """Predict the probabilities of the classes (N, K)."""
        p = np.asarray(self.model.predict_proba(rows), np.float64)
        check_finite("the model", "its predictions", p)
        return p

    def labels(self, p: Array) -> Array:
        found: Array = np.asarray(self.model.classes_)[p.argmax(axis=1)]
        return found

    def quantiles(self, rows: Any) -> tuple[list[float], Array]:
        """Return the levels and the predicted quantiles (N, Q)."""
        return sorted(map(float, self.model.quantiles)), np.asarray(self.model.predict_quantiles(rows))

    def unseen(self, rows: Any) -> dict[str, tuple[int, list[str]]]:
        """For each column with unseen values, count the rows that have one, and list some of the values."""
        encoder = getattr(self.model, "encoder_", None)
        return {} if encoder is None else dict(encoder.unseen(rows))

    @property
    def digits(self) -> int:
        """Number of digits that distinguish predictions, even far from 0."""
        low, high, scale = (np.ravel(getattr(self.model, name, 1.0)) for name in ("low_", "high_", "scale_"))
        far = max(np.abs(low).max(), np.abs(high).max()) / max(float(scale.min()), 1e-300)
        return min(DIGITS + max(0, math.ceil(math.log10(max(far, 1.0))) - 1), _MOST_DIGITS)


class NetworkModel:
    """A network with its encoding and decoding, and scikit-learn's methods."""

    def __init__(
        self,
        network: Sequential,
        classes: tuple[Any, ...],
        encode: Callable[[Any], Array],
        decode: Callable[[Array], Array],
        encoder: Any = None,
    ) -> None:
        self.network, self.encode, self._decode = network, encode, decode
        if encoder is not None:
            self.encoder_ = encoder
        if classes:
            self.classes_ = np.array([text_of(label) for label in classes], object)

    def predict(self, rows: Any) -> Array:
        return self._decode(self.network.predict(self.encode(rows)))

    def predict_proba(self, rows: Any) -> Array:
        p: Array = softmax(self.network.predict(self.encode(rows)).astype(np.float64))
        return p


def open_model(who: str, path: str) -> Trained:
    """Open a model that ``chainrule train`` saved, with its facts."""
    file = model_path(path)
    found = load(file)
    try:
        return trained(found)
    except ValueError as error:
        remedy = "in Python use chainrule.load(path).predict(x)"
        expected = f"{file} to be a model saved by `chainrule train`"
        raise ValueError(
            sentence(who, expected, f"a different model file ({str(error).rstrip('.')})", remedy)
        ) from None


def trained(found: Any) -> Trained:
    """Wrap a loaded model; raise a ValueError if the shell did not write it."""
    network = found if isinstance(found, Sequential) else found.model_
    metadata: dict[str, Any] = network.metadata
    facts = Facts.from_metadata(metadata)
    if not isinstance(found, Sequential):
        classes = tuple(map(text_of, np.ravel(getattr(found, "classes_", ())).tolist()))
        if facts.class_names != classes or set(found.encoder_.columns) != set(facts.columns):
            raise ValueError(sentence("a model file", "the classes and columns of its model", "others"))
        return Trained(found, facts)
    if facts.image_shape is not None and metadata.get("encoder") is None:
        return Trained(NetworkModel(found, facts.class_names, np.asarray, np.ravel), facts)
    encoder = EarlierEncoder.from_dict(metadata.get("encoder"))
    texts = tuple(encoder.categories)
    if len(encoder.classes) != len(facts.class_names):
        raise ValueError(sentence("a model file", f"{len(facts.class_names)} classes", repr(encoder.classes)))
    facts = Facts(facts.source, facts.target, facts.class_names, columns=tuple(encoder.columns), texts=texts)
    return Trained(NetworkModel(found, encoder.classes, encoder.transform, encoder.decode, encoder), facts)


def network_of(model: Trained) -> Sequential:
    """Return the network inside a model."""
    found: Sequential = model.model.network if isinstance(model.model, NetworkModel) else model.model.model_
    return found
