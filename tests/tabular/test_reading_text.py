"""Text files: delimiters, headers, encodings, and columns that are left out, each found out or asked for."""

from __future__ import annotations

import codecs
import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.tabular.reading import UnknownColumnError, read_table

from .written import ASKED, as_lists, kinds, refused, written

NUMBERS = {"a": [1.5, 2.5], "y": [0, 1]}


@pytest.mark.parametrize("delimiter", list(",;\t|"))
@pytest.mark.parametrize("name", ["t.csv", "t.txt", "t.data", "t", "t.tsv"])
def test_the_delimiter_is_found_whatever_the_name(tmp_path, delimiter: str, name: str) -> None:
    path = written(tmp_path, "a,b,y\n1.5,x,0\n2.5,z,1\n".replace(",", delimiter), name)
    assert as_lists(read_table(path)) == {"a": [1.5, 2.5], "b": ["x", "z"], "y": [0, 1]}


@pytest.mark.parametrize(
    "content",
    [
        "  1.5   2  x\n 2.5\t3  z\n",
        "1.5 2 x\n2.5 3 z\n\n",
        '1.5   2 "x"\n2.5   3\t"z"\n',
    ],
)
def test_any_number_of_blanks_sets_off_cells(tmp_path, content: str) -> None:
    path = written(tmp_path, content, "t.data")
    assert as_lists(read_table(path, header=False)) == {"c0": [1.5, 2.5], "c1": [2, 3], "c2": ["x", "z"]}


def test_a_line_that_tells_excel_the_delimiter_is_no_row(tmp_path) -> None:
    assert as_lists(read_table(written(tmp_path, "sep=;\na;y\n1,5;0\n2,5;1\n"))) == NUMBERS
    assert as_lists(read_table(written(tmp_path, 'sep=^\r\na^y\r\n"1.5"^0\r\n2.5^1\r\n'))) == NUMBERS


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_in_any_way_and_the_last_may_lack_its_end(tmp_path, end: str) -> None:
    assert as_lists(read_table(written(tmp_path, end.join(["a,y", "1.5,0", "", "2.5,1"])))) == NUMBERS


def test_cells_may_hold_delimiters_quotes_and_breaks_in_quotes(tmp_path) -> None:
    texts = ["a,b", 'say "x"', "two\nlines", "", "plain"] * 3
    content = io.StringIO()
    csv.writer(content).writerows([["text", "n"], *([text, i] for i, text in enumerate(texts))])
    assert as_lists(read_table(written(tmp_path, content.getvalue())))["text"] == texts


def test_blanks_after_delimiters_belong_to_no_cell(tmp_path) -> None:
    table = read_table(written(tmp_path, 'a, b, c\n1, "x, y", 2\n?, z , 3\n'))
    assert as_lists(table) == {"a": [1, None], "b": ["x, y", "z"], "c": [2, 3]}


def test_a_break_in_a_cell_far_below_the_first_lines(tmp_path) -> None:
    content = "a,b\n" + "x,1\n" * 300_000 + '"p\nq",2\n'
    table = read_table(written(tmp_path, content))
    assert table.frame["a"].to_list()[-1] == "p\nq"
    assert table.frame.shape == (300_001, 2)


# --- the header ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("a,b\n1,x\n2,y\n", ["a", "b"]),
        ("when,b\n2020-01-01,x\n2020-01-02,y\n", ["when", "b"]),
        ("name,city\nAnn,Paris\nBob,Rome\n", ["name", "city"]),
        ("0,1,2\n1.5,2.5,0\n0.5,1.5,1\n", ["0", "1", "2"]),
        ("0,1,2,3\n1,2,5,0\n0,1,7,1\n", ["0", "1", "2", "3"]),
        ("2019,2020,2021\n1.5,2.5,3.5\n2.5,2.25,1.5\n", ["2019", "2020", "2021"]),
        ("city,2019,2020,2021,2022\nA,1,2,3,4\nB,2,3,4,5\n", ["city", "2019", "2020", "2021", "2022"]),
        ("kind,1,2,3,4\nT,2,8,3,5\nI,5,12,3,7\n", ["kind", "1", "2", "3", "4"]),
    ],
)
def test_a_first_line_of_names(tmp_path, content: str, names: list[str]) -> None:
    assert list(as_lists(read_table(written(tmp_path, content)))) == names


@pytest.mark.parametrize(
    "content",
    [
        "7.4,0.7,0\n7.8,0.88,0\n",
        "M,0.455,15\nF,0.35,7\nM,0.5,9\n",
        "39, Private, 13, Male\n50, Private, 9, Male\n38, State-gov, 9, Female\n",
        "p,x,s\ne,x,y\np,x,s\ne,b,w\n",
        "5,3,4\n1,2,3\n7,8,1\n",
        "1,2,3\n2,3,4\n3,4,5\n",
        "2020-01-01,1.5\n2020-01-02,2.5\n",
        "a1,5.1,3.5\nb2,4.9,3.0\n",
    ],
)
def test_a_first_line_that_is_data(tmp_path, content: str) -> None:
    table = read_table(written(tmp_path, content))
    assert table.frame.columns == [f"c{at}" for at in range(content.split("\n")[0].count(",") + 1)]
    assert len(table.frame) == content.count("\n")
    assert any(note.startswith("no header") for note in table.notes)


@pytest.mark.parametrize(
    "content", ["1,2,3\n4,5,7\n7,8,1\n", "yes,no\nyes,x\nno,y\n", "Ann,20\nBob,30\n", "0,1\n1,0\n0,0\n"]
)
def test_a_first_line_that_may_be_either_is_asked_for(tmp_path, content: str) -> None:
    path = written(tmp_path, content)
    assert "header=True" in refused(path)
    rows = content.count("\n")
    assert len(read_table(path, header=False).frame) == rows
    assert len(read_table(path, header=True).frame) == rows - 1


def test_an_index_without_a_name_is_left_out_and_said(tmp_path) -> None:
    table = read_table(written(tmp_path, pd.DataFrame(NUMBERS).to_csv()))
    assert as_lists(table) == NUMBERS
    assert "index" in " ".join(table.notes)


@pytest.mark.parametrize("content", ["a,y\n1,1.5,0\n2,2.5,1\n", '"a" "y"\n"one" 1.5 0\n"two" 2.5 1\n'])
def test_names_of_rows_as_r_writes_them_are_left_out_and_said(tmp_path, content: str) -> None:
    table = read_table(written(tmp_path, content, "t.txt"))
    assert as_lists(table) == NUMBERS
    assert "index" in " ".join(table.notes)


@pytest.mark.parametrize("content", ["a,y\n1.5,0,\n2.5,1,\n", "a,y,\n1.5,0,\n2.5,1,\n"])
def test_delimiters_at_the_ends_of_lines_make_no_column(tmp_path, content: str) -> None:
    assert as_lists(read_table(written(tmp_path, content))) == NUMBERS


def test_rows_of_nothing_at_the_end_are_left_out_and_said(tmp_path) -> None:
    table = read_table(written(tmp_path, "a;b;y\n1,5;x;0\n;;\n2,5;z;1\n" + ";;\n" * 20))
    assert as_lists(table) == {"a": [1.5, None, 2.5], "b": ["x", "", "z"], "y": [0, None, 1]}
    assert "the last 20 lines hold no value: left out" in table.notes


def test_names_that_come_twice_are_numbered_and_said(tmp_path) -> None:
    table = read_table(written(tmp_path, "a,a,a.1,a\n1,2,3,4\n5,6,7,8\n"))
    assert table.frame.columns == ["a", "a.2", "a.1", "a.3"]
    assert "a.2" in table.notes[0]


# --- encodings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_the_encoding_is_found(tmp_path, encoding: str) -> None:
    text = "name,größe\nMüller,1\nJosé €,2\nplain,3\n"
    table = read_table(written(tmp_path, text.encode(encoding)))
    assert as_lists(table) == {"name": ["Müller", "José €", "plain"], "größe": [1, 2, 3]}
    assert bool(table.notes) == (encoding not in ("utf-8", "utf-8-sig"))


def test_an_encoding_that_is_stated_is_used(tmp_path) -> None:
    text = "имя,б\nИванов,1\nПётр,2\n"
    path = written(tmp_path, text.encode("cp1251"))
    assert "encoding='cp1251'" in refused(path)
    assert as_lists(read_table(path, encoding="cp1251"))["имя"] == ["Иванов", "Пётр"]
    assert "cp1251" in refused(path, encoding="cp125l")
    assert "line 1" in refused(path, encoding="utf-8")
    assert "near line 1" in refused(path, encoding="ascii")


def test_latin_1_that_begins_as_ascii_is_found_late(tmp_path) -> None:
    content = b"a,b\n" + b"x,1\n" * 500_000 + "é,2\n".encode("cp1252")
    table = read_table(written(tmp_path, content))
    assert table.frame["a"].to_list()[-1] == "é"
    assert "Latin-1" in table.notes[0]


def test_two_encodings_in_one_file_are_refused_with_the_line(tmp_path) -> None:
    path = written(tmp_path, "a,b\n1,é\n".encode() + "2,é\n".encode("cp1252"))
    assert "line 3" in refused(path)


def test_a_nul_character_is_refused_with_its_line(tmp_path) -> None:
    assert "NUL character on line 3" in refused(written(tmp_path, "a,b\n1,x\n2,\0\n"))


def test_a_mark_of_utf_8_belongs_to_no_name(tmp_path) -> None:
    assert as_lists(read_table(written(tmp_path, codecs.BOM_UTF8 + b"a,y\n1.5,0\n2.5,1\n"))) == NUMBERS


# --- what is refused, and what is chosen --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "an empty file"),
        ("\n  \n", "an empty file"),
        ("a,b\n", "a header alone"),
        ("a,b\n1,2\n1,2,3\n", "3 on line 3"),
        ("a,b\n" + "1,2\n" * 5000 + "1\n", "1 on line 5002"),
        ("title\na,b\n1,2\n3,4\n", "1 on the first"),
        ('a,b\n"x,2\ny,3\n' * 40, "line"),
        ("<!doctype html><html><body>not found</body></html>", "a page of HTML"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(tmp_path, content: str, said: str) -> None:
    assert said in refused(written(tmp_path, content))


def test_columns_are_chosen_by_name(tmp_path) -> None:
    path = written(tmp_path, "abc,b,c\n1,x,2\n3,y,4\n")
    assert as_lists(read_table(path, columns=["c", "abc"])) == {"abc": [1, 3], "c": [2, 4]}
    with pytest.raises(UnknownColumnError, match="did you mean 'abc'") as caught:
        read_table(path, columns=["abd"])
    assert (caught.value.name, caught.value.known) == ("abd", ["abc", "b", "c"])


@pytest.mark.parametrize("option", ["columns", "text", "missing"])
def test_one_text_for_a_list_is_refused(tmp_path, option: str) -> None:
    with pytest.raises(TypeError, match=f"{option} to be a list"):
        read_table(written(tmp_path, "a,b\n1,2\n"), **{option: "ab"})


@pytest.mark.parametrize(
    ("option", "value", "error"), [("header", 1, TypeError), ("decimal", ";", ValueError), ("encoding", 3, ValueError)]
)
def test_an_option_of_another_kind_is_refused(tmp_path, option: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=ASKED):
        read_table(written(tmp_path, "a,b\n1,2\n"), **{option: value})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1))
def test_tables_that_pandas_writes_come_back(tmp_path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(3, 40))
    words = np.array(["red", "blue, dark", 'a "quoted" one', "grün", "x;y", "two\nlines"], object)
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=size) + 0.5,
            "count": rng.integers(-(2**62), 2**62, size),
            "word": words[rng.integers(0, len(words), size)],
        }
    )
    delimiter = str(rng.choice(list(",;\t")))
    path = written(tmp_path, frame.to_csv(sep=delimiter, index=bool(rng.integers(2))))
    table = read_table(path)
    assert kinds(table) == {"number": "Float64", "count": "Int64", "word": "String"}
    pd.testing.assert_frame_equal(table.frame.to_pandas(), frame, check_dtype=False)
