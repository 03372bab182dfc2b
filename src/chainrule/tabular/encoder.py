"""Encode the columns of a table as network inputs and targets; decode outputs as labels or numbers."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._support.checks import Array, check_finite, check_name, check_shape, sentence
from ..data.tables import LEAVE_OUT, Table
from ..data.tables.cells import MISSING, number
from .rules import Categories, Label, Numbers, as_facts, checked, read_input, read_numbers, read_values

TASKS = ("classification", "regression")
MAX_CATEGORIES = 1000
MAX_INTEGER_CLASSES = 20
_WHO = "TableEncoder"
_FORMAT = 1


class TableEncoder:
    """Encode the columns of a table as the inputs and targets of a network, by rules fitted to its training rows.

    Inputs, column by column in the order of the training table:

    - numbers are standardised, x = (value − mean) / std, with the mean and the population standard deviation
      of the training rows; a constant column gives 0;
    - text is one-hot encoded, one input per category, in sorted order. A category that is not in the training rows
      gives 0 in all of them, so that a deployed model accepts new categories; but a word for a missing value, such as
      ``NA``, that is no category there is refused.

    Unless the task is given, it is inferred from the target:

    - text (and true/false) is ``"classification"``;
    - numbers with two distinct values are ``"classification"``;
    - integers with 3 to 20 distinct values, and at least two rows per value on average, are ``"classification"``;
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
    categories : the known values of each text column among the inputs, by name, in sorted order.
    text_columns : names of the text columns, including the target: the ``text`` argument of ``read_table``.
    feature_names : names of the I inputs, such as ``height`` for numbers and ``kind=oak`` for a category.
    classes : the K labels in sorted order, str, int or float; empty for regression.

    Raises
    ------
    ValueError
        If columns or values are missing, the target is constant, a numeric column holds text, or a text column has too
        many categories (more than 1000, or more than 20 with fewer than two rows each on average).

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

    A model that ``chainrule train`` saved holds its encoder, so that Python can predict a new table as the shell does:

    >>> import chainrule as cr
    >>> def predict(model_file, table_file):
    ...     model = cr.load(model_file)
    ...     encoder = TableEncoder.from_dict(model.metadata["encoder"])
    ...     table = cr.data.read_table(table_file, columns=encoder.columns, text=list(encoder.categories))
    ...     return encoder.decode(model.predict(encoder.transform(table)))
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
    def categories(self) -> dict[str, tuple[str, ...]]:
        """The known values of each text column among the inputs."""
        return {name: rule.values for name, rule in self._fitted()._inputs.items() if isinstance(rule, Categories)}

    @property
    def text_columns(self) -> list[str]:
        """Names of the text columns, including the target."""
        text = list(self.categories)
        return [*text, self.target] if self.classes and isinstance(self.classes[0], str) else text

    @property
    def feature_names(self) -> list[str]:
        """Names of the I inputs."""
        names: list[str] = []
        for name, rule in self._fitted()._inputs.items():
            names += [name] if isinstance(rule, Numbers) else [f"{name}={value}" for value in rule.values]
        return names

    def fit(self, table: Table, target: str) -> TableEncoder:
        """Fit the rules to ``table``, which must hold only training rows, for the column ``target``.

        Returns the encoder itself.
        """
        _find_columns(table, [target])
        if len(table) < 2:
            raise ValueError(sentence(_WHO, f"at least one column besides the target {target!r}", "none"))
        task = self.task or _infer_task(table[target])
        if task == "classification":
            classes, scaling = _learn_classes(table, target), Numbers(0.0, 1.0)
        else:
            classes, scaling = (), _learn_target_numbers(table, target)
        self._inputs = {name: _learn_input(table, name) for name in table if name != target}
        self.task, self.target, self.classes, self._scaling = task, target, classes, scaling
        return self

    def transform(self, table: Table) -> Array:
        """The inputs x (N, I) for the rows of ``table``; columns that ``fit`` did not see are ignored."""
        _find_columns(table, self.columns)
        x = np.zeros((table.row_count, len(self.feature_names)), self.dtype)
        start = 0
        for name, rule in self._inputs.items():
            if isinstance(rule, Numbers):
                x[:, start] = _standardize(table, name, rule, x.dtype)
                start += 1
            else:
                codes = _codes(_words(table, name, rule.values), rule.values)
                known = np.flatnonzero(codes >= 0)
                x[known, start + codes[known]] = 1
                start += len(rule.values)
        return x

    def unseen(self, table: Table) -> dict[str, tuple[int, list[str]]]:
        """Of each text column with values that are no category: how many rows have one, and these values, sorted."""
        _find_columns(table, self.columns)
        found: dict[str, tuple[int, list[str]]] = {}
        for name, known in self.categories.items():
            values = _words(table, name, known)
            new = values[_codes(values, known) < 0].tolist()
            if new:
                found[name] = len(new), sorted(set(new))
        return found

    def encode_target(self, table: Table) -> Array:
        """The targets of the rows of ``table``: labels (N,) as int64, or standardised numbers (N, 1).

        A label is the position of its class in ``classes``; a class that is not in ``classes`` is an error.
        """
        _find_columns(table, [self._fitted().target])
        if not self.classes:
            return _standardize(table, self.target, self._scaling, np.dtype(self.dtype))[:, None]
        text = isinstance(self.classes[0], str)
        values = _as_text(table[self.target]) if text else _numeric(table, self.target)
        labels = _codes(values, self.classes)
        if (labels < 0).any():
            row = int(np.argmin(labels))
            got = f"{values.tolist()[row]!r} on {table.place(row)}"
            raise ValueError(sentence(_WHO, f"only classes of the training data in column {self.target!r}", got))
        return labels

    def decode(self, outputs: Any) -> Array:
        """Predictions (N,) from a network's outputs: the label of the largest one, or numbers in the target's units.

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
        """The fitted encoder as JSON values for ``from_dict``; floats are preserved exactly."""
        return {
            "format": _FORMAT,
            "task": self._fitted().task,
            "dtype": self.dtype,
            "target": {"name": self.target, "classes": list(self.classes), **as_facts(self._scaling)},
            "inputs": [{"name": name, **as_facts(rule)} for name, rule in self._inputs.items()],
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> TableEncoder:
        """The encoder that ``to_dict`` described; ValueError for anything else."""
        try:
            if checked(facts, dict)["format"] != _FORMAT:
                raise ValueError(f"format {facts['format']!r}")
            encoder = cls(checked(facts["task"], str), checked(facts["dtype"], str))
            target, inputs = checked(facts["target"], dict), checked(facts["inputs"], list)
            encoder.target = checked(target["name"], str)
            encoder.classes = read_values(target["classes"], str, int, float) if target["classes"] else ()
            if (len(encoder.classes) >= 2) != (encoder.task == "classification"):
                raise ValueError(f"{len(encoder.classes)} classes for {encoder.task}")
            encoder._scaling = read_numbers(target)
            encoder._inputs = {checked(entry["name"], str): read_input(entry) for entry in inputs}
            if len(encoder._inputs) != len(inputs) or not inputs or encoder.target in encoder._inputs:
                raise ValueError("no inputs, or duplicate names")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(sentence(f"{_WHO}.from_dict", "the result of to_dict", reason, "save it again")) from None
        return encoder

    def _fitted(self) -> TableEncoder:
        if not hasattr(self, "_inputs"):
            raise ValueError(sentence(_WHO, "to be fitted", "no table yet", "call fit(table, target)"))
        return self


# --- fitting ------------------------------------------------------------------------------------------------------


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
        return Categories(tuple(_distinct(table, name, f"{LEAVE_OUT}, or merge categories")))
    return _learn_numbers(table, name, table[name])


def _learn_numbers(table: Table, name: str, values: Array) -> Numbers:
    """Mean and standard deviation; a constant column has scale 1, and so gives 0."""
    if values.min() == values.max():
        return Numbers(float(values[0]), 1.0)  # exact, whereas the mean may be rounded
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = float(values.mean()), float(values.std())
    if not math.isfinite(scale):
        got = f"{np.abs(values).max():g} in column {name!r} of {table.source}"
        raise ValueError(sentence(_WHO, "numbers small enough to be squared", got, "rescale the column first"))
    return Numbers(mean, scale or 1.0)


def _learn_target_numbers(table: Table, target: str) -> Numbers:
    values = _numeric(table, target)
    if values.min() == values.max():
        got = f"{values[0]:g} in every row"
        raise ValueError(
            sentence(_WHO, f"at least two different values in the target {target!r} of {table.source}", got)
        )
    return _learn_numbers(table, target, values)


def _learn_classes(table: Table, target: str) -> tuple[Label, ...]:
    text = table[target].dtype == object
    values = _distinct(
        table, target, "merge or drop rare classes" if text else "predict it as a number (task='regression')"
    )
    if len(values) < 2:
        got = f"{values[0]!r} in every row"
        raise ValueError(sentence(_WHO, f"at least two classes in the target {target!r} of {table.source}", got))
    whole = all(isinstance(value, float) and value.is_integer() and abs(value) < 2**53 for value in values)
    return tuple(int(value) for value in values) if whole else tuple(values)


def _distinct(table: Table, name: str, remedy: str) -> list[Any]:
    """The distinct values of a column in sorted order, if there are few enough to be categories."""
    values = sorted(set(table[name].tolist()))
    limit = min(MAX_CATEGORIES, max(MAX_INTEGER_CLASSES, table.row_count // 2))
    if len(values) > limit:
        expected = f"at most {limit} categories in column {name!r} of {table.source}"
        got = f"{len(values)} different values in {table.row_count} rows, such as {values[0]!r}"
        raise ValueError(sentence(_WHO, expected, got, remedy))
    return values


# --- applying -----------------------------------------------------------------------------------------------------


def _find_columns(table: Table, names: list[str]) -> None:
    missing = [name for name in names if name not in table]
    if not missing:
        return
    others = [name for name in table if name not in names]
    near = difflib.get_close_matches(missing[0], others, n=1, cutoff=0.5)
    got = f"{len(table)} columns without {'it' if len(missing) == 1 else 'them'}"
    remedy = (
        f"did you mean {near[0]!r} instead of {missing[0]!r}" if near else "its columns: " + ", ".join(list(table)[:20])
    )
    columns = ", ".join(map(repr, missing[:10])) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
    raise ValueError(sentence(_WHO, f"column {columns} in {table.source}", got, remedy))


def _standardize(table: Table, name: str, rule: Numbers, dtype: np.dtype[Any]) -> Array:
    values = _numeric(table, name)
    with np.errstate(over="ignore"):
        z = ((values - rule.mean) / rule.scale).astype(dtype)
    if not np.isfinite(z).all():
        row = int(np.argmin(np.isfinite(z)))
        expected = f"numbers in column {name!r} like those in training (about {rule.mean:g} ± {rule.scale:g})"
        raise ValueError(sentence(_WHO, expected, f"{values[row]:g} on {table.place(row)}"))
    return z


def _numeric(table: Table, name: str) -> Array:
    """A column as numbers; ValueError for text, with its line."""
    if table[name].dtype != object:
        return table[name]
    values = np.empty(table.row_count)
    for row, value in enumerate(table[name].tolist()):
        found = number(value)
        if found is None or math.isnan(found):
            got = f"{value!r} on {table.place(row)}"
            raise ValueError(sentence(_WHO, f"numbers in column {name!r}", got, "correct or drop this row"))
        values[row] = found
    return values


def _words(table: Table, name: str, known: tuple[str, ...]) -> Array:
    """A column as text; ValueError for a word for a missing value, unless it is one of the categories."""
    values = _as_text(table[name])
    for row in np.flatnonzero(_codes(values, known) < 0).tolist():
        if values[row] in MISSING:
            got = f"the missing value {values[row]!r} on {table.place(row)}"
            raise ValueError(sentence(_WHO, f"text in column {name!r}", got, "fill in or drop this row"))
    return values


def _as_text(values: Array) -> Array:
    """A column as text; numbers as in a CSV file, integers without a decimal point."""
    if values.dtype == object:
        return values
    return np.array([str(int(v)) if v.is_integer() else repr(v) for v in values.tolist()], dtype=object)


def _codes(values: Array, categories: tuple[Label, ...]) -> Array:
    """The position of each value in ``categories``, or −1."""
    index = {category: code for code, category in enumerate(categories)}
    return np.array([index.get(value, -1) for value in values.tolist()], dtype=np.int64)
