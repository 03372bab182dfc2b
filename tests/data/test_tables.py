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
from chainrule.data.tables import Table, read_table
from chainrule.data.tables.delimited import MISSING


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def as_lists(table: Table) -> dict[str, list[object]]:
    return {name: column.tolist() for name, column in table.items()}


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


def test_only_the_columns_asked_for_are_judged(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,c\n1,?,x\n2,,y\n")
    assert as_lists(read_table(path, columns=["c", "a"])) == {"a": [1, 2], "c": ["x", "y"]}


def test_text_columns_keep_their_zeros(tmp_path: Path) -> None:
    path = written(tmp_path, "postcode,n\n01067,1\n80331,2\n")
    assert read_table(path, text=["postcode"])["postcode"].tolist() == ["01067", "80331"]


def test_a_column_is_text_if_fewer_than_nine_in_ten_are_numbers(tmp_path: Path) -> None:
    eight_of_ten = "a,b\n" + "1,1\n" * 8 + "x,1\n" * 2
    assert read_table(written(tmp_path, eight_of_ten))["a"].tolist() == ["1"] * 8 + ["x"] * 2
    nine_of_ten = "a,b\n" + "1,1\n" * 9 + "x,1\n"
    with pytest.raises(ValueError, match=r"numbers in column 'a' of .*, got 'x' on line 11; .*text=\["):
        read_table(written(tmp_path, nine_of_ten))
    assert read_table(written(tmp_path, nine_of_ten), text=["a"])["a"][9] == "x"


@pytest.mark.parametrize(
    ("cells", "plain"),
    [
        (["x1,5", "2"], None),
        (["1,5", "2", "-3,25"], "1.5"),
        (["2", "-3,25"], "-3.25"),
        (["$10", "$2.50"], "10"),
        (["12 %", "7%"], "12"),
        (["1.234,56 €", "7,10 €"], "1234.56"),
        (["1,234.5", "7"], "1234.5"),
        (["1,234,567", "7"], "1234567"),
        (["1,234", "7"], "1234 or 1.234"),
        (["1.2.3", "1.2.4"], None),
        (["2024-01-02", "2024-01-03"], None),
        (["10:30", "1_0"], None),
    ],
)
def test_numbers_written_for_people_are_refused(tmp_path: Path, cells: list[str], plain: str | None) -> None:
    path = written(tmp_path, "a;b\n" + "".join(f"{cell};1\n" for cell in cells * 2))
    if plain is not None:
        stray = next(row for row, cell in enumerate(cells) if not cell.isdigit())
        with pytest.raises(ValueError, match="expects plain numbers in column 'a' of ") as caught:
            read_table(path)
        assert f"got {cells[stray]!r} on line {stray + 2}; write {plain}, or declare" in str(caught.value)
    assert read_table(path, text=["a"] if plain else ())["a"].tolist() == cells * 2


def test_digits_after_a_zero_are_text(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a,b,c,d\n01,0.5,0,-1\n10,00.5,1,0\n"))
    assert as_lists(table) == {"a": ["01", "10"], "b": [0.5, 0.5], "c": [0, 1], "d": [-1, 0]}


@pytest.mark.parametrize("prepare", ["filtered", "indexed"])
def test_the_index_of_pandas_is_no_column(tmp_path: Path, prepare: str) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]}, index=[3, 4, 5])
    frame = frame[frame.a > 1] if prepare == "filtered" else frame.rename_axis("key")
    frame.to_parquet(tmp_path / "t.parquet")
    assert list(read_table(tmp_path / "t.parquet")) == ["a", "b"]
    if prepare == "indexed":
        assert list(read_table(tmp_path / "t.parquet", columns=["a", "key"])) == ["a", "key"]


def test_text_of_parquet_is_held_to_the_same_rule(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table({"a": ["1", "2,5"], "b": ["1", "2"]}), path)
    with pytest.raises(ValueError, match=r"got '2,5' on row 2; write 2\.5, or"):
        read_table(path)
    assert as_lists(read_table(path, text=["a"])) == {"a": ["1", "2,5"], "b": ["1", "2"]}


def test_grouped_digits_are_no_number(tmp_path: Path) -> None:
    assert read_table(written(tmp_path, "a,b\n1_000,1\n2_000,1\n"))["a"].tolist() == ["1_000", "2_000"]


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


def test_at_most_five_lines_and_columns_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,c,d,e,f\n" + ",,,,,\n" * 7 + "1,2,3,4,5,6\n")
    with pytest.raises(
        ValueError, match=r"in 7 of 8 rows \(lines 2, 3, 4, 5, 6, \.\.\.\), in 'a', 'b', 'c', 'd', 'e', \.\.\.;"
    ):
        read_table(path)


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


# --- Table --------------------------------------------------------------------------------------------------------


def test_table_from_arrays() -> None:
    table = Table({"a": [1, 2], "b": np.array(["x", "y"]), "c": np.array([True, False]), "d": [np.int8(3), 4.5]})
    assert as_lists(table) == {"a": [1, 2], "b": ["x", "y"], "c": ["True", "False"], "d": [3, 4.5]}
    assert "b" in table
    assert "z" not in table
    assert table.place(1) == "row 2 of the table"


def test_numbers_may_come_as_objects() -> None:
    assert Table({"a": np.array([1, 2.5, np.float32(3)], dtype=object)})["a"].dtype == np.float64


def test_text_is_kept_to_the_last_character() -> None:
    assert Table({"a": ["x\0", "x", "\0"]})["a"].tolist() == ["x\0", "x", "\0"]


def test_take_keeps_the_line_numbers(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a,b\n1,x\n2,y\n3,z\n"))
    taken = table.take([2, 0])
    assert as_lists(taken) == {"a": [3, 1], "b": ["z", "x"]}
    assert taken.place(0) == f"line 4 of {table.source}"
    assert table.take(table["a"] > 1.5).lines.tolist() == [3, 4]


@pytest.mark.parametrize(
    "columns, error, message",
    [
        ({}, ValueError, "at least one column and one row"),
        ({"a": []}, ValueError, "at least one column and one row"),
        ({"a": [1, 2], "b": [1]}, ValueError, "2 values in column 'b' of the table, as in 'a', got 1"),
        ({"a": [1, float("nan"), 2]}, ValueError, r"missing values in 1 of 3 rows \(row 2\), in 'a'"),
        ({"a": ["x", None]}, ValueError, r"missing values in 1 of 2 rows \(row 2\)"),
        ({"a": ["x", ""]}, ValueError, r"missing values in 1 of 2 rows \(row 2\)"),
        ({"a": [1, None]}, ValueError, r"missing values in 1 of 2 rows \(row 2\)"),
        ({"a": [None, None]}, ValueError, "missing values in 2 of 2 rows"),
        ({"a": [1, np.inf]}, ValueError, "finite numbers in column 'a', got inf at row 2"),
        ({"a": np.array([1, "x"], dtype=object)}, TypeError, "one list of numbers or of text, got object"),
        ({"a": np.array([1, True], dtype=object)}, TypeError, "one list of numbers or of text, got object"),
        ({"a": ["x", 1]}, TypeError, "one list of numbers or of text, got object"),
        ({"a": [[1, 2], [3, 4]]}, TypeError, r"got int64 values of shape \(2, 2\)"),
        ({"a": [[1], [2, 3]]}, TypeError, "one list of numbers or of text"),
        ({"a": np.array([1j])}, TypeError, "got complex128"),
    ],
)
def test_table_refuses(columns: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Table(columns)


# --- Parquet ------------------------------------------------------------------------------------------------------


def test_parquet_reads_as_the_same_table_in_csv(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    columns = {
        "whole": pa.array([1, 2, 3], pa.int32()),
        "real": pa.array([0.5, 1.5, -2.0], pa.float32()),
        "decimal": pa.array([1, 2, 3]).cast(pa.decimal128(21, 2)),
        "text": pa.array(["x", "y", "z"], pa.large_string()),
        "group": pa.array(["g", "h", "g"]).dictionary_encode(),
        "flag": pa.array([True, False, True]),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert as_lists(table) == {
        "whole": [1, 2, 3],
        "real": [0.5, 1.5, -2],
        "decimal": [1, 2, 3],
        "text": ["x", "y", "z"],
        "group": ["g", "h", "g"],
        "flag": ["True", "False", "True"],
    }
    assert table.place(0) == f"row 1 of {tmp_path / 't.parquet'}"
    picked = read_table(tmp_path / "t.parquet", columns=["whole", "text"], text=["whole"])
    assert as_lists(picked) == {"whole": ["1", "2", "3"], "text": ["x", "y", "z"]}


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda pa: pa.array([1, None]), r"missing values in 1 of 2 rows \(row 2\), in 'a'"),
        (lambda pa: pa.array([0.5, float("nan")]), r"missing values in 1 of 2 rows \(row 2\), in 'a'"),
        (lambda pa: pa.array([None, "x"]), r"\(row 1\)"),
        (lambda pa: pa.nulls(2), "missing values in 2 of 2 rows"),
        (lambda pa: pa.array([[1], [2]]), r"numbers or text in column 'a' of .*, got list<"),
        (lambda pa: pa.array([], pa.int64()), r"rows in .*t\.parquet, got none"),
    ],
)
def test_parquet_refusals(tmp_path: Path, build, message: str) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"a": build(pa)}), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "t.parquet")


def test_a_truncated_parquet_file_and_an_unknown_column(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1, 2]}), path)
    with pytest.raises(ValueError, match="did you mean 'a'"):
        read_table(path, columns=["A"])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="to be a Parquet file"):
        read_table(path)


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
    table = read_table(data_dir / file, header=header)
    named = next(iter(table)) != "c0"
    frame = pd.read_csv(data_dir / file, sep="\t" if ".tsv" in file else ",", header=0 if named else None)
    assert list(table) == (list(frame.columns) if named else [f"c{i}" for i in range(frame.shape[1])])
    for name, column in zip(table, frame.columns, strict=True):
        expected = frame[column].to_numpy()
        if expected.dtype.kind in "if":
            np.testing.assert_allclose(table[name], expected, rtol=1e-15)
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
