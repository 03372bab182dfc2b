"""Columns of numbers in text files: as people write them, with gaps, as codes; what leaves a doubt is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.tabular.reading import read_table
from chainrule.tabular.words import MISSING, MISSING_AMONG_NUMBERS

from .written import as_lists, kinds, refused, written

AGES = np.random.default_rng(0).integers(20, 65, 60).tolist()


def column(folder, cells: list[str], *, quoted: bool = False, **options: object):
    """What is read of a column that stands beside one of small integers."""
    content = "x;y\n" + "".join(
        f'"{cell}";{i % 2}\n' if quoted else f"{cell};{i % 2}\n" for i, cell in enumerate(cells)
    )
    return read_table(written(folder, content), **options)


@pytest.mark.parametrize("mark", [" ", "\u00a0", "\u2007", "\u2009", "\u202f", "'", "\u2019"])
def test_thousands_by_blanks_and_apostrophes(tmp_path, mark: str) -> None:
    table = column(tmp_path, [f"{age}{mark}{100 + age}" for age in AGES])
    assert as_lists(table)["x"] == [1000 * age + 100 + age for age in AGES]
    assert table.notes == ("thousands set off in 'x'",)


@pytest.mark.parametrize(
    ("cells", "numbers", "said"),
    [
        (["1,5", "2,25", "3"], [1.5, 2.25, 3], "the comma is the decimal mark"),
        (["1.234,5", "2.345", "7"], [1234.5, 2345, 7], "the comma is the decimal mark"),
        (["1,234.5", "2,345", "7"], [1234.5, 2345, 7], "thousands set off in 'x'"),
        (["1.234.567", "2.345", "7"], [1234567, 2345, 7], "the comma is the decimal mark"),
        (["$10", "$1,234.50", "-$5"], [10, 1234.5, -5], "numbers with $ in 'x'"),
        (["1,5 €", "2,25 €", "3 €"], [1.5, 2.25, 3], "numbers with € in 'x'"),
        (["12 %", "3.5%", "0"], [12, 3.5, 0], "numbers with % in 'x'"),
        (["\u22121.5", "2.5", "3"], [-1.5, 2.5, 3], None),
        (["(3)", "4", "5-"], [-3, 4, -5], None),
        (["+3", "4.5", "5"], [3, 4.5, 5], None),
    ],
)
def test_numbers_as_people_write_them(tmp_path, cells: list[str], numbers: list[float], said: str | None) -> None:
    table = column(tmp_path, cells * 20)
    assert as_lists(table)["x"] == numbers * 20
    assert said is None or said in table.notes


def test_a_comma_that_may_set_off_either_is_asked_for(tmp_path) -> None:
    cells = [f"{age},{100 + age}" for age in AGES]
    with pytest.raises(ValueError, match=r"pass decimal='\.'") as caught:
        column(tmp_path, cells)
    assert "column 'x'" in str(caught.value)
    assert as_lists(column(tmp_path, cells, decimal="."))["x"] == [1000 * age + 100 + age for age in AGES]
    found = as_lists(column(tmp_path, cells, decimal=","))["x"]
    assert found == pytest.approx([age + (100 + age) / 1000 for age in AGES])


def test_another_column_tells_what_a_comma_means(tmp_path) -> None:
    rows = [("1,234", "0.5"), ("2,345", "1.5")]
    path = written(tmp_path, "x;y\n" + "".join(f"{x};{y}\n" for x, y in rows))
    assert as_lists(read_table(path)) == {"x": [1234, 2345], "y": [0.5, 1.5]}
    path = written(tmp_path, "x;y\n1.234;0,5\n2.345;1,5\n")
    assert as_lists(read_table(path)) == {"x": [1234, 2345], "y": [0.5, 1.5]}


def test_a_comma_far_below_makes_thousands_of_points_above(tmp_path) -> None:
    content = "x;y\n" + "7;2.123\n" * 5000 + "3,5;1.234\n"
    table = read_table(written(tmp_path, content))
    assert table.frame["y"].to_list()[-1] == 1234
    assert table.frame["x"].to_list()[-1] == 3.5


def test_two_decimal_marks_in_one_column_are_refused(tmp_path) -> None:
    cells = [f"{i}.5" for i in range(30)] + ["1,25"]
    with pytest.raises(ValueError, match="one decimal mark in column 'x'"):
        column(tmp_path, cells)


@pytest.mark.parametrize(
    ("last", "said"), [("€3", "one unit"), ("0.4", None), ("3 %", "one unit")], ids=["euro", "none", "percent"]
)
def test_numbers_of_two_units_are_refused(tmp_path, last: str, said: str | None) -> None:
    cells = [f"${i}" for i in range(1, 31)] + [last]
    if said is None:
        assert kinds(column(tmp_path, cells))["x"] == "Float64"
    else:
        with pytest.raises(ValueError, match=said):
            column(tmp_path, cells)


def test_a_percentage_without_its_sign_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="percent signs after all numbers or none"):
        column(tmp_path, [f"{i} %" for i in range(1, 31)] + ["0.4"])


@pytest.mark.parametrize("word", sorted(MISSING | MISSING_AMONG_NUMBERS | {"Missing", "UNKNOWN", "N.D."} - {""}))
def test_words_for_no_value_are_gaps_between_numbers(tmp_path, word: str) -> None:
    cells = [word if i % 6 == 0 else str(age) for i, age in enumerate(AGES)]
    expected = [None if i % 6 == 0 else age for i, age in enumerate(AGES)]
    assert as_lists(column(tmp_path, cells))["x"] == expected
    commas = [word if i % 6 == 0 else f"{age},5" for i, age in enumerate(AGES)]
    assert as_lists(column(tmp_path, commas))["x"] == [None if x is None else x + 0.5 for x in expected]


def test_a_word_that_may_mean_no_value_is_asked_for(tmp_path) -> None:
    cells = ["lost" if i % 6 == 0 else str(age) for i, age in enumerate(AGES)]
    with pytest.raises(ValueError, match=r"missing=\['lost'\].*text=\[\.\.\.\]"):
        column(tmp_path, cells)
    assert as_lists(column(tmp_path, cells, missing=["lost"]))["x"][:2] == [None, AGES[1]]
    assert as_lists(column(tmp_path, cells, text=["x"]))["x"][:2] == ["lost", str(AGES[1])]


def test_words_that_the_user_calls_missing_are_so_in_text_and_numbers(tmp_path) -> None:
    path = written(tmp_path, "a,b\n-999,x\n2,gone\n3,y\n")
    table = read_table(path, missing=["-999", "gone"])
    assert as_lists(table) == {"a": [None, 2, 3], "b": ["x", None, "y"]}


def test_text_keeps_words_that_elsewhere_mean_no_value(tmp_path) -> None:
    assert as_lists(read_table(written(tmp_path, "region,y\nEU,0\nNA,1\n")))["region"] == ["EU", "NA"]


def test_few_numbers_beside_words_are_categories(tmp_path) -> None:
    assert set(as_lists(column(tmp_path, ["0", "1", "2", "3+"] * 15))["x"]) == {"0", "1", "2", "3+"}


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["01234", "90210", "12345"], "String"),
        (["90210"] * 500 + ["01234"], "String"),
        (["007", "008", "12"], "String"),
        (["01", "02", "10"], "String"),
        (["0", "10", "100"], "Int64"),
        (["0.5", "0", "00.25"], "Float64"),
        (["1"] * 1000 + ["10", "09"], "Int64"),
    ],
)
def test_digits_with_leading_zeros_are_codes_where_they_mean_something(tmp_path, cells: list[str], kind: str) -> None:
    table = column(tmp_path, cells)
    assert kinds(table)["x"] == kind
    if kind == "String":
        assert as_lists(table)["x"] == cells


@pytest.mark.parametrize("value", [2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 + 1, 10**40])
def test_integers_of_any_size_stay_themselves(tmp_path, value: int) -> None:
    assert list(map(int, as_lists(column(tmp_path, [str(value), str(value - 2), "5"]))["x"])) == [value, value - 2, 5]


def test_a_column_changes_its_kind_far_below_the_first_lines(tmp_path) -> None:
    rows = [f"{i},{i},{i}" for i in range(300_000)]
    content = "a,b,c\n" + "\n".join(rows) + "\n2.5,NA,1 234\n"
    table = read_table(written(tmp_path, content))
    assert kinds(table) == {"a": "Float64", "b": "Int64", "c": "Int64"}
    assert {name: values[-1] for name, values in as_lists(table).items()} == {"a": 2.5, "b": None, "c": 1234}


def test_every_column_may_change_its_kind(tmp_path) -> None:
    names = [f"k{at}" for at in range(30)]
    content = ",".join(names) + "\n" + (",".join("1" * 30) + "\n") * 2000 + ",".join(["a"] * 30) + "\n"
    assert set(kinds(read_table(written(tmp_path, content))).values()) == {"String"}


def test_a_column_without_values_is_text(tmp_path) -> None:
    assert as_lists(read_table(written(tmp_path, "a,b\n,1\n,2\n")))["a"] == ["", ""]


def test_the_line_of_a_wrong_row_is_named_below_a_header_of_several_lines(tmp_path) -> None:
    assert "on line 5" in refused(written(tmp_path, 'sep=,\n"a\nb",c\n1,2\n1,2,3\n'))
