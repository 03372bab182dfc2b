"""Columns of a table to the inputs and targets of a network, and its outputs back to labels or numbers."""

from __future__ import annotations

import difflib
import itertools
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .._checks import Array, check_finite, check_name, check_shape, sentence
from ..data.tables import Table

TASKS = ("classification", "regression")
MAX_CATEGORIES = 1000
MAX_INTEGER_CLASSES = 20
_WHO = "TableEncoder"
_FORMAT = 1
Label: TypeAlias = "str | int | float"


@dataclass(frozen=True)
class Numbers:
    """A column of numbers: z = (value − mean) / scale, where scale is the standard deviation."""

    mean: float
    scale: float


@dataclass(frozen=True)
class Categories:
    """A column of text: one input for each of its values, in sorted order."""

    values: tuple[str, ...]


class TableEncoder:
    """The inputs and targets of a network from the columns of a table, by rules learned from its training rows.

    Inputs, column by column in the order of the training table:

    - numbers are standardised, x = (value − mean) / std, with the mean and the population standard deviation
      of the training rows; a constant column gives 0;
    - text is one-hot coded, one input for each category, in sorted order. A category that training never saw gives
      0 in all of them, so that a model in service does not stop at a new word.

    The task, unless it is given, follows from the target:

    - text (and true/false) is ``"classification"``;
    - numbers of two different values are ``"classification"``;
    - whole numbers of 3 to 20 different values, each of which stands on two rows or more on average, are
      ``"classification"``;
    - all other numbers are ``"regression"``. They are standardised like an input, and ``decode`` undoes it.

    Parameters
    ----------
    task : ``"classification"``, ``"regression"``, or None to infer it in ``fit``.
    dtype : of the inputs and of regression targets, ``"float32"`` or ``"float64"``.

    Attributes
    ----------
    task : the task, inferred if it was not given.
    target : name of the target column.
    columns : names of the input columns, in order.
    text_columns : names of the columns, the target among them, that hold text: what ``read_table`` takes as ``text``.
    feature_names : names of the I inputs, ``height`` for numbers and ``kind=oak`` for a category.
    classes : the K labels in sorted order, str, int or float; empty for regression.

    Raises
    ------
    ValueError
        Missing columns, fewer than two classes or different targets, text in a column of numbers, text columns with
        too many categories (more than 1000, or more than 20 with less than two rows each on average).

    Examples
    --------
    >>> from chainrule.data.tables import Table
    >>> from chainrule.tabular import TableEncoder
    >>> trees = Table({"height": [2, 4, 6, 8], "kind": ["oak", "fir", "oak", "fir"], "cut": ["no", "no", "no", "yes"]})
    >>> encoder = TableEncoder().fit(trees, "cut")
    >>> encoder.task, encoder.classes, encoder.feature_names
    ('classification', ('no', 'yes'), ['height', 'kind=fir', 'kind=oak'])
    >>> encoder.transform(Table({"height": [5, 5], "kind": ["oak", "elm"]}))
    array([[0., 0., 1.],
           [0., 0., 0.]], dtype=float32)
    >>> encoder.encode_target(trees)
    array([0, 0, 0, 1])
    >>> list(encoder.decode([[0.3, 0.7]]))
    ['yes']
    """

    target: str
    classes: tuple[Label, ...]
    _inputs: dict[str, Numbers | Categories]
    _scaling: Numbers  # of the target; (0, 1) for classes, which have none

    def __init__(self, task: str | None = None, dtype: str = "float32") -> None:
        self.task = task if task is None else check_name(_WHO, "a task", task, TASKS)
        self.dtype = check_name(_WHO, "a dtype", dtype, ("float32", "float64"))

    @property
    def columns(self) -> list[str]:
        """Names of the input columns, in order."""
        return list(self._fitted()._inputs)

    @property
    def text_columns(self) -> list[str]:
        """Names of the columns that hold text, the target among them."""
        text = [name for name, rule in self._fitted()._inputs.items() if isinstance(rule, Categories)]
        return [*text, self.target] if self.classes and isinstance(self.classes[0], str) else text

    @property
    def feature_names(self) -> list[str]:
        """Names of the I inputs."""
        names: list[str] = []
        for name, rule in self._fitted()._inputs.items():
            names += [name] if isinstance(rule, Numbers) else [f"{name}={value}" for value in rule.values]
        return names

    def fit(self, table: Table, target: str) -> TableEncoder:
        """Learn the rules from ``table``, which must hold the training rows alone, for the column ``target``.

        Returns the encoder itself.
        """
        _find_columns(table, [target])
        if len(table) < 2:
            raise ValueError(sentence(_WHO, f"at least one column beside the target {target!r}", "none"))
        task = self.task or _infer_task(table[target])
        if task == "classification":
            classes, scaling = _learn_classes(table, target), Numbers(0.0, 1.0)
        else:
            classes, scaling = (), _learn_target_numbers(table, target)
        self._inputs = {name: _learn_input(table, name) for name in table if name != target}
        self.task, self.target, self.classes, self._scaling = task, target, classes, scaling
        return self

    def transform(self, table: Table) -> Array:
        """The inputs x (N, I) for the rows of ``table``; other columns than the encoder's own are ignored."""
        _find_columns(table, self.columns)
        x = np.zeros((table.row_count, len(self.feature_names)), self.dtype)
        start = 0
        for name, rule in self._inputs.items():
            if isinstance(rule, Numbers):
                x[:, start] = _standardise(table, name, rule, x.dtype)
                start += 1
            else:
                codes = _codes(_as_text(table[name]), rule.values)
                known = np.flatnonzero(codes >= 0)
                x[known, start + codes[known]] = 1
                start += len(rule.values)
        return x

    def encode_target(self, table: Table) -> Array:
        """The targets of the rows of ``table``: labels (N,) as int64, or standardised numbers (N, 1).

        A label is the position of its class in ``classes``; a class that training never saw is refused.
        """
        _find_columns(table, [self._fitted().target])
        if not self.classes:
            return _standardise(table, self.target, self._scaling, np.dtype(self.dtype))[:, None]
        text = isinstance(self.classes[0], str)
        values = _as_text(table[self.target]) if text else _numeric(table, self.target)
        labels = _codes(values, self.classes)
        if (labels < 0).any():
            row = int(np.argmin(labels))
            got = f"{values.tolist()[row]!r} on {table.place(row)}"
            raise ValueError(sentence(_WHO, f"only classes that training saw in column {self.target!r}", got))
        return labels

    def decode(self, outputs: Any) -> Array:
        """Predictions (N,) from a network's outputs: the label of the largest of K, or numbers in their own units.

        ``outputs`` has shape (N, K) for classes (logits or probabilities), (N, 1) for numbers.
        """
        outputs = np.asarray(outputs)
        check_shape(_WHO, "outputs", outputs, ("N", len(self._fitted().classes) or 1))
        check_finite(_WHO, "outputs", outputs)
        if not self.classes:
            numbers: Array = outputs[:, 0].astype(np.float64) * self._scaling.scale + self._scaling.mean
            return numbers
        labels = np.array(self.classes, dtype=object if isinstance(self.classes[0], str) else None)
        predicted: Array = labels[np.argmax(outputs, axis=1)]
        return predicted

    def to_dict(self) -> dict[str, Any]:
        """All that was learned, as JSON-able values that ``from_dict`` takes; floats survive to the last bit."""
        return {
            "format": _FORMAT,
            "task": self._fitted().task,
            "dtype": self.dtype,
            "target": {"name": self.target, "classes": list(self.classes), **_facts(self._scaling)},
            "inputs": [{"name": name, **_facts(rule)} for name, rule in self._inputs.items()],
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> TableEncoder:
        """The encoder that ``to_dict`` described; anything else is refused with a ValueError."""
        try:
            if _checked(facts, dict)["format"] != _FORMAT:
                raise ValueError(f"format {facts['format']!r}")
            encoder = cls(_checked(facts["task"], str), _checked(facts["dtype"], str))
            target, inputs = _checked(facts["target"], dict), _checked(facts["inputs"], list)
            encoder.target = _checked(target["name"], str)
            encoder.classes = _read_values(target["classes"], str, int, float) if target["classes"] else ()
            if (len(encoder.classes) >= 2) != (encoder.task == "classification"):
                raise ValueError(f"{len(encoder.classes)} classes for {encoder.task}")
            encoder._scaling = _read_numbers(target)
            encoder._inputs = {_checked(entry["name"], str): _read_input(entry) for entry in inputs}
            if len(encoder._inputs) != len(inputs) or not inputs or encoder.target in encoder._inputs:
                raise ValueError("no inputs, or one name twice")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(sentence(f"{_WHO}.from_dict", "what to_dict gives", reason, "save it anew")) from None
        return encoder

    def _fitted(self) -> TableEncoder:
        if not hasattr(self, "_inputs"):
            raise ValueError(sentence(_WHO, "to have learned from a table", "none yet", "call fit(table, target)"))
        return self


# --- learning -----------------------------------------------------------------------------------------------------


def _infer_task(values: Array) -> str:
    """The rule of ``TableEncoder``."""
    if values.dtype == object:
        return "classification"
    distinct = np.unique(values)
    few = len(distinct) <= min(MAX_INTEGER_CLASSES, len(values) // 2)
    whole = bool(np.all(distinct == np.floor(distinct)))
    return "classification" if len(distinct) <= 2 or (few and whole) else "regression"


def _learn_input(table: Table, name: str) -> Numbers | Categories:
    if table[name].dtype == object:
        return Categories(tuple(_distinct(table, name)))
    return _learn_numbers(table, name, table[name])


def _learn_numbers(table: Table, name: str, values: Array) -> Numbers:
    """Mean and standard deviation; a column without spread keeps the scale 1, and so gives 0."""
    if values.min() == values.max():
        return Numbers(float(values[0]), 1.0)  # exact, where rounding may leave the mean beside the value
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = float(values.mean()), float(values.std())
    if not math.isfinite(scale):
        got = f"{np.abs(values).max():g} in column {name!r} of {table.source}"
        raise ValueError(sentence(_WHO, "numbers whose squares can be added", got, "divide the column first"))
    return Numbers(mean, scale or 1.0)


def _learn_target_numbers(table: Table, target: str) -> Numbers:
    values = _numeric(table, target)
    if values.min() == values.max():
        got = f"{values[0]:g} in every row"
        raise ValueError(sentence(_WHO, f"different numbers in the target {target!r} of {table.source}", got))
    return _learn_numbers(table, target, values)


def _learn_classes(table: Table, target: str) -> tuple[Label, ...]:
    values = _distinct(table, target)
    if len(values) < 2:
        got = f"{values[0]!r} in every row"
        raise ValueError(sentence(_WHO, f"two classes or more in the target {target!r} of {table.source}", got))
    whole = all(isinstance(value, float) and value.is_integer() and abs(value) < 2**53 for value in values)
    return tuple(int(value) for value in values) if whole else tuple(values)


def _distinct(table: Table, name: str) -> list[Any]:
    """The different values of a column in sorted order, if they are few enough to be categories."""
    values = sorted(set(table[name].tolist()))
    if len(values) > MAX_CATEGORIES or len(values) > max(MAX_INTEGER_CLASSES, table.row_count // 2):
        expected = f"column {name!r} of {table.source} to have at most {MAX_CATEGORIES} categories of two rows or more"
        got = f"{len(values)} different values in {table.row_count} rows, such as {values[0]!r}"
        raise ValueError(sentence(_WHO, expected, got, "drop this column, or turn it into numbers or fewer groups"))
    return values


# --- applying -----------------------------------------------------------------------------------------------------


def _find_columns(table: Table, names: list[str]) -> None:
    missing = [name for name in names if name not in table]
    if not missing:
        return
    others = [name for name in table if name not in names]
    near = difflib.get_close_matches(missing[0], others, n=1, cutoff=0.5)
    got = f"{len(table)} columns without {'it' if len(missing) == 1 else 'them'}"
    remedy = f"did you mean {near[0]!r} by {missing[0]!r}" if near else "its columns: " + ", ".join(list(table)[:20])
    columns = ", ".join(map(repr, missing[:10])) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
    raise ValueError(sentence(_WHO, f"column {columns} in {table.source}", got, remedy))


def _standardise(table: Table, name: str, rule: Numbers, dtype: np.dtype[Any]) -> Array:
    values = _numeric(table, name)
    with np.errstate(over="ignore"):
        z = ((values - rule.mean) / rule.scale).astype(dtype)
    if not np.isfinite(z).all():
        row = int(np.argmin(np.isfinite(z)))
        expected = f"numbers in column {name!r} like those of training (about {rule.mean:g} ± {rule.scale:g})"
        raise ValueError(sentence(_WHO, expected, f"{values[row]:g} on {table.place(row)}"))
    return z


def _numeric(table: Table, name: str) -> Array:
    """A column as numbers; text is refused with its place."""
    if table[name].dtype != object:
        return table[name]
    values = np.empty(table.row_count)
    for row, value in enumerate(table[name].tolist()):
        try:
            values[row] = float(value)
        except ValueError:
            got = f"{value!r} on {table.place(row)}"
            raise ValueError(sentence(_WHO, f"numbers in column {name!r}", got, "correct or drop this row")) from None
    return values


def _as_text(values: Array) -> Array:
    """A column as text; numbers are written as a CSV file has them, whole ones without a point."""
    if values.dtype == object:
        return values
    return np.array([str(int(v)) if v.is_integer() else repr(v) for v in values.tolist()], dtype=object)


def _codes(values: Array, categories: tuple[Label, ...]) -> Array:
    """The position of each value in ``categories``, or −1."""
    index = {category: code for code, category in enumerate(categories)}
    return np.array([index.get(value, -1) for value in values.tolist()], dtype=np.int64)


# --- JSON and back ------------------------------------------------------------------------------------------------


def _facts(rule: Numbers | Categories) -> dict[str, Any]:
    if isinstance(rule, Categories):
        return {"values": list(rule.values)}
    return {"mean": rule.mean, "scale": rule.scale}


def _checked(value: Any, *kinds: type) -> Any:
    """``value``, if its type is exactly one of ``kinds`` (so that True is no number)."""
    if type(value) not in kinds:
        raise ValueError(f"{reprlib.repr(value)} for a {' or '.join(kind.__name__ for kind in kinds)}")
    return value


def _read_numbers(entry: Mapping[str, Any]) -> Numbers:
    numbers = Numbers(float(_checked(entry["mean"], float, int)), float(_checked(entry["scale"], float, int)))
    if not (math.isfinite(numbers.mean) and 0 < numbers.scale < math.inf):
        raise ValueError(f"mean {numbers.mean} and scale {numbers.scale}")
    return numbers


def _read_input(entry: Mapping[str, Any]) -> Numbers | Categories:
    return Categories(_read_values(entry["values"], str)) if "values" in entry else _read_numbers(entry)


def _read_values(values: Any, *kinds: type) -> tuple[Any, ...]:
    """Values of one kind in strictly ascending order, which no NaN is."""
    read = tuple(_checked(value, *kinds) for value in _checked(values, list))
    if len({type(value) for value in read}) != 1 or not all(a < b for a, b in itertools.pairwise(read)):
        raise ValueError(f"categories {reprlib.repr(values)}")
    return read
