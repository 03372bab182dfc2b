"""A column of numbers stays one, wherever a gap, a word or a number as people write it stands, or it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from chainrule.tabular.reading import Table, read_table

from .written import written

NUMBERS = [f"{20 + i % 25}.5" for i in range(60)]
PLACES: dict[str, Callable[[int], bool]] = {
    "first": lambda row: row == 0,
    "last": lambda row: row == 59,
    "a tenth": lambda row: row % 10 == 3,
    "a sixth": lambda row: row % 6 == 0,
    "nearly half": lambda row: row % 15 < 7,
}
GAPS = [
    "", " ", "?", "NA", "N/A", "n/a", "<NA>", "nan", "NaN", "NaT", "null", "NULL", "\\N", "#N/A", "#DIV/0!",
    "#REF!", "None", "none", "-", "--", ".", "..", "missing", "unknown",
]  # fmt: skip
WORDS = [
    "—", "k.A.", "x", "12a", "<5", "10-20", "oak", "nan?", "∞", "2024-01-31", "10:30", "True", "yes", "1.2.3",
    "1/2", "30+", "-nan", "1 2",
]  # fmt: skip
WRITTEN = [
    "1 234", "1\u00a0234", "1\u202f234.5", "1\u2009234", "1'234", "1\u2019234", "1,234", "1.234.567", "1,5", ",5",
    "\u22125.5", "\u22125", "\u20135", "$10", "€ 7", "7 €", "-$3", "$-3", "US$4", "CHF 10", "10 EUR", "12 %", "12%",
    "3‰", "(12)", "(1,234.5)", "0x1F", "1_000", "1,5e3", "\u0661\u0662", "12345678901234567890", "1e999",
]  # fmt: skip


def column(folder: Path, cells: list[str]) -> Path:
    rows = "".join(f'"{cell}",{i % 2}\n' for i, cell in enumerate(cells))
    return written(folder, f"age,y\n{rows}")


def at_each_place(cell: str) -> Iterator[list[str]]:
    """The column: numbers but for some rows."""
    for chosen in PLACES.values():
        yield [cell if chosen(row) else number for row, number in enumerate(NUMBERS)]


def read_or_asked(path: Path) -> Table | str:
    """The table, or the sentence that refuses it."""
    try:
        return read_table(path)
    except ValueError as error:
        return str(error)


def outcome(path: Path) -> str:
    """``number``, ``text`` or ``refused`` in a sentence that names the column."""
    found = read_or_asked(path)
    if isinstance(found, str):
        assert "column 'age' of " in found
        return "refused"
    return "number" if found["age"].dtype.is_numeric() else "text"


def check_rows(path: Path, rows: int, option: str) -> None:
    """The file has so many rows, or the option is asked for that decides."""
    found = read_or_asked(path)
    assert option in found if isinstance(found, str) else len(found.frame) == rows


@pytest.mark.parametrize("gap", GAPS)
def test_a_gap_among_numbers_is_a_gap(tmp_path: Path, gap: str) -> None:
    for cells in at_each_place(gap):
        found = read_table(column(tmp_path, cells)).frame["age"]
        assert found.dtype.is_numeric()
        assert found.null_count() == cells.count(gap)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_among_numbers_is_refused_unless_it_is_declared(tmp_path: Path, word: str) -> None:
    for cells in at_each_place(word):
        path = column(tmp_path, cells)
        assert outcome(path) == "refused"
        assert read_table(path, text=["age"]).frame["age"].to_list() == cells
        gaps = read_table(path, missing=[word]).frame["age"]
        assert gaps.dtype.is_numeric()
        assert gaps.null_count() == cells.count(word)


@pytest.mark.parametrize("number", WRITTEN)
def test_a_number_as_people_write_it_makes_no_text_of_the_others(tmp_path: Path, number: str) -> None:
    for cells in at_each_place(number):
        assert outcome(column(tmp_path, cells)) in ("number", "refused")


NUMBERS_AS_NAMES = ["0,1,2", "0,1", "0.0,1.0", "0.0,1.0,2.0", "1,2,3", "2019,2020", "2019,2020,2021", "400,402,404"]
NUMBERS_AS_NAMES += [",0,1,2", '"0","1","2"', " 0 , 1 , 2 ", "0;1;2", "0\t1\t2"]


@pytest.mark.parametrize("rows", ["0.5", "-3.25"])
@pytest.mark.parametrize("names", NUMBERS_AS_NAMES)
def test_numbers_that_may_be_names_are_no_row_of_data(tmp_path: Path, names: str, rows: str) -> None:
    mark = next((mark for mark in ";\t" if mark in names), ",")
    width = names.count(mark) + 1
    path = written(tmp_path, f"{names}\n" + f"{mark.join([rows] * width)}\n" * 3)
    check_rows(path, 3, "--no-header")
    assert len(read_table(path, header=True).frame) == 3


@pytest.mark.parametrize("columns", [2, 3, 10])
@pytest.mark.parametrize("index", [False, True])
def test_what_pandas_writes_of_an_array_keeps_its_header(tmp_path: Path, columns: int, index: bool) -> None:
    pd = pytest.importorskip("pandas")
    values = np.random.default_rng(0).normal(size=(30, columns))
    pd.DataFrame(values).to_csv(tmp_path / "t.csv", index=index)
    check_rows(tmp_path / "t.csv", 30, "--header")
    table = read_table(tmp_path / "t.csv", header=True, columns=[str(column) for column in range(columns)])
    np.testing.assert_array_equal(np.column_stack([table[name] for name in table]), values)


@pytest.mark.parametrize(
    "content", ["red,round\nblue,long\nred,long\n", "p,x,s\ne,x,s\n", "2024-01-31,oak\n2024-02-01,fir\n"]
)
def test_data_of_text_do_not_lose_their_first_row(tmp_path: Path, content: str) -> None:
    check_rows(written(tmp_path, content), content.count("\n"), "--no-header")
