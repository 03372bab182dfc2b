"""Table encodings in model files of version 0.1.0: standardised numbers, one-hot words, no missing values.

    x = (value − mean) / std;  a word is 1 in the input of its category, an unknown word 0 in all
    y = z std + mean for numbers, the class of the largest z for classes

Training now uses :class:`~chainrule.tabular.encoding.TableEncoder`; this encoding is only read, never fitted.
"""

from __future__ import annotations

import itertools
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .._support.checks import Array, check_finite, check_name, check_shape, sentence
from .columns import Frame, Words, as_words
from .encoders.quantities import read_numbers
from .numerals import POINT
from .words import is_missing

FORMAT = 1
WHO = "EarlierEncoder"
TASKS = ("classification", "regression")
Label: TypeAlias = "str | int | float"


@dataclass(frozen=True)
class Numbers:
    """A column of numbers."""

    mean: float
    scale: float

    @property
    def names(self) -> tuple[str, ...]:
        """Return the suffixes of the column's name."""
        return ("",)

    def encode(self, table: Frame, name: str) -> Array:
        x = read_numbers(name, table.column(name), (), POINT)
        if np.isnan(x).any():
            _refuse_gap(name, int(np.argmax(np.isnan(x))))
        return ((x - self.mean) / self.scale)[:, None]


@dataclass(frozen=True)
class Categories:
    """A column of words, in sorted order."""

    values: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"={value}" for value in self.values)

    def encode(self, table: Frame, name: str) -> Array:
        found = as_words(table.column(name))
        index = {value: at for at, value in enumerate(self.values)}
        gaps = [is_missing(word) and word not in index for word in found.words]
        missing = np.array([*gaps, True])[found.codes]
        if missing.any():
            _refuse_gap(name, int(np.argmax(missing)))
        places = np.array([index.get(word, -1) for word in found.words], np.intp)[found.codes]
        x = np.zeros((len(found), len(index)))
        rows = np.flatnonzero(places >= 0)
        x[rows, places[rows]] = 1
        return x

    def unseen(self, found: Words) -> tuple[int, list[str]]:
        """Count the rows with an unknown word, and list some of these words."""
        known, counts = set(self.values), found.counts().tolist()
        new = {word: count for word, count in zip(found.words, counts, strict=True) if count and word not in known}
        return sum(new.values()), sorted(new)[:5]


def _refuse_gap(name: str, row: int) -> None:
    got = f"a missing value at row {row}"
    raise ValueError(sentence(WHO, f"a value in every cell of column {name!r}", got, "fill it, or train again"))


class EarlierEncoder:
    """Encoder from a model file of version 0.1.0: ``transform`` returns x, and ``decode`` the predictions."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        if checked(facts, dict)["format"] != FORMAT:
            raise ValueError(f"format {facts['format']!r}")
        target, inputs = checked(facts["target"], dict), checked(facts["inputs"], list)
        self.task = check_name(WHO, "a task", checked(facts["task"], str), TASKS)
        self.dtype = check_name(WHO, "a dtype", checked(facts["dtype"], str), ("float32", "float64"))
        self.target = checked(target["name"], str)
        self.classes = read_values(target["classes"], str, int, float) if target["classes"] else ()
        if (len(self.classes) >= 2) != (self.task == "classification"):
            raise ValueError(f"{len(self.classes)} classes for {self.task}")
        self._scaling = read_scaling(target)
        self._rules = {checked(entry["name"], str): read_rule(entry) for entry in inputs}
        if len(self._rules) != len(inputs) or not inputs or self.target in self._rules:
            raise ValueError("no inputs, or duplicate names")
        self._facts = dict(facts)

    @classmethod
    def from_dict(cls, facts: Any) -> EarlierEncoder:
        """Read a description; raise a ValueError if it is invalid."""
        try:
            return cls(facts)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(sentence(WHO, "the encoder that was written", reason, "save it again")) from None

    def to_dict(self) -> dict[str, Any]:
        return self._facts

    @property
    def columns(self) -> list[str]:
        return list(self._rules)

    @property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """The known values of each column of words."""
        return {name: rule.values for name, rule in self._rules.items() if isinstance(rule, Categories)}

    @property
    def feature_names(self) -> list[str]:
        return [name + more for name, rule in self._rules.items() for more in rule.names]

    def transform(self, frame: Any) -> Array:
        table = Frame(WHO, frame)
        parts = [rule.encode(table, name) for name, rule in self._rules.items()]
        with np.errstate(over="ignore"):
            return np.hstack(parts).astype(self.dtype)

    def unseen(self, frame: Any) -> dict[str, tuple[int, list[str]]]:
        """For each column with unknown words, count the rows that have one, and list some of the words."""
        table = Frame(WHO, frame)
        found = {
            name: rule.unseen(as_words(table.column(name)))
            for name, rule in self._rules.items()
            if isinstance(rule, Categories)
        }
        return {name: (count, words) for name, (count, words) in found.items() if count}

    def decode(self, outputs: Any) -> Array:
        """Return predictions (N,): labels from outputs (N, K), or numbers in the target's units from (N, 1)."""
        z = np.asarray(outputs)
        check_shape(WHO, "outputs", z, ("N", len(self.classes) or 1))
        check_finite(WHO, "outputs", z)
        if not self.classes:
            numbers: Array = z[:, 0].astype(np.float64) * self._scaling.scale + self._scaling.mean
            return numbers
        labels = np.array(self.classes, dtype=object if isinstance(self.classes[0], str) else None)
        said: Array = labels[np.argmax(z, axis=1)]
        return said


def checked(value: Any, *kinds: type) -> Any:
    """Return ``value`` if its type is exactly one of ``kinds``; True is not a number."""
    if type(value) not in kinds:
        raise ValueError(f"{reprlib.repr(value)} for a {' or '.join(kind.__name__ for kind in kinds)}")
    return value


def read_scaling(entry: Mapping[str, Any]) -> Numbers:
    """Read a finite mean and a finite, positive scale."""
    numbers = Numbers(float(checked(entry["mean"], float, int)), float(checked(entry["scale"], float, int)))
    if not (math.isfinite(numbers.mean) and 0 < numbers.scale < math.inf):
        raise ValueError(f"mean {numbers.mean} and scale {numbers.scale}")
    return numbers


def read_rule(entry: Mapping[str, Any]) -> Numbers | Categories:
    """Read the rule of a column."""
    return Categories(read_values(entry["values"], str)) if "values" in entry else read_scaling(entry)


def read_values(values: Any, *kinds: type) -> tuple[Any, ...]:
    """Read values of one kind in strictly ascending order, which excludes NaN."""
    read = tuple(checked(value, *kinds) for value in checked(values, list))
    if len({type(value) for value in read}) != 1 or not all(a < b for a, b in itertools.pairwise(read)):
        raise ValueError(f"categories {reprlib.repr(values)}")
    return read
