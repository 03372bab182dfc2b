"""Tables as arrays: each feature held against its definition, with values that training never saw."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.tabular.encoding import TableEncoder

from .frames import FRAMES

RNG = np.random.default_rng(0)
N = 200


def encoded(cells: Any, kind: str = "number", new: Any = None, **options: Any) -> np.ndarray:
    """The features of one column, fitted to ``cells``, for ``new`` ones, in float64."""
    encoder = TableEncoder(dtype="float64", **options).fit({"x": cells}, columns={"x": kind})
    return encoder.transform({"x": cells if new is None else new}).numbers


def realmlp(x: np.ndarray) -> np.ndarray:
    """Robust scaling and the smooth clip, as the paper defines them."""
    low, median, high = np.quantile(x, [0.25, 0.5, 0.75])
    spread = high - low if high > low else (x.max() - x.min()) / 2
    z = (x - median) / spread if spread > 0 else np.zeros_like(x)
    return z / np.sqrt(1 + (z / 3) ** 2)


# --- numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x",
    [
        RNG.normal(size=N),
        RNG.exponential(size=N) * 1e9 + 1e6,
        np.r_[np.zeros(150), RNG.normal(size=50)],
        np.r_[np.zeros(199), 1.0],
        RNG.integers(0, 5, N).astype(float),
        np.full(N, 3.0),
    ],
)
def test_numbers_are_scaled_robustly_and_clipped_smoothly(x: np.ndarray) -> None:
    np.testing.assert_allclose(encoded(x)[:, 0], realmlp(x), rtol=1e-12, atol=1e-12)


def test_numbers_are_standardised_if_asked_for() -> None:
    x = RNG.exponential(size=N)
    np.testing.assert_allclose(encoded(x, scaling="standard")[:, 0], (x - x.mean()) / x.std(), rtol=1e-12)


def test_a_missing_number_is_the_median_and_a_feature_says_so() -> None:
    x = np.r_[np.arange(100.0), np.nan, np.nan]
    found = encoded(x)
    assert found.shape == (102, 2)
    np.testing.assert_allclose(found[:100, 0], realmlp(np.arange(100.0)), atol=0.02)
    assert found[100, 0] == found[50, 0]
    assert len(set(found[:100, 1])) == 1
    assert found[100, 1] == pytest.approx(2 / np.sqrt(1 + 4 / 9))  # as rare as a rare category
    assert encoded(x, scaling="standard")[99:, 1].tolist() == [0, 1, 1]


def test_a_number_that_training_never_missed_is_the_median_without_a_feature() -> None:
    found = encoded(np.arange(101.0), new=[None, 50, np.nan])
    assert found.tolist() == [[0], [0], [0]]


def test_a_constant_number_gives_zero_for_new_values_too() -> None:
    assert encoded([3, 3, 3], new=[3, 4, None, np.inf]).tolist() == [[0], [0], [0], [0]]
    assert encoded([None, None, 3.0], new=[3, 4, None])[:, 0].tolist() == [0, 0, 0]


@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(allow_subnormal=True)))
def test_numbers_of_any_size_give_finite_features(x: np.ndarray) -> None:
    new = np.array([0, np.inf, -np.inf, np.nan, 1.7e308, -1.7e308, 5e-324])
    for scaling in ("robust", "standard"):
        for dtype in ("float32", "float64"):
            encoder = TableEncoder(scaling=scaling, dtype=dtype).fit({"x": x}, columns={"x": "number"})
            for rows in (x, new):
                found = encoder.transform({"x": rows}).numbers
                assert found.dtype == dtype
                assert np.isfinite(found).all()
                assert scaling == "standard" or np.abs(found).max(initial=0) <= 3


def test_large_integers_and_offsets_keep_their_differences() -> None:
    seconds = 1_700_000_000 + np.arange(N)
    np.testing.assert_allclose(encoded(seconds), encoded(np.arange(N)), rtol=1e-12, atol=1e-12)
    targets = 2_000_000_000 + RNG.normal(size=N) * 50
    assert np.unique(encoded(targets)).size == N


def test_numbers_in_texts_are_read_as_in_training() -> None:
    encoder = TableEncoder(dtype="float64").fit({"x": ["1,5", "2,5", "NA", "1.234,5"] * 5})
    found = encoder.transform({"x": ["2,5", "2,50 €", "?", None, "1.000"]}).numbers[:, 0]
    assert found[0] == found[1] == encoder.transform({"x": [2.5]}).numbers[0, 0]
    assert found[2] == found[3]
    assert found[4] == encoder.transform({"x": [1000]}).numbers[0, 0]
    with pytest.raises(ValueError, match="numbers in column 'x', got 'abc' at row 1"):
        encoder.transform({"x": ["1", "abc"]})
    with pytest.raises(ValueError, match="numbers in column 'x', got dates"):
        encoder.transform({"x": [datetime.date(2024, 1, 1)]})


# --- categories ---------------------------------------------------------------------------------------------------


def test_a_category_is_a_feature_for_each_value() -> None:
    words = ["oak"] * 5 + ["fir"] * 3 + ["elm"] * 2
    encoder = TableEncoder(scaling="standard").fit({"kind": words})
    assert encoder.feature_names == ["kind=elm", "kind=fir", "kind=oak"]
    assert encoder.feature_roles == ["one-hot"] * 3
    assert encoder.transform({"kind": ["fir", "oak", "elm"]}).numbers.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_with_robust_scaling_categories_are_scaled_like_numbers() -> None:
    words = RNG.choice(["a", "b", "c", "d"], N, p=[0.7, 0.2, 0.07, 0.03])
    found = encoded(words, "category")
    for at, word in enumerate("abcd"):
        np.testing.assert_allclose(found[:, at], realmlp((words == word).astype(float)), rtol=1e-12)


def test_two_values_are_one_feature() -> None:
    words = ["m"] * 7 + ["f"] * 5
    assert encoded(words, "category", ["f", "m", "x"], scaling="standard").tolist() == [[1], [-1], [0]]
    np.testing.assert_allclose(encoded(words, "category")[:, 0], realmlp(np.where(np.array(words) == "f", 1.0, -1.0)))


def test_missing_is_a_category_of_its_own_if_training_saw_it() -> None:
    words = ["a", "b", "c", None, "NA", ""] * 3
    encoder = TableEncoder(scaling="standard").fit({"x": words})
    assert encoder.feature_names == ["x=a", "x=b", "x=c", "x is missing"]
    assert encoder.transform({"x": [None, "?", "c"]}).numbers.tolist() == [[0, 0, 0, 1]] * 2 + [[0, 0, 1, 0]]
    without = TableEncoder(scaling="standard").fit({"x": ["a", "b", "c"] * 3})
    assert without.transform({"x": [None, "?"]}).numbers.tolist() == [[0, 0, 0]] * 2


def test_rare_and_unseen_values_are_the_same_and_told() -> None:
    words = ["a"] * 5 + ["b"] * 5 + ["c"] * 3 + ["once"]
    encoder = TableEncoder(scaling="standard").fit({"x": words})
    assert encoder.feature_names == ["x=a", "x=b", "x=c"]
    new = {"x": ["once", "new", "a", None]}
    assert encoder.transform(new).numbers[:2].tolist() == [[0, 0, 0]] * 2
    assert encoder.unseen(new) == {"x": (3, ["once", "new"])}


def test_one_value_beside_missing_ones_is_one_feature() -> None:
    found = encoded(["x", None, "x", None, None], "category", ["x", None, "y"], scaling="standard")
    assert found.tolist() == [[1], [-1], [0]]


def test_many_values_are_codes_for_an_embedding() -> None:
    words = [f"w{at % 20}" for at in range(100)] + [None, "once"]
    encoder = TableEncoder().fit({"x": words, "n": np.arange(102) % 7})
    assert (encoder.code_names, encoder.code_sizes, encoder.feature_names) == (["x"], [22], ["n"])
    codes = encoder.transform({"x": ["w0", "w1", "w10", None, "new", "once"], "n": range(6)}).codes
    assert codes.dtype == np.int64
    assert codes.tolist() == [[1], [2], [3], [21], [0], [0]]
    assert TableEncoder(max_one_hot=None).fit({"x": words}).transform({"x": words}).numbers.shape == (102, 21)
    assert TableEncoder(max_one_hot=0).fit({"x": words}).code_sizes == [22]


def test_integers_as_categories_are_in_order_and_have_one_text() -> None:
    encoder = TableEncoder(scaling="standard").fit({"zip": [10, 9, 100] * 3}, columns={"zip": "category"})
    assert encoder.feature_names == ["zip=9", "zip=10", "zip=100"]
    for cells in ([10], ["10"], [10.0], np.array([10], "i1")):
        assert encoder.transform({"zip": cells}).numbers.tolist() == [[0, 1, 0]]


def test_the_most_frequent_values_are_kept() -> None:
    words = ["a"] * 9 + ["b"] * 8 + ["c"] * 7 + ["d"] * 6
    assert TableEncoder(max_categories=3).fit({"x": words}).feature_names == ["x=a", "x=b", "x=c"]


# --- flags --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [["yes", "no"], ["TRUE", "False"], ["Y", "N"], [1, 0], [True, False], [1.0, 0.0]])
def test_a_flag_is_the_same_in_any_spelling(cells: list[Any]) -> None:
    encoder = TableEncoder(scaling="standard").fit({"x": cells * 10})
    assert encoder.feature_roles == ["flag"]
    for new in (["yes", "NO", "t", "f"], [True, False, True, False], np.array([1, 0, 1, 0]), [1.0, 0.0, 1.0, 0.0]):
        assert encoder.transform({"x": new}).numbers.tolist() == [[1], [-1], [1], [-1]]
    new = {"x": ["maybe", None, "2"]}
    assert encoder.transform(new).numbers.tolist() == [[0], [0], [0]]
    assert encoder.unseen(new) == {"x": (2, ["maybe", "2"])}


def test_a_missing_flag_has_a_feature_and_a_value_or_none_is_a_flag() -> None:
    found = encoded(["yes", "no", None], "flag", ["no", None], scaling="standard")
    assert found.tolist() == [[-1, 0], [0, 1]]
    encoder = TableEncoder(scaling="standard").fit({"x": ["x", None] * 5, "n": range(10)}, columns={"n": "drop"})
    assert encoder.transform({"x": ["x", None, "y"]}).numbers.tolist() == [[1], [-1], [1]]


# --- the whole ----------------------------------------------------------------------------------------------------

TABLE: dict[str, list[Any]] = {
    "n": [1.5, None, 2.5, 4.0, 0.5, 7.5] * 4,
    "whole": [3, 1, 2, 5, 8, 2] * 4,
    "word": ["a", None, "b", "a", "c", "b"] * 4,
    "flag": [True, None, False, True, True, False] * 4,
    "day": [datetime.date(2024, 1 + at % 5, 1 + at) for at in range(24)],
}


@pytest.mark.parametrize("kind", FRAMES)
def test_every_frame_gives_the_same_arrays(kind: str) -> None:
    encoder = TableEncoder().fit(TABLE)
    frame = FRAMES[kind](TABLE)
    for fitted in (encoder, TableEncoder().fit(frame)):
        assert fitted.to_dict() == encoder.to_dict()
        for a, b in zip(fitted.transform(frame), encoder.transform(TABLE), strict=True):
            assert np.array_equal(a, b)


def test_it_is_fitted_to_the_training_rows_alone() -> None:
    frame = pd.DataFrame(TABLE)
    encoder = TableEncoder().fit(frame[:12])
    before = encoder.to_dict()
    whole = encoder.transform(frame).numbers
    assert encoder.to_dict() == before
    parts = [encoder.transform(frame[at : at + 5]).numbers for at in range(0, 24, 5)]
    assert np.array_equal(np.vstack(parts), whole)


def test_columns_come_in_any_order_and_others_are_ignored() -> None:
    encoder = TableEncoder().fit(TABLE, target="whole")
    assert encoder.columns == ["n", "word", "flag", "day"]
    mixed = {name: TABLE[name] for name in reversed(TABLE)} | {"more": ["x"] * 24}
    assert np.array_equal(encoder.transform(mixed).numbers, encoder.transform(TABLE).numbers)
    del mixed["word"]
    with pytest.raises(ValueError, match="TableEncoder expects a column 'word'"):
        encoder.transform(mixed)


def test_ids_and_constants_are_left_out() -> None:
    table = {"no": range(1, 25), "one": ["x"] * 24} | TABLE
    assert TableEncoder().fit(table).columns == list(TABLE)


def test_a_table_of_no_rows_gives_none() -> None:
    numbers, codes = TableEncoder().fit(TABLE).transform({name: [] for name in TABLE})
    assert numbers.shape == (0, len(TableEncoder().fit(TABLE).feature_names))
    assert codes.shape == (0, 0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TableEncoder().transform(TABLE), "call fit"),
        (lambda: TableEncoder().fit({"x": []}), "rows to be fitted to"),
        (lambda: TableEncoder().fit({"x": ["a", "b", "c"]}), "a column that distinguishes rows"),
        (lambda: TableEncoder().fit({"y": [1, 2, 3]}, target="y"), "a column that distinguishes rows"),
        (lambda: TableEncoder(scaling="robuts"), "did you mean 'robust'"),
        (lambda: TableEncoder(dtype="int8"), "a dtype"),
        (lambda: TableEncoder(max_one_hot=-1), "max_one_hot >= 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"^TableEncoder expects .*{said}"):
        make()


CELLS = st.one_of(st.none(), st.text(max_size=4), st.integers(), st.floats(), st.booleans(), st.dates(), st.just("NA"))
WORDS = st.sampled_from(["oak", "fir", "elm", "NA", "", "yes", "no", "1", "2.5", "1,5", "2024-01-31", "007"])
COLUMN = st.one_of(st.lists(CELLS, min_size=12, max_size=12), st.lists(WORDS, min_size=12, max_size=12))


@given(st.dictionaries(st.sampled_from("abcd"), COLUMN, min_size=1), st.dictionaries(st.sampled_from("abcd"), COLUMN))
def test_any_table_is_encoded_or_refused_in_one_sentence(table: dict[str, Any], new: dict[str, Any]) -> None:
    encoder = TableEncoder(text_buckets=4, dtype="float64", max_one_hot=3)
    for act in (lambda: encoder.fit(table), lambda: encoder.transform(table), lambda: encoder.transform(table | new)):
        try:
            found = act()
        except ValueError as error:
            said = str(error)
        else:
            said = "TableEncoder expects"
            if found is not encoder:
                assert np.isfinite(found.numbers).all()
                assert found.numbers.shape == (12, len(encoder.feature_names))
                assert (found.codes < [*encoder.code_sizes]).all()
        assert said.startswith(("TableEncoder expects", "understand expects"))
        if "no table yet" in said:
            break
