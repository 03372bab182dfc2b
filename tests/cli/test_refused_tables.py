"""What a table may hold, through every command: understood, or refused in one sentence in the words of the shell."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from chainrule.cli import tables

from .conftest import trained, write_flowers

Refuses = Callable[..., str]
INTERNAL = re.compile(r"read_table|TableEncoder|Table expects|understand|=\[|\w=\S|Traceback|tuple|dtype")
CELLS = [
    "None",
    "n/a",
    "-",
    "",
    "NA",
    "#DIV/0!",
    "missing",
    "?",
    "1 234",
    "1'234",
    "\u22125",
    "$10",
    "12 %",
    "1,5",
    "x",
]
CELLS += ["12345678901234567", "1_000", "0x1F", "inf", "007", "NaN", "12 kg"]
GAPS = {"None", "n/a", "-", "", "NA", "#DIV/0!", "missing", "?", "NaN"}
COMMANDS = ["train", "predict", "evaluate"]


def words(command: str, model: Path, table: Path, out: Path) -> list[object]:
    return ["train", table, "--out", out] if command == "train" else [command, model, table]


def changed(source: Path, path: Path, column: str, cell: str, lines: Callable[[int], bool]) -> Path:
    """The table with ``cell`` in a column, on the lines that are chosen."""
    header, *rows = source.read_text(encoding="utf-8").splitlines()
    at = header.split(",").index(column)
    for number, row in enumerate(rows, start=2):
        if lines(number):
            cells = row.split(",")
            cells[at] = f'"{cell}"'
            rows[number - 2] = ",".join(cells)
    content = "\n".join([header, *rows]) + "\n"
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """``train`` reads, understands and divides the table, and ends."""
    monkeypatch.setattr(tables.Tables, "train", lambda *args: 0)


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["new.csv", "new.csv.gz"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_column_of_numbers_stays_one_or_is_refused(
    shell, flowers: Path, flowers_model: Path, tmp_path: Path, cell: str, command: str, name: str
) -> None:
    """A word on every sixth line, or on one."""
    lines = (lambda line: line % 6 == 3) if name == "new.csv" else (lambda line: line == 121)
    table = changed(flowers, tmp_path / name, "width", cell, lines)
    answer = shell(*words(command, flowers_model, table, tmp_path / "out"))
    if answer.code:
        said = answer.err.splitlines()[-1]
        assert cell not in GAPS
        assert said.startswith(f"chainrule: error: {command} expects ")
        assert "'width'" in said
        assert repr(cell) in said or "percent signs" in said
        assert not INTERNAL.search(said)
        assert ("--category" in said) <= (command == "train")  # the others have no such option
    elif command == "train":
        assert re.search(r"^width +number ", answer.out, re.MULTILINE)


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("cell", ["NA", "n/a", "", "?", "#REF!", "null"])
def test_a_missing_word_where_training_saw_none_is_told(
    shell, flowers: Path, flowers_model: Path, tmp_path: Path, cell: str, command: str
) -> None:
    table = changed(flowers, tmp_path / "new.csv", "colour", cell, lambda line: line == 5)
    answer = shell(command, flowers_model, table)
    assert answer.code == 0
    assert "note: column 'colour': 1 of 120 rows have values that occur at most once in training" in answer.err


def test_a_word_that_is_a_category_in_training_is_one_ever_after(shell, flowers: Path, tmp_path: Path) -> None:
    table = changed(flowers, tmp_path / "namibia.csv", "colour", "NA", lambda line: line % 3 == 0)
    model = trained(table, tmp_path / "out", "--epochs", 1)
    for command in ("predict", "evaluate"):
        answer = shell(command, model, table)
        assert answer.code == 0
        assert "at most once" not in answer.err


BY_HEADER = "pass --header if it names the columns, or --no-header if it is data"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("0,1\n0.5,7\n2.5,8\n", BY_HEADER),
        ("length,width,colour,kind\n1,2,red,a,9\n1,2,red,a\n", "got 5 on line 2; correct the line"),
        ("length,width,colour,kind\n1,2,r\0d,a\n", "got a NUL character on line 2"),
        ("length,width,colour,kind\n", "got a header alone"),
        ("", "got an empty file"),
        ("length:width:colour:kind\n1:2:red:a\n2:3:red:b\n", "name its delimiter with --delimiter"),
        (
            'length,width,colour,kind\n"1,234",2,red,a\n"2,345",2,red,b\n',
            "--decimal . if the comma separates thousands",
        ),
        ("length,width,colour,kind\n" + "1.5,2,red,a\n2.5,2,red,b\n" * 40, ""),
    ],
)
def test_files_that_may_mean_two_things(
    shell, flowers_model: Path, tmp_path: Path, content: str, says: str, command: str, untrained: None
) -> None:
    (tmp_path / "new.csv").write_text(content)
    answer = shell(*words(command, flowers_model, tmp_path / "new.csv", tmp_path / "out"))
    said = answer.err.splitlines()[-1] if answer.code else ""
    if says == BY_HEADER and command != "train":
        says = "which the model needs, in "  # a model knows whether there is a header
    assert says in said
    assert bool(says) == said.startswith(f"chainrule: error: {command} expects ")
    assert not INTERNAL.search(said)


DAYS = "day,length,kind\n" + "1/2/2024,1.5,a\n2/3/2024,2.5,b\n" * 4
PRICES = "price,length,kind\n" + '"1,234",1,a\n"2,345",2,b\n' * 4
MIXED = "code,length,kind\n" + "".join(f"{row}.5,{row % 3},{'ab'[row % 2]}\n" for row in range(60)) + "x1,2,a\n"


@pytest.mark.parametrize(
    ("content", "advised", "options"),
    [
        (MIXED, "--missing 'x1'", ["--missing", "x1"]),
        (MIXED, "--category", ["--category", "code"]),
        (MIXED, "--category", ["--drop", "code"]),
        ("0,1\n1.5,7\n2.5,8\n0.5,7\n1.5,8\n3.5,7\n", "--header", ["--header"]),
        ("0,1\n1.5,7\n2.5,8\n0.5,7\n1.5,8\n3.5,7\n", "--no-header", ["--no-header"]),
        (DAYS, "--date 'day:dmy' if the day comes first, otherwise --date 'day:mdy'", ["--date", "day:dmy"]),
        (DAYS, "--date", ["--date", "day:mdy"]),
        (DAYS, "--date", ["--drop", "day"]),
        (PRICES, "--decimal .", ["--decimal", "."]),
        (PRICES, "--decimal .", ["--decimal", ","]),
        (PRICES, "--decimal .", ["--category", "price"]),
        ("a:b\n" + "1:2.5\n2:3\n" * 9, "--delimiter", ["--delimiter", ":"]),
    ],
)
def test_the_options_that_are_advised_work(
    shell, tmp_path: Path, content: str, advised: str, options: list[str], untrained: None
) -> None:
    (tmp_path / "t.csv").write_text(content)
    out = tmp_path / "out"
    refused = shell("train", tmp_path / "t.csv", "--out", out)
    assert refused.code == 2
    assert advised in refused.err
    answer = shell("train", tmp_path / "t.csv", "--out", out, *options)
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    "content",
    [
        ",length,kind\n0,1.5,a\n1,2.5,b\n2,0.5,a\n3,1.5,b\n4,3.5,a\n",
        "region,kind\nNA,a\nEU,b\nEU,a\nNA,b\nEU,a\n",
        "sep=;\nlength;kind\n1.5;a\n2.5;b\n0.5;a\n1.5;b\n3.5;a\n",
        "length|kind\n1.5|a\n2.5|b\n0.5|a\n1.5|b\n3.5|a\n",
        "length,kind\nx,1.5,a\ny,2.5,b\nz,0.5,a\nu,1.5,b\nv,3.5,a\n",
        "day,length,kind\n" + "2024-01-31,1.5,a\n2024-02-01,2.5,b\n" * 4,
    ],
)
def test_ordinary_files_train_and_predict_as_they_come(shell, tmp_path: Path, content: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    model = trained(tmp_path / "t.csv", tmp_path / "out", "--epochs", 1)
    answer = shell("predict", model, tmp_path / "t.csv")
    assert answer.code == 0, answer.err


def test_what_tells_nothing_is_left_out_and_said(shell, tmp_path: Path, untrained: None) -> None:
    lines = write_flowers(tmp_path / "plain.csv", rows=40).read_text(encoding="utf-8").splitlines()
    rows = [f"{number},person {number},same,{line}" for number, line in enumerate(lines[1:], start=11)]
    (tmp_path / "t.csv").write_text("\n".join([f"id,who,site,{lines[0]}", *rows]) + "\n")
    out = shell("train", tmp_path / "t.csv", "--out", tmp_path / "out").out
    for line in (r"id +id .* left out", r"who +id .* left out", r"site +constant .* left out"):
        assert re.search(f"^{line}", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("target", "task", "says"),
    [
        ("width", "classification", "predict it as a number (--task regression)"),
        ("kind", "regression", "expects numbers in column 'kind', got 'iris'"),
        ("Kind", None, "did you mean 'kind'?"),
    ],
)
def test_a_target_of_another_kind_is_refused(
    refuses: Refuses, flowers: Path, tmp_path: Path, target: str, task: str | None, says: str
) -> None:
    options = ["--target", target, *(["--task", task] if task else [])]
    said = refuses("train", flowers, "--out", tmp_path / "out", *options)
    assert says in said
    assert not INTERNAL.search(said)
