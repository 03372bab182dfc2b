"""A single row, as a dict, a tuple, a list or a frame, gives what a table of this row gives, to the same bit."""

from __future__ import annotations

import datetime
import decimal
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import chainrule as cr
from chainrule.tabular.encoding import TableEncoder

RNG = np.random.default_rng(0)
N = 120
WORDS = np.array(["oak", "fir", "elm"], object)
TOWNS = np.array([f"town {k}" for k in range(12)], object)


def with_gaps(values: Any) -> Any:
    values = np.array(values, object)
    values[::9] = None
    return values


TABLE = {
    "number": RNG.normal(size=N),
    "gaps": with_gaps(RNG.normal(size=N)),
    "count": RNG.integers(0, 50, N),
    "large": 2**62 + RNG.integers(0, 50, N),
    "same": np.full(N, 3.0),
    "comma": np.array([f"{k % 17},5" for k in range(N)], object),
    "kind": RNG.choice(WORDS, N),
    "kind with gaps": with_gaps(RNG.choice(WORDS, N)),
    "pair": RNG.choice(WORDS[:2], N),
    "town": RNG.choice(TOWNS, N),
    "town with gaps": with_gaps(RNG.choice(TOWNS, N)),
    "digits": RNG.integers(0, 4, N),
    "flag": RNG.choice(np.array(["yes", "no"], object), N),
    "flag with gaps": with_gaps(RNG.choice(np.array([True, False], object), N)),
    "present": with_gaps(np.full(N, "x")),
    "day": np.datetime64("2024-01-01") + RNG.integers(0, 400, N).astype("m8[D]"),
    "day as text": np.array([f"{1 + k % 28}.{1 + k % 12}.2020" for k in range(N)], object),
    "day as number": np.array([20200101 + k % 28 for k in range(N)]),
    "note": np.array([" ".join(RNG.choice(WORDS, 4)) + f" {k}" for k in range(N)], object),
}
KINDS = {"same": "number", "digits": "category", "large": "number", "count": "number"}
CELLS = [
    None, np.nan, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT", "us"), "", " ", "NA", "?", "missing", "--", "x",
    0, -0.0, 1, 3, -7, 2.5, 3.0, 1e300, -1.7e308, np.inf, -np.inf, 5e-324, 2**53 + 1, 2**63, -(2**63), 10**400,
    20200105, 20209999, True, False, np.True_, np.float32(0.1), np.float64(2.5), np.int64(3), np.uint8(3),
    "oak", " oak ", "OAK", "ash", "town 3", "yes", "Yes ", "nein", "true", "12", " 12 ", "1,5", "1.234,50 €", "1e400",
    "7" * 400, "12 oak", "2024-02-03", "3.4.2020", "31.2.2020", "2024-02-30", b"oak",
    datetime.date(2024, 2, 3), datetime.datetime(2024, 2, 3, 4, 5, 6, 7), pd.Timestamp("1960-01-01 00:00:00.000000001"),
    pd.Timestamp("2024-02-03", tz="Europe/Berlin"), datetime.timedelta(1), decimal.Decimal("0.1"), 1 + 2j, object,
]  # fmt: skip


@pytest.fixture(scope="module")
def encoder() -> TableEncoder:
    found = TableEncoder().fit(TABLE, columns=KINDS, missing=["none"])
    assert set(found.feature_roles) == {"number", "missing", "one-hot", "flag", "date", "text"}
    assert len(found.columns) == len(TABLE)
    return found


def outcome(encode: Any, given: Any) -> Any:
    try:
        return encode(given).tobytes()
    except (ValueError, TypeError) as error:
        return type(error), str(error)


@pytest.mark.parametrize("name", TABLE)
def test_every_cell_of_a_row_is_encoded_as_in_a_table(encoder: TableEncoder, name: str) -> None:
    first = {column: values[1] for column, values in TABLE.items()}
    bits = set()
    for cell in [*CELLS, *TABLE[name][:10], *TABLE[name][:10].tolist()]:
        row = first | {name: cell}
        expected = outcome(encoder.matrix, {column: [value] for column, value in row.items()})
        for _ in range(2):  # what the second needs is remembered
            assert outcome(encoder.row, row) == expected, repr(cell)
        bits.add(expected)
    assert len(bits) > 2
    assert outcome(encoder.row, first) == outcome(encoder.matrix, {column: x[1:2] for column, x in TABLE.items()})


def test_numbers_are_scaled_to_the_same_bit(encoder: TableEncoder) -> None:
    first = {column: values[1] for column, values in TABLE.items()}
    x = np.r_[RNG.normal(size=300) * 10.0 ** RNG.integers(-8, 9, 300), RNG.normal(size=300)]
    table = {column: np.full(len(x), value, object) for column, value in first.items()} | {"number": x, "gaps": x}
    expected = encoder.matrix(table)
    found = np.concatenate([encoder.row(first | {"number": float(one), "gaps": float(one)}) for one in x])
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


# --- the estimators -------------------------------------------------------------------------------------------------

SIZE = TABLE["number"] + 2.0 * (TABLE["kind"] == "oak")
FEW = {"max_epochs": 4, "random_state": 0, "columns": {**KINDS, "same": "drop"}}


@pytest.fixture(scope="module")
def model() -> Any:
    return cr.TabularClassifier(**FEW).fit(TABLE, np.where(SIZE > 1, "large", "small"))


def test_a_row_is_a_table_of_one_row(model: Any, tmp_path: Any) -> None:
    cr.save(model, tmp_path / "m.safetensors")
    for at in range(10):
        row = {name: values[at] for name, values in TABLE.items()}
        expected = model.predict_proba({name: [cell] for name, cell in row.items()})
        needed = {name: cell for name, cell in reversed(row.items()) if name != "same"} | {"more": [1, 2]}
        for form in (row, needed, tuple(row.values()), list(row.values())):
            for one in (model, cr.load(tmp_path / "m.safetensors"), pickle.loads(pickle.dumps(model))):
                assert np.array_equal(one.predict_proba(form), expected)
                assert one.predict(form).tolist() == [one.classes_[expected[0].argmax()]]


def test_a_row_of_a_regressor_is_a_table_of_one_row() -> None:
    for settings in ({}, {"quantiles": (0.1, 0.9)}):
        model = cr.TabularRegressor(**FEW, **settings).fit(TABLE, SIZE)
        row = {name: values[3] for name, values in TABLE.items()}
        assert model.predict(row).tolist() == model.predict({name: [cell] for name, cell in row.items()}).tolist()


def test_a_row_of_a_model_of_a_matrix_goes_by_place() -> None:
    x = RNG.normal(size=(60, 3))
    model = cr.TabularRegressor(max_epochs=4, random_state=0).fit(x, x[:, 0])
    expected = model.predict(x[:1])
    for form in (tuple(x[0]), x[0].tolist(), dict(zip("abc", x[0].tolist(), strict=True))):
        assert np.array_equal(model.predict(form), expected)


FRAME = pd.DataFrame(TABLE).assign(
    whole=pd.array(with_gaps(RNG.integers(0, 9, N)), "Int64"),
    half=RNG.normal(size=N).astype(np.float32),
    said=pd.Series(with_gaps(RNG.choice(WORDS, N)), dtype="string"),
    chosen=pd.Categorical(with_gaps(RNG.integers(10, 14, N))),
    zoned=pd.Timestamp("2020-01-01", tz="Asia/Tokyo") + pd.to_timedelta(RNG.integers(0, 10**16, N), "ns"),
    since=pd.to_timedelta(RNG.integers(0, 10**15, N), "ns"),
    before=pd.to_datetime(RNG.integers(-(10**17), 0, N)),
    is_new=RNG.random(N) < 0.5,
)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_of_one_row_gives_the_bits_of_a_row_of_a_frame(library: str) -> None:
    frame: Any = FRAME.copy()
    frame.loc[::11, ["zoned", "since", "before", "day"]] = pd.NaT
    if library == "polars":
        frame = pytest.importorskip("polars").from_pandas(frame.astype({"chosen": "string"}))
    model = cr.TabularRegressor(**FEW).fit(frame, SIZE)
    take = frame.iloc.__getitem__ if library == "pandas" else frame.__getitem__
    for at in range(24):
        one, two = take([at]), take([at, at])
        assert np.array_equal(model.encoding_(one).x[0], model.encoding_(two).x[0])


def test_frames_that_a_row_does_not_fit_are_tables() -> None:
    frame = pd.DataFrame({0: RNG.normal(size=60), 1: RNG.choice(WORDS, 60)})
    model = cr.TabularRegressor(max_epochs=4, random_state=0).fit(frame, frame[0])
    expected = model.predict(frame[:1])
    assert np.array_equal(model.predict(frame.iloc[0].to_dict()), expected)
    assert np.array_equal(model.predict({"0": frame[0][0], "1": frame[1][0]}), expected)
    with pytest.raises(ValueError, match="a different name for each column"):
        model.predict(pd.concat([frame, frame], axis=1)[:1])


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            {"number": 1.0},
            "TabularClassifier expects the columns 'gaps', 'count', 'large', 'comma', 'kind', ... of its",
        ),
        ({"other": 1.0}, "TabularClassifier expects the columns 'number', "),
        ((1.0, 2.0), "X has 2 features, but TabularClassifier is expecting 19 features as input"),
        (["oak"], "X has 1 features, but TabularClassifier is expecting 19 features as input"),
        ({**dict.fromkeys(TABLE), "number": "oak"}, "TabularClassifier expects numbers in column 'number', got 'oak' "),
        ({**dict.fromkeys(TABLE), "number": [1.0]}, "TabularClassifier expects the values of column 'gaps', got None"),
        ((), "Expected 2D array, got 1D array"),
        (np.zeros(19), "Expected 2D array, got 1D array"),
        ({}, "a table with columns, got none"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(model: Any, row: Any, says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        model.predict(row)


def test_a_row_of_a_table_that_is_large_is_named_by_its_place() -> None:
    encoder = TableEncoder().fit({"x": np.arange(100.0)})
    words = np.full(70_000, "1", object)
    words[66_000] = "one"
    with pytest.raises(ValueError, match="numbers in column 'x', got 'one' at row 66000"):
        encoder.matrix({"x": words})
    model = cr.TabularRegressor(max_epochs=1, random_state=0).fit({"x": np.arange(60.0)}, np.arange(60.0))
    with pytest.raises(ValueError, match="numbers in column 'x', got 'one' at row 66000"):
        model.predict({"x": words})
