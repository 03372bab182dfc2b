"""Tables: read as pandas reads them, and refused in one sentence with the line where they are not clean."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import effort
from chainrule.data.tables import read_table
from chainrule.data.tables.cells import MISSING

from .conftest import as_lists, written

# --- what is read -------------------------------------------------------------------------------------------------

NUMBERS_AND_TEXT = {"height": [3.5, 20.0], "kind": ["oak", "pine"]}


@pytest.mark.parametrize(
    "content, name",
    [
        ("height,kind\n3.5,oak\n20,pine\n", "t.csv"),
        ("height;kind\n3.5;oak\n20;pine", "t.csv"),
        ("height\tkind\n3.5\toak\n20\tpine\n", "t.csv"),
        ("height\tkind\r\n3.5\toak\r\n20\tpine\r\n", "t.tsv"),
        ("height,kind\n3.5,oak\n20,pine\n", "t.tsv"),
        ("\ufeffheight,kind\n3.5,oak\n20,pine\n", "t.CSV"),
        (' height , kind\n3.5, "oak"\n\n  \n 2e1,pine \n', "t.csv"),
        (gzip.compress(b"height,kind\n3.5,oak\n20,pine\n"), "t.csv.gz"),
        (gzip.compress(b"height\tkind\n3.5\toak\n20\tpine\n"), "t.tsv.gz"),
        (gzip.compress(b"height,kind\n3.5,oak\n20,pine\n"), "t.csv"),
    ],
)
def test_every_dialect_gives_the_same_table(tmp_path: Path, content: str | bytes, name: str) -> None:
    assert as_lists(read_table(written(tmp_path, content, name))) == NUMBERS_AND_TEXT


def test_columns_have_two_dtypes(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a,b\n1,x\n2,y\n"))
    assert table["a"].dtype == np.float64
    assert table["b"].dtype == object
    assert (table.row_count, len(table), list(table)) == (2, 2, ["a", "b"])
    assert repr(table).endswith("t.csv: a, b)")


def test_a_header_with_commas_in_a_tab_separated_file(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, 'height, total\tkind, Latin\n1\t"a ""b"""\n2\tc\n', "t.tsv"))
    assert as_lists(table) == {"height, total": [1, 2], "kind, Latin": ['a "b"', "c"]}


def test_line_numbers_count_blank_lines_and_breaks_in_cells(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, 'a,b\n\n1,"two\nlines"\n2,x\n\n3,y\n'))
    assert table.lines.tolist() == [3, 5, 7]
    assert table.place(1) == f"line 5 of {tmp_path / 't.csv'}"


def test_only_the_columns_asked_for_are_judged(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,c\n1,?,x\n2,,y\n")
    assert as_lists(read_table(path, columns=["c", "a"])) == {"a": [1, 2], "c": ["x", "y"]}


def test_text_columns_keep_their_zeros(tmp_path: Path) -> None:
    path = written(tmp_path, "postcode,n\n01067,1\n80331,2\n")
    assert read_table(path, text=["postcode"])["postcode"].tolist() == ["01067", "80331"]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8).filter(
    lambda cell: cell == cell.strip() and cell not in MISSING
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    text=st.lists(cells, min_size=1, max_size=12),
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=12, max_size=12),
    delimiter=st.sampled_from(",;\t"),
)
def test_written_and_read_again(tmp_path: Path, text: list[str], numbers: list[float], delimiter: str) -> None:
    path = tmp_path / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter)
        writer.writerow(["text", "number", "more"])
        writer.writerows(zip(text, numbers, text, strict=False))
    table = read_table(path, text=["text", "more"])
    assert table["text"].tolist() == table["more"].tolist() == text
    assert table["number"].tolist() == numbers[: len(text)]


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "a header and rows in .*, got an empty file"),
        (b"\n\n  \n", "a header and rows in .*, got an empty file"),
        (b"a,b\n", "rows under the header of .*, got a header alone"),
        (b"a,b\n1,2\n\n1,2,3\n", "2 cells on each line of .*, as on line 1, got 3 on line 4"),
        (b"a,b\n1\n", "2 cells on each line of .*, got 1 on line 2"),
        (b"a,b,a\n1,2,3\n", "a different name for each column of .*, got 'a' twice"),
        (b"a,,c\n1,2,3\n", "a different name for each column of .*, got no name for column 2"),
        (b"a,b\n1,2\n3,caf\xe9\n", "UTF-8 text, got byte 0xe9 on line 3"),
        (b"\xef\xbb\xbfa,b\n1,\xe9\n", "UTF-8 text, got byte 0xe9 on line 2"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-8 text, got byte 0x.. on line 1"),
        (b'a,b\n1,"x\n2,y\n', "to be CSV, got 'unexpected end of data' on line 2; close its quotation marks"),
        (b'a,b\n1,"' + b"x" * 200_000, "to be CSV, got 'field larger than field limit .*' on line 2"),
        (b"a,b\n1,inf\n2,3\n", "numbers in column 'b' of .*, got 'inf' on line 2"),
        (b"\x1f\x8b\x08\0broken", "a whole gzip file, got a damaged one"),
    ],
)
def test_refusals(tmp_path: Path, content: bytes, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match=message) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("gap", sorted(MISSING))
def test_missing_values_are_refused_with_their_lines(tmp_path: Path, gap: str) -> None:
    path = written(tmp_path, f"a,b,c\n1,x,1\n2,{gap},1\n {gap} ,z,1\n3,w,1\n")
    with pytest.raises(ValueError, match=r"missing values in 2 of 4 rows \(lines 3, 4\), in 'a', 'b'; remove or fill"):
        read_table(path)


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (5, "in 'a0', 'a1', 'a2', 'a3', 'a4';"),
        (6, "in 6 columns: 'a0', .*, 'a5';"),
        (31, "in 31 columns: .*, 'a29' and 1 more;"),
    ],
)
def test_at_most_five_lines_and_thirty_columns_with_gaps_are_named(tmp_path: Path, count: int, names: str) -> None:
    rows = [[f"a{index}" for index in range(count)], *[[""] * count] * 7, ["1"] * count]
    path = written(tmp_path, "".join(",".join(row) + "\n" for row in rows))
    lines = r"missing values in 7 of 8 rows \(lines 2, 3, 4, 5, 6, \.\.\.\), "
    with pytest.raises(ValueError, match=f"{lines}{names} remove or fill these rows first"):
        read_table(path)


def test_rows_are_not_to_be_removed_where_hardly_any_would_be_left(tmp_path: Path) -> None:
    for gaps in (98, 99):
        path = written(tmp_path, "a,b\n" + "1,2\n" * (100 - gaps) + "NA,2\n" * gaps)
        with pytest.raises(ValueError, match=f"in {gaps} of 100 rows .*; remove or fill these rows first"):
            read_table(path)
    with pytest.raises(ValueError, match=r"missing values in 100 of 100 rows .*; fill them first"):
        read_table(written(tmp_path, "a,b\n" + "NA,2\n" * 100))


def test_five_lines_are_all_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n" + "?,1\n" * 5 + "1,2\n")
    with pytest.raises(ValueError, match=r"in 5 of 6 rows \(lines 2, 3, 4, 5, 6\), in 'a';"):
        read_table(path)


def test_an_unknown_suffix_column_or_file(tmp_path: Path) -> None:
    path = written(tmp_path, "height,kind\n1,oak\n")
    with pytest.raises(ValueError, match=r"a \.csv, .* or \.parquet file, got .*\.xlsx"):
        read_table(tmp_path / "t.xlsx")
    with pytest.raises(ValueError, match="did you mean 'height'"):
        read_table(path, columns=["heigth"])
    with pytest.raises(ValueError, match="did you mean 'kind'"):
        read_table(path, text=["kinds"])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_table(tmp_path / "nowhere.csv")


# --- real tables, against pandas ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file, header",
    [
        ("abalone/abalone.csv", False),
        ("diamonds/diamonds.csv", None),
        ("magic/magic.tsv.gz", None),
        ("bike-sharing/hour.csv", None),
        ("wine-quality/winequality-red.csv", None),
    ],
)
def test_real_tables_read_as_pandas_reads_them(data_dir: Path, file: str, header: bool | None) -> None:
    pd = pytest.importorskip("pandas")
    table = read_table(data_dir / file, header=header, text=["dteday"] if "bike" in file else ())
    named = next(iter(table)) != "c0"
    layout = {"sep": "\t" if ".tsv" in file else ",", "header": 0 if named else None}
    frame = pd.read_csv(data_dir / file, **layout)
    exact = pd.read_csv(data_dir / file, **layout, dtype=str)  # before version 3 pandas rounds some numbers
    assert list(table) == (list(frame.columns) if named else [f"c{i}" for i in range(frame.shape[1])])
    for name, column in zip(table, frame.columns, strict=True):
        expected = frame[column].to_numpy()
        if expected.dtype.kind in "if":
            np.testing.assert_array_equal(table[name], exact[column].to_numpy(dtype=np.float64))
        else:
            assert table[name].tolist() == expected.tolist()


def test_the_real_gaps_are_counted_as_pandas_counts_them(data_dir: Path) -> None:
    pd = pytest.importorskip("pandas")
    housing = data_dir / "california-housing" / "housing.csv"
    rows = np.flatnonzero(pd.read_csv(housing).isna().any(axis=1))
    lines = ", ".join(str(row + 2) for row in rows[:5])
    with pytest.raises(ValueError, match=rf"in {len(rows)} of 20640 rows \(lines {lines}, \.\.\.\), in 'total_bedr"):
        read_table(housing)
    adult = data_dir / "adult" / "adult-train.csv"
    frame = pd.read_csv(adult, header=None, skipinitialspace=True, na_values="?")
    with pytest.raises(ValueError, match=rf"in {frame.isna().any(axis=1).sum()} of {len(frame)} rows \(lines 15, 28"):
        read_table(adult, header=False)


def test_a_byte_order_mark_belongs_to_no_name(data_dir: Path) -> None:
    table = read_table(data_dir / "ames" / "AmesHousing.csv", columns=["Order", "Neighborhood", "SalePrice"])
    assert (table["Order"] == np.arange(1, 2931)).all()
    assert len(set(table["Neighborhood"])) == 28


@pytest.mark.parametrize("file", ["abalone/abalone.csv", "adult/adult-train.csv"])
def test_real_tables_without_header_do_not_lose_their_first_row(data_dir: Path, file: str) -> None:
    with pytest.raises(ValueError, match="pass header=False"):
        read_table(data_dir / file)


def test_the_work_of_reading_grows_only_with_the_rows(tmp_path: Path) -> None:
    def read(rows: int) -> None:
        read_table(written(tmp_path, ",".join("abcdefghij") + "\n" + (",".join(["3.14159", "oak"] * 5) + "\n") * rows))

    read(1)  # and all is imported
    assert effort.calls(lambda: read(10_000)) < 11 * effort.calls(lambda: read(1000))
