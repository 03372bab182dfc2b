"""The first line is a header, data, or refused with the options that decide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.data.tables import read_table

from .conftest import as_lists, written


@pytest.mark.parametrize(
    "content, header, names",
    [
        ("1,2\n3,4\n", None, ["c0", "c1"]),
        ("1,?\n3,4\n", None, None),  # data, with a gap in it
        ("a,b\nc,d\n", None, ["a", "b"]),
        ("a,b\n1,2\n", False, ["c0", "c1"]),
        ("1,2\n3,4\n", True, ["1", "2"]),
        ("name,2019\noak,x\n1.5,y\n", True, ["name", "2019"]),
        ("name,height,2019\noak,1,3\npine,2,4\n", None, ["name", "height", "2019"]),
        ("name,height,2019\noak,NA,3\npine,2,4\n", None, None),
    ],
)
def test_header(tmp_path: Path, content: str, header: bool | None, names: list[str] | None) -> None:
    path = written(tmp_path, content)
    if names is None:
        with pytest.raises(ValueError, match="missing values"):
            read_table(path, header=header)
    else:
        table = read_table(path, header=header)
        assert list(table) == names
        assert table.lines[0] == (1 if names[0] == "c0" else 2)


@pytest.mark.parametrize("content", ["M,0.455\nF,0.53\n", "Letter,1,2\nT,2,8\nI,5,12\n", "oak,1\n"])
def test_a_doubtful_header_is_refused_with_both_remedies(tmp_path: Path, content: str) -> None:
    with pytest.raises(ValueError, match=r"expects a header in .*pass header=False .* or header=True"):
        read_table(written(tmp_path, content))


NUMBERS_AS_NAMES = ["0,1,2", "0,1", "0.0,1.0", "0.0,1.0,2.0", "1,2,3", "2019,2020", "2019,2020,2021", "400,402,404"]
NUMBERS_AS_NAMES += ["0.1,0.5,0.9", ",0,1,2", "1,2,5,10,50", '"0","1","2"', " 0 , 1 , 2 ", "0;1;2", "0\t1\t2"]


@pytest.mark.parametrize("rows", ["0.5", "7", "-3"])
@pytest.mark.parametrize("names", NUMBERS_AS_NAMES)
def test_numbers_that_may_be_names_are_refused_with_the_options(tmp_path: Path, names: str, rows: str) -> None:
    mark = next((mark for mark in ";\t" if mark in names), ",")
    width = names.count(mark) + 1
    path = written(tmp_path, f"{names}\n" + f"{mark.join([rows] * width)}\n" * 3)
    with pytest.raises(ValueError, match=r"a header in .*, got '.*', '.*', \.\.\. in the first line, .* header=False"):
        read_table(path)
    if not names.startswith(mark):
        assert read_table(path, header=True).row_count == 3
        assert read_table(path, header=False).row_count == 4


@pytest.mark.parametrize(
    "content",
    [
        "1,2\n3,4\n",
        "5,5\n0,1\n",
        "2,1\n0.5,1\n",
        "0.3,0.7\n0.1,0.2\n",
        "1,2,3\n4,5,6\n7,8,9\n",
        "5,3,9,1,7\n1,2,3,4,5\n",
    ],
)
def test_numbers_like_those_below_are_data(tmp_path: Path, content: str) -> None:
    assert read_table(written(tmp_path, content)).lines[0] == 1


@pytest.mark.parametrize("columns", [2, 3, 10])
@pytest.mark.parametrize("index", [False, True])
def test_what_pandas_writes_of_an_array_is_refused_or_read_with_its_header(
    tmp_path: Path, columns: int, index: bool
) -> None:
    pd = pytest.importorskip("pandas")
    values = np.random.default_rng(0).normal(size=(30, columns))
    pd.DataFrame(values).to_csv(tmp_path / "t.csv", index=index)
    with pytest.raises(ValueError, match="pass header=False if this line is data, or header=True if it names the col"):
        read_table(tmp_path / "t.csv")
    names = [str(column) for column in range(columns)]
    table = read_table(tmp_path / "t.csv", header=True, columns=names)
    np.testing.assert_array_equal(np.column_stack([table[name] for name in names]), values)


@pytest.mark.parametrize(
    "content",
    [
        "red,round\nblue,long\nred,long\n",  # what the first line says stands below again
        "p,x,s\ne,x,s\n",
        "2024-01-31,oak\n2024-02-01,fir\n",
        "1 234,oak\n1 300,fir\n",
        '"1,5",oak\n"2,5",fir\n',
    ],
)
def test_data_of_text_do_not_lose_their_first_row(tmp_path: Path, content: str) -> None:
    with pytest.raises(ValueError, match="pass header=False if this line is data"):
        read_table(written(tmp_path, content))


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        ("name,2019-01,2019-02", "oak,1,2"),  # dates over numbers are names
        ("0,1,kind,x", "0.5,1,oak,3"),
        ("a,b", "1 234,oak"),  # read as a header; the column is refused
    ],
)
def test_text_over_numbers_proves_a_header(tmp_path: Path, names: str, rows: str) -> None:
    path = written(tmp_path, f"{names}\n{rows}\n")
    table = read_table(path, text=["a"] if names.startswith("a") else ())
    assert list(table) == names.split(",")


# --- what stands in front of the header, or is missing in it ------------------------------------------------------


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "sep=; ", "\ufeffsep=;"])
def test_the_line_in_which_excel_states_the_delimiter(tmp_path: Path, line: str) -> None:
    table = read_table(written(tmp_path, f"{line}\r\nheight, m;kind\r\n3.5;oak\r\n"))
    assert as_lists(table) == {"height, m": [3.5], "kind": ["oak"]}
    assert table.lines.tolist() == [3]
    assert as_lists(read_table(written(tmp_path, "sep=|\na|y\n1|2\n"))) == {"a": [1], "y": [2]}


def test_an_index_without_a_name_is_left_out_by_columns(tmp_path: Path) -> None:
    path = written(tmp_path, ",a,y\n0,1.5,0\n1,2.5,1\n")
    with pytest.raises(
        ValueError, match=r"no name for column 1, an index\?; name it in the header, or drop the column"
    ):
        read_table(path)
    assert as_lists(read_table(path, columns=["a", "y"])) == {"a": [1.5, 2.5], "y": [0, 1]}
    with pytest.raises(ValueError, match="the name of a column of"):
        read_table(path, columns=["", "y"])


def test_equal_names_may_be_left_out_too(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,a\n1,2,3\n")
    assert as_lists(read_table(path, columns=["b"])) == {"b": [2]}
    with pytest.raises(ValueError, match="got 'a' twice; edit its header"):
        read_table(path, columns=["a"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "a,y\n1,0.5,0\n2,1.5,1\n",
            "got 3 on line 2 and on all that follow; if each begins with a row name, as R writes, put",
        ),
        ("a,y\n0.5,0,\n1.5,1,\n", "got 3 on line 2 and on all that follow; remove the ',' at their ends"),
        (
            "Report of May\n\na,b,y\n1,2,3\n",
            "1 cells on .*, got 3 on line 3 and on all that follow; remove what stands abo",
        ),
        (
            "# made by hand, in May\na\n1\n2\n",
            "2 cells on .*, got 1 on line 2 and on all that follow; remove what stan",
        ),
        ("a,y\n1,0.5,0\n2,1\n", "got 3 on line 2; correct the line, and quote cells that hold ','"),
        ("a,y\n1,\0\n", "UTF-8 text, got a NUL character on line 2; save it as UTF-8 first"),
    ],
)
def test_other_faults_of_a_file_are_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_table(written(tmp_path, content))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": "a"}, r"columns to be a list of names, got 'a'; pass \['a'\]"),
        ({"text": "a"}, r"text to be a list of names, got 'a'; pass \['a'\]"),
        ({"header": 0}, "header to be True, False or None, got 0; pass True if the first line names the columns"),
        ({"header": "infer"}, "header to be True, False or None, got 'infer'"),
    ],
)
def test_options_of_another_kind_are_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        read_table(written(tmp_path, "a,y\n1,2\n"), **options)  # type: ignore[arg-type]
