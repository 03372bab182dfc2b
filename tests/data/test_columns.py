"""A column is numbers, text, or refused in a sentence: whatever the spelling, and wherever in the column it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from chainrule.data.tables import read_table

from .conftest import as_lists, written

NUMBERS = [f"{20 + i % 25}.5" for i in range(60)]
PLACES: dict[str, Callable[[int], bool]] = {
    "first": lambda row: row == 0,
    "last": lambda row: row == 59,
    "a tenth": lambda row: row % 10 == 3,
    "a sixth": lambda row: row % 6 == 0,
    "nearly half": lambda row: row % 15 < 7,
    "most": lambda row: row % 10 < 7,
}
GAPS = [
    "", " ", "?", "NA", "N/A", "n/a", "<NA>", "nan", "NaN", "NaT", "null", "NULL", "\\N", "#N/A", "#DIV/0!",
    "#REF!",
]  # fmt: skip
WORDS = [
    "None", "none", "-", "--", "—", ".", "..", "missing", "unknown", "k.A.", "x", "12a", "<5", "10-20", "Na",
    "oak", "nan?", "∞", "2024-01-31", "10:30", "True", "yes", "1.2.3", "1/2", "30+", "-nan", "Infinity", "inf",
    "1e999",
]  # fmt: skip
WRITTEN = [
    "1 234", "1\u00a0234", "1\u202f234.5", "1\u2009234", "1'234", "1\u2019234", "1,234", "1.234,5", "1.234.567",
    "1,5", ",5", "\u22125.5", "\u22125", "\u20135", "$10", "€ 7", "7 €", "-$3", "$-3", "US$4", "CHF 10", "10 EUR",
    "12 %", "12%", "3‰", "(12)", "(1,234.5)", "12-", "0x1F", "1_000", "1,5e3", "12,34,567", "\u0661\u0662",
    "\uff11\uff12",
]  # fmt: skip
DATES = [
    "2024-01-31", "2024/1/31", "2024-01", "31.12.2024", "31.12.24", "1/31/2024", "2024-01-31T10:30:05Z",
    "2024-01-31 10:30", "2024-01-31 10:30:05.123+02:00", "Jan 31, 2024", "31 January 2024", "31-Dec-24",
    "Dec 2024", "Sept. 3rd, 2024", "Mon, 31 Jan 2024 10:30:00 GMT", "10:30", "10:30:05", "100:30", "1:05 PM",
    "2024-W05",
]  # fmt: skip


def column(folder: Path, cells: list[str]) -> Path:
    rows = "".join(f'"{cell}",{i % 2}\n' for i, cell in enumerate(cells))
    return written(folder, f"age,y\n{rows}")


def at_each_place(cell: str) -> Iterator[tuple[list[int], list[str]]]:
    """The rows that hold the cell, and the column: numbers but for these rows."""
    for chosen in PLACES.values():
        rows = [row for row in range(60) if chosen(row)]
        yield rows, [cell if row in rows else number for row, number in enumerate(NUMBERS)]


def refusal(path: Path, message: str) -> str:
    with pytest.raises(ValueError, match=message) as caught:
        read_table(path)
    return str(caught.value)


@pytest.mark.parametrize("gap", GAPS)
def test_a_gap_among_numbers_is_refused(tmp_path: Path, gap: str) -> None:
    for rows, cells in at_each_place(gap):
        said = refusal(column(tmp_path, cells), r"^read_table expects a value in every cell of ")
        assert f"missing values in {len(rows)} of 60 rows (line{'s' * (len(rows) > 1)} {rows[0] + 2}" in said
        assert "in 'age'; remove or fill these rows first" in said
        assert (f"or declare the column as text (text=[...]) if {gap!r} is a value" in said) == bool(gap.strip())


@pytest.mark.parametrize("word", WORDS)
def test_a_word_among_numbers_is_refused(tmp_path: Path, word: str) -> None:
    for rows, cells in at_each_place(word):
        said = refusal(column(tmp_path, cells), r"^read_table expects numbers in column 'age' of ")
        assert f"got {word!r} on line {rows[0] + 2}" in said
        assert "or declare the column as text (text=[...])" in said
        assert read_table(column(tmp_path, cells), text=["age"])["age"].tolist() == cells


@pytest.mark.parametrize("number", WRITTEN)
def test_a_number_written_for_people_is_refused(tmp_path: Path, number: str) -> None:
    for rows, cells in (*at_each_place(number), ([0], [number] * 60)):
        said = refusal(column(tmp_path, cells), r"^read_table expects plain numbers in column 'age' of ")
        assert f"got {number!r} on line {rows[0] + 2}; write " in said
        assert read_table(column(tmp_path, cells), text=["age"])["age"].tolist() == cells


@pytest.mark.parametrize(
    ("cells", "plain"),
    [
        (["1,5", "2", "-3,25"], "1.5"),
        (["2", "-3,25"], "-3.25"),
        (["2", "\u22123,25"], "-3.25"),
        (["$10", "$2.50"], "10"),
        (["-$10", "$2.50"], "-10"),
        (["12 %", "7%"], "12"),
        (["(1,234.5)", "7"], "-1234.5"),
        (["7-", "7"], "-7"),
        (["1.234,56 €", "7,10 €"], "1234.56"),
        (["EUR 1.234,56", "EUR 7,10"], "1234.56"),
        (["1,234.5", "7"], "1234.5"),
        (["1,234,567", "7"], "1234567"),
        (["1.234.567", "7"], "1234567"),
        (["12,34,567", "7"], "1234567"),
        (["1 234 567,5", "7"], "1234567.5"),
        (["1,234", "7"], "1234 or 1.234"),
        ([",234", "7"], ".234"),
        (["1,5e3", "7"], "1.5e3"),
        (["0x1F", "0x07"], "31"),
        (["1_000", "2_000"], "1000"),
        (["\u0661\u0662", "7"], "12"),
    ],
)
def test_the_plain_number_is_advised(tmp_path: Path, cells: list[str], plain: str) -> None:
    path = written(tmp_path, "a;b\n" + "".join(f"{cell};1\n" for cell in cells * 2))
    stray = next(row for row, cell in enumerate(cells) if not cell.isascii() or not cell.isdigit())
    with pytest.raises(ValueError, match="expects plain numbers in column 'a' of ") as caught:
        read_table(path)
    assert f"got {cells[stray]!r} on line {stray + 2}; write {plain}, or declare" in str(caught.value)
    assert read_table(path, text=["a"])["a"].tolist() == cells * 2


@pytest.mark.parametrize(
    "cells",
    [
        ["x1,5", "2"],
        ["1.2.3", "1.2.4"],
        ["10:30", "1_0"],
        ["oak", "None", "-", "missing"],
        ["None", "none"],
        ["36 months", "60 months"],
        ["1Fam", "2fmCon", "Duplex"],
        ["True", "False"],
        ["yes", "no"],
        ["May", "March", "June"],
        ["A12", "B7", "C3"],
        ["10-20", "20-30", "<10"],
        ["+", "-"],
        ["A1", "7"],
    ],
)
def test_plain_text_is_text(tmp_path: Path, cells: list[str]) -> None:
    assert read_table(column(tmp_path, cells * 2))["age"].tolist() == cells * 2


@pytest.mark.parametrize("number", ["5", "-5", "+5", "5.", ".5", "-.5", "1e5", "1E-5", "1.5e+300", "0.0", "-0", "00.5"])
def test_plain_numbers_are_numbers(tmp_path: Path, number: str) -> None:
    assert read_table(column(tmp_path, [number, "7", f" {number} "]))["age"].tolist() == [
        float(number),
        7,
        float(number),
    ]


def test_text_begins_where_half_of_all_and_of_the_different_cells_are_words(tmp_path: Path) -> None:
    half = ["1"] * 5 + ["x"] * 5
    assert read_table(column(tmp_path, half))["age"].tolist() == half
    for numbers in (half[:5] + half[4:9], [*half, "2"]):
        with pytest.raises(
            ValueError, match=r"numbers in column 'age' of .*, got .x. on line [78], one of .* correct them"
        ):
            read_table(column(tmp_path, numbers))
    with pytest.raises(ValueError, match=r"got 'x' on line 11; correct it, or declare"):
        read_table(column(tmp_path, ["1"] * 9 + ["x"]))


@pytest.mark.parametrize("date", DATES)
def test_dates_are_refused_and_named(tmp_path: Path, date: str) -> None:
    for cells in ([date] * 3, [date, date, date, "unknown"]):
        with pytest.raises(ValueError, match="numbers or categories, not dates, in column 'age' of ") as caught:
            read_table(column(tmp_path, cells))
        remedies = "drop the column (list the others in columns=[...]), or declare the column as text (text=[...])."
        assert str(caught.value).endswith(f"got {date!r} on line 2; {remedies}")
        assert list(read_table(column(tmp_path, cells), columns=["y"])) == ["y"]
        assert read_table(column(tmp_path, cells), text=["age"])["age"].tolist() == cells


@pytest.mark.parametrize("unit", [" kg", "kg", "°C", " m²", "++", " years", "k", "-30", "/7", "×10^3", " 1/2"])
def test_many_numbers_with_a_unit_are_refused(tmp_path: Path, unit: str) -> None:
    cells = [f"{number}{unit}" for number in NUMBERS]
    with pytest.raises(
        ValueError, match=r"plain numbers, or few categories, in column 'age' of .*; write the number alone, or"
    ):
        read_table(column(tmp_path, cells))
    assert read_table(column(tmp_path, cells[:20]))["age"].tolist() == cells[:20]


def test_digits_after_a_zero_are_text_if_all_are_as_long(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a,b,c,d\n01,0.5,0,-1\n10,00.5,1,0\n"))
    assert as_lists(table) == {"a": ["01", "10"], "b": [0.5, 0.5], "c": [0, 1], "d": [-1, 0]}
    with pytest.raises(
        ValueError, match=r"codes of equal length, in .*, got '007' on line 3 beside '12'; write 7, or decl"
    ):
        read_table(column(tmp_path, ["12", "007", "3"]))
    assert read_table(column(tmp_path, ["12", "007", "3"]), text=["age"])["age"].tolist() == ["12", "007", "3"]


@pytest.mark.parametrize("number", ["9007199254740993", "-9007199254740993", "12345678901234567", "9007199254740993.0"])
def test_whole_numbers_that_float64_would_round_are_refused(tmp_path: Path, number: str) -> None:
    with pytest.raises(
        ValueError, match=rf"at most 15 digits in column 'age' of .*, got '{number}' on line 3, which fl"
    ):
        read_table(column(tmp_path, ["5", number]))
    assert read_table(column(tmp_path, ["5", number]), text=["age"])["age"].tolist() == ["5", number]


@pytest.mark.parametrize("number", ["9007199254740992", "100000000000000000000", "0.12345678901234567890", "1e300"])
def test_numbers_that_float64_holds_are_read(tmp_path: Path, number: str) -> None:
    assert read_table(column(tmp_path, ["5", number]))["age"].tolist() == [5, float(number)]


def test_words_for_a_missing_value_are_text_where_the_column_is_declared(tmp_path: Path) -> None:
    path = column(tmp_path, ["EU", "NA", "?", "null"])
    assert read_table(path, text=["age"])["age"].tolist() == ["EU", "NA", "?", "null"]
    with pytest.raises(ValueError, match=r"missing values in 1 of 2 rows \(line 3\), in 'age'; remove or fill"):
        read_table(column(tmp_path, ["EU", ""]), text=["age"])


def test_a_hundred_thousand_different_cells_are_judged(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=100_000)
    path = column(tmp_path, [repr(number) for number in numbers.tolist()])
    np.testing.assert_array_equal(read_table(path)["age"], numbers)
