"""What each column is: every rule, its reason, and how it is overruled."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.tabular.kinds import KINDS, cells_of, understand

from .frames import FRAMES

ROWS = 60
RNG = np.random.default_rng(0)
ANYTHING = RNG.normal(size=ROWS)


def kind_of(cells: Any, name: str = "x", **options: Any) -> str:
    """The kind of one column beside another of numbers."""
    return understand({name: cells, "other": RNG.normal(size=len(cells))}, **options).of(name).kind


def repeated(*cells: Any) -> list[Any]:
    return [cells[at % len(cells)] for at in range(ROWS)]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (ANYTHING, "number"),
        (repeated(1, 2, 3, 4), "number"),
        (repeated(1.5, None), "flag"),
        (repeated(0, 1), "flag"),
        (repeated(0.0, 1.0, np.nan), "flag"),
        (repeated(1, 2), "number"),
        (repeated(True, False, None), "flag"),
        (repeated("yes", "no"), "flag"),
        (repeated("Y", "N", ""), "flag"),
        (repeated("TRUE", "false"), "flag"),
        (repeated("ja", "nein", "?"), "flag"),
        (repeated("on", "off"), "flag"),
        (repeated("Yes", "y", "no"), "flag"),
        (repeated("m", "f"), "category"),
        (repeated("s", "f", "y"), "category"),
        (repeated("N", "S"), "category"),
        (repeated("x", None), "flag"),
        (repeated("x", "NA"), "flag"),
        (repeated("oak", "fir", "elm"), "category"),
        (repeated("01", "02", "03"), "category"),
        (repeated("1.5", "2.5", "NA", "7"), "number"),
        (repeated("1,5", "2,5"), "number"),
        (repeated("1 234", "$5"), "number"),
        (repeated("2024-01-31", "2024-02-28", "?"), "date"),
        (repeated("31.1.2024", "1.2.2024"), "date"),
        (repeated("10:30", "11:45"), "date"),
        (repeated(20240131, 20240229, 20231201), "date"),
        (repeated(datetime.datetime(2024, 1, 31), None, datetime.datetime(2023, 1, 1)), "date"),
        (repeated(datetime.timedelta(1), datetime.timedelta(2), datetime.timedelta(3)), "number"),
        ([f"a text of {at} words" for at in range(ROWS)], "text"),
        ([f"user-{at}" for at in range(ROWS)], "id"),
        (list(range(ROWS)), "id"),
        (list(range(1000, 1000 + 2 * ROWS, 2)), "id"),
        ([526301100 + 997 * at for at in range(ROWS)], "id"),
        (repeated(7), "constant"),
        (repeated("x"), "constant"),
        (repeated(None), "constant"),
        (repeated("NA"), "constant"),
        ([[at] for at in range(ROWS)], "drop"),
    ],
    ids=str,
)  # fmt: skip
def test_the_kind_of_a_column(cells: Any, kind: str) -> None:
    assert kind_of(cells) == kind


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (np.cumsum(RNG.integers(1, 5000, ROWS)).tolist(), "number"),  # a measure whose values happen to be different
        ((RNG.permutation(10**6)[:ROWS] + 10).tolist(), "number"),
        (RNG.permutation(200)[:ROWS].tolist(), "id"),  # of so few integers some would be equal by chance
        ([1.5 + at for at in range(ROWS)], "number"),
        ([3, 1, 2], "number"),
    ],
)
def test_different_integers_are_an_id_only_if_chance_would_not_make_them_so(cells: list[Any], kind: str) -> None:
    assert kind_of(cells) == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("customerId", "id"),
        ("PID", "id"),
        ("user_id", "id"),
        ("passengerid", "id"),
        ("paid", "number"),
        ("width", "number"),
    ],
)
def test_a_name_tells_an_id(name: str, kind: str) -> None:
    assert kind_of((RNG.permutation(10**6)[:ROWS] + 10).tolist(), name) == kind


@pytest.mark.parametrize(
    ("name", "kind"), [("zip", "category"), ("Pclass", "number"), ("MS SubClass", "category"), ("type", "category")]
)
def test_a_name_tells_a_code(name: str, kind: str) -> None:
    assert kind_of(repeated(20, 30, 60), name) == kind


def test_a_name_tells_that_integers_are_times() -> None:
    assert kind_of(list(range(1950, 1950 + ROWS)), "year") == "number"


def test_missing_words_are_counted_and_a_category_keeps_its_own() -> None:
    found = understand({"alley": repeated("NA", "Grvl", "Pave"), "n": repeated("?", "1", "2", "", "-", "4")})
    assert [(kind.kind, kind.missing, kind.distinct) for kind in found] == [("category", 20, 2), ("number", 30, 3)]
    assert understand({"a": repeated("gone", "x", "y")}, missing=["gone"])[0].missing == 20


def test_every_frame_is_understood_alike() -> None:
    table = {
        "n": [1.5, None, 2.5, 4.0, 0.5, 7.5],
        "word": ["a", None, "b", "a", "c", "b"],
        "flag": [True, None, False, True, True, False],
        "day": [datetime.date(2024, 1, at + 1) for at in range(6)],
        "no": [1, 2, 3, 4, 5, 6],
    }
    printed = {str(understand(make(table), target="n")) for make in FRAMES.values()}
    assert len(printed) == 1


# --- the target ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (ANYTHING, "number"),
        (repeated(0, 1), "category"),
        (repeated(1.5, 2.5), "category"),
        (repeated(3, 4, 5), "category"),
        (list(range(ROWS)), "number"),
        (repeated("a", "b", "c"), "category"),
        (repeated("1.5", "2.5", "7"), "number"),
        (repeated(True, False), "category"),
        (repeated("+", "-"), "category"),
        (repeated("None", "Mild", "Severe"), "category"),
    ],
)
def test_what_the_target_is(cells: Any, kind: str) -> None:
    found = understand({"x": ANYTHING, "y": cells}, target="y").of("y")
    assert (found.kind, found.is_target, found.missing, found.is_input) == (kind, True, 0, False)


def test_the_target_can_be_stated() -> None:
    table = {"x": ANYTHING, "y": repeated(3, 4, 5)}
    assert understand(table, {"y": "number"}, "y").of("y").kind == "number"
    with pytest.raises(ValueError, match="a number or a category"):
        understand(table, {"y": "date"}, "y")
    with pytest.raises(ValueError, match="numbers or words in the target 'y', got dates"):
        understand({"x": [1, 2], "y": np.array([1, 2], "M8[D]")}, target="y")


# --- overruling ---------------------------------------------------------------------------------------------------


def test_a_kind_is_overruled_by_name() -> None:
    table = {"zip": [10115, 10117, 10115, 20095, 20095, 10115], "no": [1, 2, 3, 4, 5, 6], "x": [1.5, 2, 3, 4, 5, 9]}
    found = understand(table, {"zip": "number", "no": "number", "x": "drop"})
    assert [kind.kind for kind in found] == ["number", "number", "drop"]
    assert found.of("zip").why == "as stated"


@pytest.mark.parametrize(
    ("cells", "kind", "said"),
    [
        (["a", "b"], "number", "numbers in column 'x', got 'a'"),
        (["a", "b"], "date", "dates in column 'x', got 'a'"),
        ([20240131, 20241341], "date", "got '20241341'"),
        ([[1], [2]], "number", "drop it"),
        ([1, 2], "nummer", "did you mean 'number'"),
        ([1, 2], "date:ymd", "date:dmy"),
    ],
)
def test_a_kind_that_does_not_fit_is_refused(cells: list[Any], kind: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        understand({"x": cells}, {"x": kind})


def test_a_name_that_is_no_column_is_refused_with_the_nearest() -> None:
    for options in ({"columns": {"hight": "number"}}, {"target": "hight"}):
        with pytest.raises(ValueError, match="did you mean 'height'"):
            understand({"height": [1, 2]}, **options)


def test_dates_and_commas_that_may_be_read_in_two_ways_are_asked_for() -> None:
    days = {"when": repeated("3/4/2024", "5/6/2024")}
    with pytest.raises(ValueError, match=r"'date:dmy'.*'date:mdy'"):
        understand(days)
    assert understand(days, {"when": "date:mdy"}).of("when").form == "mdy"
    sums = {"sum": repeated("1,234", "5,678")}
    with pytest.raises(ValueError, match=r"'number:\.'.*'number:,'"):
        understand(sums)
    assert understand(sums, {"sum": "number:,"}).of("sum").form == ","


def test_the_last_usable_column_is_never_left_out() -> None:
    assert understand({"no": list(range(ROWS)), "y": ANYTHING}, target="y").of("no").kind == "number"
    names = [f"n{at}" for at in range(ROWS)]
    assert understand({"no": names, "one": repeated(1), "y": ANYTHING}, target="y").of("no").kind == "category"
    assert understand({"one": repeated(1), "y": ANYTHING}, target="y").of("one").is_input
    found = understand({"no": list(range(ROWS)), "y": ANYTHING}, {"no": "drop"}, "y")
    assert found.of("no").kind == "drop"


# --- printing -----------------------------------------------------------------------------------------------------


def test_the_table_is_printed_in_80_columns_whatever_is_in_it() -> None:
    table = {
        "a name that is much longer than the screen is wide, by far": repeated(
            "a value that is long as well", "x", "y"
        ),
        "\x1b[2Jname\n": repeated("\x1b[2J", "\u202e", "z"),
        "大きさの名前" * 9: repeated("大きい", "小さい", "中"),
        "n": ANYTHING,
    }
    lines = str(understand(table)).split("\n")
    assert len(lines) == 5
    assert all(cells_of(line) <= 80 and line.isprintable() for line in lines)
    assert {cells_of(line[: line.index("category")]) for line in lines[1:4]} == {lines[0].index("kind")}


CELLS = st.one_of(st.none(), st.text(max_size=6), st.integers(), st.floats(), st.booleans(), st.dates())
COLUMNS = st.lists(CELLS, min_size=8, max_size=8)


@given(st.dictionaries(st.text(max_size=8), COLUMNS, min_size=1, max_size=4))
def test_any_columns_are_understood_or_refused_in_one_sentence(table: dict[str, list[Any]]) -> None:
    try:
        found = understand(table)
    except ValueError as error:
        said = str(error)
    else:
        said = "understand expects "
        assert [kind.name for kind in found] == list(table)
        assert all(kind.kind in KINDS and kind.why for kind in found)
        assert all(cells_of(line) <= 80 for line in found.lines())
    assert said.startswith("understand expects ")


def test_understanding_changes_nothing() -> None:
    frame = pd.DataFrame({"a": repeated("x", None, "y"), "b": ANYTHING})
    before = frame.copy(deep=True)
    understand(frame, target="b")
    pd.testing.assert_frame_equal(frame, before)
