"""The metadata of a model file: the problem that the model solves, and how its table was read."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._support.checks import sentence
from .._support.files import as_path

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
        """Classification or regression."""
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
