"""Any model as a network with its loss, and any rows as what that network takes, with what each column says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np

from .._support.checks import Array, as_numeric, as_samples, check_finite, is_sparse, sentence
from ..layers.columns import check_all_codes
from ..losses import LossFunction, get_loss
from ..model import Sequential
from ..optimizers import SGD, Optimizer, get_optimizer
from ..persistence.estimators import is_ours, is_tabular
from ..training.inputs import check_input
from ..training.trainer import Trainer

WHO = "explain"
ORDERED = ("impute", "calendar")  # columns with a middle


@dataclass(frozen=True, eq=False)
class Cell:
    """A column of a row: what it says, how that becomes numbers, and these numbers by name."""

    column: str
    value: str
    how: str
    features: tuple[str, ...]
    numbers: Array


#: x⁰ (I,), what it says in each column, and what it is.
Baseline = tuple[Array, tuple[str, ...], str]


def as_rows(x: Any) -> Any:
    """Return a single row, such as a mapping from names to cells or a pandas Series, as a table of one row."""
    if x is None or isinstance(x, (str, bytes, Number)):
        raise TypeError(sentence(WHO, "a row or rows", repr(x)))
    if isinstance(x, Mapping):
        alone = all(np.ndim(value) == 0 for value in x.values())
        return {name: [value] for name, value in x.items()} if alone else x
    if hasattr(x, "to_frame") and hasattr(x, "index"):
        return x.to_frame().T.infer_objects()
    if isinstance(x, (list, tuple, np.ndarray)) and len(x) and all(np.ndim(cell) == 0 for cell in x):
        return np.array([x]) if isinstance(x, np.ndarray) else np.array([[*x]], object)
    return x


class NumberRows:
    """Rows of an MLPClassifier or MLPRegressor, which its scaler standardises.

    x (N, I) is what the network takes, and ``columns`` names the column behind each of the I numbers.
    """

    def __init__(self, model: Any, X: Any) -> None:
        model.predict(X)  # raises where X does not fit
        names = getattr(model, "feature_names_in_", [f"x{place}" for place in range(model.n_features_in_)])
        self.columns = tuple(map(str, names))
        scaler, zero = model.scaler_, np.zeros(len(self.columns))
        self._mean = scaler.mean_ if scaler is not None and scaler.with_mean else zero
        self._scale = zero + 1 if scaler is None else scaler.scale_
        self._raw = _dense(X)
        self.x = self._encoded(self._raw)

    def _encoded(self, raw: Array) -> Array:
        x: Array = (raw - self._mean) / self._scale
        return x

    def cells(self) -> tuple[Cell, ...]:
        parts = zip(self.columns, self._raw[0], self._mean, self._scale, self.x[0, :, None], strict=True)
        return tuple(
            Cell(name, f"{raw:.6g}", f"(x − {mean:.4g}) / {scale:.4g}", (name,), x)
            for name, raw, mean, scale, x in parts
        )

    def baseline(self, given: Any) -> Baseline:
        """Return a typical row: of the given rows, or of training."""
        if given is not None:
            raw = _dense(given)
            if raw.ndim != 2 or raw.shape[1] != len(self.columns) or not len(raw):
                expected = f"a baseline of shape (N, {len(self.columns)})"
                raise ValueError(sentence(WHO, expected, str(raw.shape)))
            check_finite(WHO, "the baseline", raw, of=given)
            origin = "the given row" if len(raw) == 1 else "the median of each column"
            raw = np.median(raw, axis=0, keepdims=True)
        else:
            raw = self._mean[None]
            origin = "the mean of each column in training" if raw.any() else "zero in each column"
        return self._encoded(raw)[0], tuple(f"{value:.6g}" for value in raw[0]), origin


def _dense(X: Any) -> Array:
    return as_numeric(WHO, "rows", X.toarray() if is_sparse(X) else X, np.float64)


class TableRows:
    """The same for a TabularClassifier or TabularRegressor, whose encoder makes numbers and codes of the cells."""

    def __init__(self, model: Any, X: Any) -> None:
        self._model, self._encoder = model, model.encoder_
        self._cells = self._read(X)
        self.x = self._encoded(self._cells)
        if not len(self.x):
            raise ValueError(sentence(WHO, "at least one row", "none"))
        self.columns = tuple(self._encoder.matrix_columns)

    def _read(self, rows: Any) -> Any:
        from ..tabular.estimators import tables

        model = self._model
        return tables.as_in_training(
            type(model).__name__, rows, model._names, self._encoder.columns, by_place=model._by_place
        )

    def _encoded(self, columns: Any) -> Array:
        from ..tabular.estimators import tables

        with tables.speaking_as(type(self._model).__name__):
            x: Array = self._encoder.matrix(columns)
        return x

    def _places(self, name: str) -> list[int]:
        return [place for place, column in enumerate(self.columns) if column == name]

    def cells(self) -> tuple[Cell, ...]:
        encoder, found = self._encoder, []
        features = [*encoder.feature_names, *(f"code of {name}" for name in encoder.code_names)]
        for program in encoder.programs:
            name, scales = program.source.name, program.scales
            places = self._places(name)
            names = tuple(features[place] for place in places)
            how = "a number for each value" if names == (name,) else ", ".join(names)
            if program.call.op == "impute":
                clipped = ", clipped smoothly to ±3" if scales.smooth[0] else ""
                how = f"(x − {scales.center[0]:.4g}) · {scales.factor[0]:.4g}{clipped}"
            elif program.call.op == "pieces":
                how = "pieces of three letters, hashed and summed"
            found.append(Cell(name, _text(self._cells[name]), how, names, self.x[0, places]))
        return tuple(found)

    def baseline(self, given: Any) -> Baseline:
        if given is None:
            row = {program.source.name: _usual(program) for program in self._encoder.programs}
            origin = "medians of training, and no known category"
        else:
            row, origin = self._typical(self._read(given))
        return self._encoded(row)[0].astype(np.float64), tuple(map(_text, row.values())), origin

    def _typical(self, columns: Any) -> tuple[dict[str, Any], str]:
        """Return the middle cell of numbers and dates, and otherwise the most frequent one."""
        from ..tabular.columns import rows_of

        x, row = self._encoded(columns), {}
        if not len(x):
            raise ValueError(sentence(WHO, "a baseline of at least one row", "none"))
        for program in self._encoder.programs:
            name = program.source.name
            part = x[:, self._places(name)]
            if program.call.op in ORDERED:
                at = _middle(part, bool(program.call.numbers["says"]))
            else:
                _, first, counts = np.unique(part, axis=0, return_index=True, return_counts=True)
                at = int(first[counts.argmax()])
            row[name] = rows_of(columns[name], [at])
        alone = len(x) == 1
        return row, "the given row" if alone else "the middle of numbers and dates, the most frequent category"


def _middle(part: Array, says: bool) -> int:
    """Return the row in the middle of the first feature, among those that the last does not mark as missing."""
    present = np.flatnonzero(part[:, -1] == part[:, -1].min()) if says else np.arange(len(part))
    return int(present[np.argsort(part[present, 0], kind="stable")[(len(present) - 1) // 2]])


def _usual(program: Any) -> Any:
    """Return a column of one cell: the median of training, an unknown word, or nothing."""
    from ..tabular.columns import Moments, Numbers, Words

    call = program.call
    if call.op == "impute":
        return Numbers(call.arrays["value"], np.zeros(1, bool))
    if call.op == "calendar":
        return Moments(call.arrays["median"])
    words = call.arrays.get("words", ())
    return Words((OTHER,), np.array([0 if len(words) else -1]))


OTHER = "no known category"


def _text(column: Any) -> str:
    """What the first cell of a column says."""
    from ..tabular.columns import as_words

    words = as_words(column)
    text = str(words.words[words.codes[0]]) if words.codes[0] >= 0 else "missing"
    return text.removesuffix(".000000").removesuffix("T00:00:00")


# --- networks ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, rows x (N, ...) as it takes them, and y as the loss takes it; of an estimator also the rows' cells."""

    network: Sequential
    x: Array
    y: Any
    loss: LossFunction | None
    optimizer: Optimizer
    rows: NumberRows | TableRows | None = None


def as_subject(model: Any, x: Any, y: Any, loss: Any, optimizer: Any) -> Subject:
    """Return the subject of an explanation; raise where x, y and the loss do not fit the model."""
    rule = SGD(0.1) if optimizer is None else get_optimizer(optimizer)
    if isinstance(model, Trainer):
        rule = model.optimizer if optimizer is None else rule
        return _of_network(model.model, x, y, model.loss if loss is None else get_loss(loss), rule)
    if isinstance(model, Sequential):
        if y is not None and loss is None:
            remedy = 'pass the one of its training, as in loss="cross_entropy"'
            raise ValueError(sentence(WHO, "a loss beside y", "none", remedy))
        return _of_network(model, x, y, None if loss is None else get_loss(loss), rule)
    if not (is_ours(model) or is_tabular(model)):
        expected = "a Sequential model, a Trainer, or an estimator of chainrule"
        raise TypeError(sentence(WHO, expected, f"an object of type {type(model).__name__}"))
    if loss is not None:
        raise ValueError(sentence(WHO, "no loss beside an estimator, which has its own", repr(loss), "leave it out"))
    if not hasattr(model, "model_"):
        raise ValueError(sentence(WHO, "a fitted estimator", f"{type(model).__name__} before fit", "call fit first"))
    return _of_estimator(model, as_rows(x), y, rule)


def _of_network(model: Sequential, x: Any, y: Any, loss: LossFunction | None, optimizer: Optimizer) -> Subject:
    given = x.toarray() if is_sparse(x) else x
    x = as_samples(WHO, given, model.dtype, given)
    x = x[None] if x.ndim == 1 else x
    if not len(x):
        raise ValueError(sentence(WHO, "at least one row", "none"))
    target = x if y is None else np.asarray(y)
    check_input(model, x, target)
    check_finite(WHO, "x", x, of=given)
    check_all_codes(WHO, model.layers, x, of=given)
    if y is None:
        return Subject(model, x, None, None, optimizer)
    return Subject(model, x, _of_one(target, model.predict(x).shape) if len(x) == 1 else target, loss, optimizer)


def _of_one(y: Array, outputs: tuple[int, ...]) -> Array:
    """Give the answer for a single row the axis of the batch, if it has none: a label, a number, or one for each."""
    if y.ndim == 0:
        return y[None] if y.dtype.kind in "iub" and outputs[-1] > 1 else y[None, None]
    return y[None] if y.shape == outputs[1:] else y


def _of_estimator(model: Any, X: Any, y: Any, optimizer: Optimizer) -> Subject:
    rows = TableRows(model, X) if is_tabular(model) else NumberRows(model, X)
    if y is None:
        return Subject(model.model_, rows.x, None, None, optimizer, rows)
    alone = np.ndim(y) == 0 or (len(rows.x) == 1 and np.ndim(y) == 1 and len(y) > 1)  # also of several outputs
    answers = [y] if alone else y
    if len(answers) != len(rows.x):
        raise ValueError(sentence(WHO, f"as many values in y as rows in x, {len(rows.x)}", str(len(answers))))
    if hasattr(model, "classes_") and not model._multilabel:
        _check_known(np.ravel(np.asarray(answers, object)).tolist(), model.classes_.tolist())
    if is_tabular(model):
        loss, known = model._loss()[0], model._read_targets(answers, fresh=False)
    else:
        loss, known = model._loss, model._check_data(X, answers, reset=False, incremental=True)[1]
    return Subject(model.model_, rows.x, model._targets(known), loss, optimizer, rows)


def _check_known(labels: list[Any], classes: list[Any]) -> None:
    strange = next((label for label in labels if label not in classes), None)
    if strange is not None:
        some = ", ".join(map(str, classes[:5])) + (", ..." if len(classes) > 5 else "")
        raise ValueError(sentence(WHO, f"y among the classes {some}", repr(strange)))
