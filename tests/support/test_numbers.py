"""What is no number, or a number that an array cannot hold, is refused wherever numbers come in, and never rounded."""

from __future__ import annotations

import datetime
import decimal
import fractions
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import metrics
from chainrule.data.scale import check_resolution
from chainrule.tabular.columns import Frame

ROWS = 12
X = np.random.default_rng(0).normal(size=(ROWS, 2))
Y = X[:, :1] - X[:, 1:]
LABELS = np.arange(ROWS) % 2


def network(dtype: str = "float32") -> cr.Sequential:
    return cr.MLP([2, 3, 1], rng=0, dtype=dtype)


def trainer() -> cr.Trainer:
    return cr.Trainer(network(), "squared_error")


#: Every public function that takes numbers, by the argument that they are given for: (N, 2), or a column (N, 1).
WIDE: dict[str, Callable[[Any], Any]] = {
    "fit x": lambda x: trainer().fit(x, Y, verbose=0),
    "validation x": lambda x: trainer().fit(X, Y, validation=(x, Y), verbose=0),
    "evaluate x": lambda x: trainer().evaluate(x, Y),
    "predict x": lambda x: network().predict(x),
    "forward x": lambda x: network().forward(x),
    "batches x": lambda x: list(cr.batches(x, Y, size=4)),
    "diagnose x": lambda x: cr.diagnose(network(), x, Y),
    "gradcheck x": lambda x: cr.gradcheck(network("float64"), x, Y, loss="squared_error"),
    "learning_rate_range_test x": lambda x: cr.learning_rate_range_test(trainer(), x, Y, steps=10),
    "report x": lambda x: cr.report(trainer(), x, Y),
    "loss z": lambda z: cr.SquaredError()(z, X),
    "metric y_pred": lambda z: metrics.r2_score(X, z),
    "log_loss y_pred": lambda z: metrics.log_loss(LABELS, z),
}
NARROW: dict[str, Callable[[Any], Any]] = {
    "fit y": lambda y: trainer().fit(X, y, verbose=0),
    "evaluate y": lambda y: trainer().evaluate(X, y),
    "batches y": lambda y: list(cr.batches(X, y, size=4)),
    "diagnose y": lambda y: cr.diagnose(network(), X, y, loss="squared_error"),
    "gradcheck y": lambda y: cr.gradcheck(network("float64"), X, y, loss="squared_error"),
    "report y": lambda y: cr.report(trainer(), X, y),
    "loss y": lambda y: cr.SquaredError()(Y, y),
    "metric y_true": lambda y: metrics.mean_absolute_error(y, Y),
}
DAYS = np.datetime64("2020-01-01", "us") + np.timedelta64(1, "D") * np.arange(ROWS)


def objects(value: object) -> np.ndarray:
    """Numbers, of which the fourth is something else."""
    array = np.arange(float(ROWS)).astype(object)
    array[3] = value
    return array


#: (N,) of what is no number, and what an error says of it.
STRANGE: dict[str, tuple[Any, str]] = {
    "dates": (DAYS, "dtype datetime64.*count from one of them"),
    "time differences": (DAYS - DAYS[0], "dtype timedelta64.*divide by a unit"),
    "a date among objects": (objects(datetime.date(2020, 1, 1)), "dates .2020-01-01 at row 3"),
    "a difference among objects": (objects(datetime.timedelta(1)), "time differences .1 day.* at row 3"),
    "datetime64 among objects": (objects(np.datetime64("2020-01-01")), "dates .2020-01-01 at row 3"),
    "complex numbers": (np.arange(ROWS) + 1j, "dtype complex128.*take the real part"),
    "text": (np.array(["a"] * ROWS), "dtype <U1; encode text"),
    "digits": (objects("1.5"), "text .1.5 at row 3.*encode text"),
    "lists": (objects([1, 2]), "a list at row 3"),
    "beyond float64": (objects(10**400), "a number beyond float64 at row 3"),
}


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("entrance", WIDE | NARROW)
def test_what_is_no_number_is_refused_by_name(entrance: str, strange: str) -> None:
    column, says = STRANGE[strange]
    values = np.column_stack([column, column]) if entrance in WIDE else column[:, None]
    with pytest.raises(TypeError, match=says):
        (WIDE | NARROW)[entrance](values)


@pytest.mark.parametrize("entrance", [name for name in WIDE | NARROW if name not in ("forward x", "loss z", "loss y")])
@pytest.mark.parametrize("kind", ["NaN", "masked", "masked integers", "None"])
def test_a_gap_is_called_missing_and_has_a_place(entrance: str, kind: str) -> None:
    if entrance.startswith("batches"):
        pytest.skip("a batch may have gaps")
    values = np.tile(np.arange(float(ROWS))[:, None], 2 if entrance in WIDE else 1)
    given: Any = values
    if kind.startswith("masked"):
        given = np.ma.array(values.astype(int) if "integers" in kind else values, mask=values == 5)
    else:
        given[5] = np.nan
        given = values if kind == "NaN" else np.where(np.isnan(values), None, values.astype(object))
    with pytest.raises(ValueError, match=r"expects finite numbers in .*, got nan at row 5, column 0.*missing values"):
        (WIDE | NARROW)[entrance](given)


@pytest.mark.parametrize("entrance", [name for name in WIDE if name.split()[0] not in ("gradcheck", "loss", "batches")])
def test_a_number_beyond_float32_is_called_so(entrance: str) -> None:
    if entrance.split()[0] in ("metric", "log_loss"):
        pytest.skip("in float64")
    x = X.copy()
    x[7, 1] = -4e38
    with pytest.raises(ValueError, match=r"in x that float32 can hold, up to 3.4e\+38, got -4e\+38 at row 7, column 1"):
        WIDE[entrance](x)


def test_a_sparse_number_beyond_float32_has_its_place() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    x = sparse.csr_array(np.diag([1.0, 2.0, 4e38]))
    with pytest.raises(ValueError, match=r"got 4e\+38 at row 2, column 2 \(1 in total\)"):
        cr.MLP([3, 1], rng=0).predict(x)


#: The same numbers in other clothes.
SAME: dict[str, Callable[[np.ndarray], Any]] = {
    "lists": lambda x: x.tolist(),
    "objects": lambda x: x.astype(object),
    "Fractions": lambda x: [[fractions.Fraction(value) for value in row] for row in x.tolist()],
    "Decimals": lambda x: [[decimal.Decimal(value) for value in row] for row in x.tolist()],
    "column-major": np.asfortranarray,
    "reversed views": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "longdouble": lambda x: x.astype(np.longdouble),
    "nothing masked": lambda x: np.ma.array(x, mask=False),
    "big-endian": lambda x: x.astype(">f8"),
}


@pytest.mark.parametrize("clothes", SAME)
def test_the_same_numbers_give_the_same_network(clothes: str) -> None:
    weights = []
    for given in (lambda x: x, SAME[clothes]):
        made = trainer()
        made.fit(given(X), given(Y), epochs=2, verbose=0)
        weights.append(made.model.parameters.vector)
    np.testing.assert_array_equal(*weights)
    np.testing.assert_array_equal(network().predict(SAME[clothes](X)), network().predict(X))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_column_of_a_frame_is_called_by_its_name(library: str) -> None:
    frames = pytest.importorskip(library)
    beyond = np.where(X[:, 0] > 0, 4e38, 1.0)
    wrong = {"dates|datetime": DAYS, "differences|timedelta": DAYS - DAYS[0], "text": ["1"] * ROWS, "float32": beyond}
    for says, values in wrong.items():
        frame = frames.DataFrame({"age": np.arange(float(ROWS)), "since": values})
        with pytest.raises((TypeError, ValueError), match=rf"({says}).* column 'since'"):
            network().predict(frame)
    for missing in ([1.0, None] * 6, [True, None] * 6, [1, None] * 6):
        frame = frames.DataFrame({"age": np.arange(float(ROWS)), "gap": missing})
        with pytest.raises(ValueError, match="got nan at row 1, column 'gap'"):
            network().predict(frame)


# ---- columns that rounding would spoil

FAR = 1e9 + np.arange(ROWS, dtype=float)
SPOILED: list[tuple[Any, str, str]] = [
    (FAR, "float32", "from 1000000000.0 to 1000000011.0, in steps of 64"),
    (1e7 + X[:, 0], "float32", "in steps of 1;"),
    (-FAR, "float32", "in steps of 64"),
    (np.array([2**24, 2**24 + 1]), "float32", "from 16777216 to 16777217, in steps of 2"),
    (np.array([2**24, 2**24 + 1], np.int32), "float32", "in steps of 2"),
    (np.array([2**62 + 1, 2**62 + 2]), "float64", "in steps of 1024"),
    (np.array([2**63 + 1, 2**63 + 2], np.uint64), "float64", "in steps of 2048"),
    (np.array([-(2**63), -(2**63) + 1]), "float64", "in steps of"),
    (np.array([1e-50, 2e-50]), "float32", "in steps of 1.4"),
]
KEPT: list[tuple[Any, str]] = [
    (np.full(5, 1e9), "float32"),
    (0.1 * (1 + np.arange(5) * np.finfo(float).eps), "float32"),  # constant, but for rounding
    (np.array([1e6, 1e6 + 1]), "float32"),  # of whole numbers none is rounded
    (np.array([2**24, 2**24 + 2]), "float32"),
    (np.array([-(2**63), 2**63 - 1]), "float64"),
    (1.7e9 + 86400 * np.arange(30.0), "float32"),  # seconds since 1970, a month of days
    (np.arange(1900.0, 2030), "float32"),
    (np.array([0.0, 1e-50]), "float64"),
    (np.array([np.nan, 1e9, 1e9 + 1]), "float32"),  # a matter of check_finite
    (np.array([True, False]), "float32"),
    (np.zeros(0), "float32"),
]


@pytest.mark.parametrize(("values", "dtype", "says"), SPOILED)
@pytest.mark.parametrize("width", [1, 20])
def test_a_column_that_rounding_would_spoil_is_refused(values: np.ndarray, dtype: str, says: str, width: int) -> None:
    table = np.zeros((len(values), width), values.dtype)
    table[:, -1] = values
    with pytest.raises(
        ValueError, match=f"columns of x whose differences {dtype} can hold, got column {width - 1} .*{says}"
    ):
        check_resolution("f", "x", table, dtype)


@pytest.mark.parametrize(("values", "dtype"), KEPT)
def test_a_column_that_keeps_its_differences_is_not(values: np.ndarray, dtype: str) -> None:
    check_resolution("f", "x", values[:, None], dtype)
    check_resolution("f", "x", np.tile(values[:, None], 20), dtype)


@pytest.mark.parametrize("entrance", ["fit", "validation", "evaluate", "diagnose"])
@pytest.mark.parametrize("argument", ["x", "y"])
def test_an_offset_that_float32_cannot_hold_is_refused(entrance: str, argument: str) -> None:
    values = (1e9 + X) if argument == "x" else (1e9 + Y)
    says = f"{entrance} expects columns of {argument} whose differences float32 can hold, .*subtract the mean"
    with pytest.raises(ValueError, match=says):
        (WIDE if argument == "x" else NARROW | {"validation y": lambda y: trainer().fit(X, Y, validation=(X, y))})[
            f"{entrance} {argument}"
        ](values)


def test_the_network_in_float64_takes_the_offset() -> None:
    made = cr.Trainer(network("float64"), "squared_error")
    made.fit(1e9 + X, Y, epochs=1, verbose=0)
    assert np.isfinite(made.model.parameters.vector).all()


def test_an_offset_in_a_sparse_table_is_refused() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match="fit expects columns of x whose differences float32 can hold, got column 1"):
        trainer().fit(sparse.csr_array(np.column_stack([X[:, 0], FAR])), Y, verbose=0)


def test_labels_are_counted_and_may_be_of_any_integers() -> None:
    made = cr.Trainer(cr.MLP([2, 2], rng=0), "cross_entropy")
    for labels in (LABELS.astype(np.uint64), LABELS.astype(object), LABELS.astype(bool), LABELS.tolist()):
        assert np.isfinite(made.evaluate(X, labels)["loss"])


def test_the_words_stand_in_the_users_own_terms() -> None:
    with pytest.raises(ValueError, match=re.escape('scale it first, or build the network with dtype="float64".')):
        network().predict(np.full((1, 2), 1e39))


def test_a_table_is_made_of_a_frame_of_polars_and_of_nothing_without_names() -> None:
    frames = pytest.importorskip("polars")
    pytest.importorskip("narwhals")
    table = Frame("fit", frames.DataFrame({"a": [1, 2], "kind": ["u", "v"]}))
    assert table.names == ["a", "kind"]
    with pytest.raises(ValueError, match=r"fit expects a table or a matrix \(N, I\), got shape \(3,\)"):
        Frame("fit", np.ones(3))
