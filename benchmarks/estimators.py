"""A fit of MLPClassifier and MLPRegressor, ours and scikit-learn's: the same data, parameters and seeds, in turn."""

from __future__ import annotations

import csv
import importlib
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from chainrule._support.checks import Array
from chainrule.data.batches import split
from chainrule.data.named import load_named
from chainrule.tabular import TableEncoder

from .timing import PAUSE, Pairs, figures

EPOCHS = 20
HIDDEN = ((100,), (256, 128))  # of both libraries: the default, and a larger one
MNIST_ROWS = 10_000
TOLERANCE = 1e-3  # of the loss of the first epoch
MODULES = {"ours": "chainrule.estimators", "theirs": "sklearn.neural_network"}
PEOPLE = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
)  # the columns of adult, whose file does not name them


@dataclass(frozen=True, eq=False)
class Task:
    """A data set, and the hidden layers that are to learn it; labels are integers."""

    name: str
    x: Array
    y: Array
    x_test: Array
    y_test: Array
    hidden: tuple[int, ...] = HIDDEN[0]

    @property
    def classifies(self) -> bool:
        """Whether y are labels."""
        return self.y.dtype.kind == "i"

    @property
    def row(self) -> str:
        """``digits 64-100-10``, and behind it what is unusual."""
        classes = int(self.y.max()) + 1 if self.classifies else 1
        sizes = [self.x.shape[1], *self.hidden, classes if classes > 2 else 1]
        return f"{self.name} {'-'.join(map(str, sizes))}" + "+float32" * (self.x.dtype == np.float32)

    def estimator(self, side: str, seed: int, epochs: int) -> Any:
        """A new one, which trains for just so many epochs."""
        cls = getattr(importlib.import_module(MODULES[side]), "MLPClassifier" if self.classifies else "MLPRegressor")
        given = dict(max_iter=epochs, tol=0.0, n_iter_no_change=epochs, random_state=seed)
        return cls(hidden_layer_sizes=self.hidden, **given)


def measure(task: Task, seeds: Iterable[int], epochs: int = EPOCHS) -> dict[str, Any]:
    """Seconds of a fit and the score on the test rows, each library once for every seed; who goes first alternates."""
    scores: dict[str, list[float]] = {side: [] for side in MODULES}
    tested = {"score": "accuracy" if task.classifies else "R²", "scores": scores}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that so few epochs do not converge is known
        first = {side: task.estimator(side, 0, 1).fit(task.x, task.y).loss_ for side in MODULES}  # and all is loaded
        if not abs(first["theirs"] - first["ours"]) <= TOLERANCE * abs(first["ours"]):
            reason = f"not comparable: after an epoch its loss is {first['theirs']:.6g}, ours {first['ours']:.6g}"
            return figures(task.row, {}, {"scikit_learn": reason}) | tested
        pairs = Pairs()
        taken = {"ours": pairs.ours, "theirs": pairs.theirs}
        for count, seed in enumerate(seeds):
            for side in list(MODULES)[:: 1 if count % 2 == 0 else -1]:
                estimator = task.estimator(side, seed, epochs)
                time.sleep(PAUSE)
                start = time.perf_counter()
                estimator.fit(task.x, task.y)
                taken[side].append(time.perf_counter() - start)
                scores[side].append(float(estimator.score(task.x_test, task.y_test)))
    return figures(task.row, {"scikit_learn": pairs}, {}) | tested


def tasks(name: str) -> Iterator[Task]:
    """The rows of a data set; none if CHAINRULE_DATA names no folder that holds it."""
    folder = Path(os.environ.get("CHAINRULE_DATA") or os.devnull) / name
    if name != "digits" and not folder.is_dir():
        return
    task = Task(name, *DATA[name](folder))
    for hidden in HIDDEN:
        yield replace(task, hidden=hidden)
    if name == "mnist":
        yield replace(task, hidden=HIDDEN[-1], x=task.x.astype(np.float32), x_test=task.x_test.astype(np.float32))


# --- data: x, y, x_test, y_test, in float64 as users pass it ----------------------------------------------------------

Columns: TypeAlias = "dict[str, Any]"
Parts = tuple[Array, Array, Array, Array]


def digits(folder: Path) -> Parts:
    """scikit-learn's own."""
    data = load_named("digits")
    return data.x.astype(np.float64), data.y, data.x_test.astype(np.float64), data.y_test


def mnist(folder: Path) -> Parts:
    """The first 10,000 images, and all that are for the test."""
    data = load_named("mnist")
    return data.x[:MNIST_ROWS].astype(np.float64), data.y[:MNIST_ROWS], data.x_test.astype(np.float64), data.y_test


def adult(folder: Path) -> Parts:
    """Who earns more than 50,000 $; what is unknown is a category."""
    train, test = (read(folder / f"adult-{part}.csv", PEOPLE) for part in ("train", "test"))
    test["income"] = [label.rstrip(".") for label in test["income"]]
    return encoded(train, test, "income")


def california(folder: Path) -> Parts:
    """The value of houses, of the blocks that have all numbers."""
    return set_aside(read(folder / "housing.csv"), "median_house_value")


def diamonds(folder: Path) -> Parts:
    """The logarithm of the price."""
    columns = read(folder / "diamonds.csv")
    return set_aside(columns | {"price": np.log(columns["price"])}, "price")


DATA: dict[str, Callable[[Path], Parts]] = {
    "digits": digits,
    "mnist": mnist,
    "adult": adult,
    "california-housing": california,
    "diamonds": diamonds,
}


def read(path: Path, names: Iterable[str] = ()) -> dict[str, Any]:
    """The columns of a CSV file, those of numbers as such, without rows that have an empty cell."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file, skipinitialspace=True) if row]
    names = list(names) or rows.pop(0)
    columns = zip(*(row for row in rows if all(row)), strict=True)
    return {name: as_numbers(column) for name, column in zip(names, columns, strict=True)}


def as_numbers(column: tuple[str, ...]) -> Any:
    """Floats if all are."""
    try:
        return [float(cell) for cell in column]
    except ValueError:
        return list(column)


def set_aside(table: Columns, target: str) -> Parts:
    """A fifth of the rows for the test, drawn once and for all."""
    rows = np.arange(len(table[target]))
    kept, _, aside, _ = split(rows, rows, 0.2, rng=0)
    train, test = ({name: np.asarray(cells)[part] for name, cells in table.items()} for part in (kept, aside))
    return encoded(train, test, target)


def encoded(train: Columns, test: Columns, target: str) -> Parts:
    """Numbers and a target of numbers standardised, text one-hot coded, by what the training rows are."""
    encoder = TableEncoder(scaling="standard", max_one_hot=None, min_count=1, dtype="float64")
    encoder.fit(train, target=target)
    y, y_test = (np.asarray(part[target]) for part in (train, test))
    if y.dtype.kind == "f":
        y, y_test = ((part - y.mean()) / y.std() for part in (y, y_test))
    else:
        y, y_test = (np.unique(y, return_inverse=True)[1], np.searchsorted(np.unique(y), y_test))
    return encoder.transform(train).numbers, y, encoder.transform(test).numbers, y_test
