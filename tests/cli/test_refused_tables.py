"""What a table must not hold, through every command: refused in one sentence, in the words of the shell."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import trained, write_flowers

Refuses = Callable[..., str]
INTERNAL = re.compile(r"read_table|TableEncoder|Table expects|=\[|header=|task=|Traceback|tuple|dtype")
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


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_that_is_no_number_is_named(
    refuses: Refuses, flowers: Path, flowers_model: Path, tmp_path: Path, cell: str, command: str
) -> None:
    table = changed(flowers, tmp_path / "new.csv", "width", cell, lambda line: line % 6 == 3)
    said = refuses(*words(command, flowers_model, table, tmp_path / "out"))
    assert said.startswith(f"chainrule: error: {command} expects ")
    assert "'width'" in said
    assert re.search(r"lines? 3\b", said)
    assert repr(cell) in said or cell in ("", "NA", "n/a", "?", "NaN", "#DIV/0!")
    assert not INTERNAL.search(said)
    assert ("--" in said) == (command == "train" and cell != "")  # predict and evaluate have no option for it
    assert not (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["new.csv", "new.csv.gz"])
@pytest.mark.parametrize("cell", ["None", "NA", "", "wide", "1,234"])
def test_one_such_cell_suffices(
    refuses: Refuses, flowers: Path, flowers_model: Path, tmp_path: Path, cell: str, name: str, command: str
) -> None:
    table = changed(flowers, tmp_path / name, "length", cell, lambda line: line == 121)
    said = refuses(*words(command, flowers_model, table, tmp_path / "out"))
    assert "'length'" in said
    assert "line 121" in said


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("cell", ["NA", "n/a", "", "?", "#REF!", "null"])
def test_a_missing_word_is_no_new_category(
    refuses: Refuses, flowers: Path, flowers_model: Path, tmp_path: Path, cell: str, command: str
) -> None:
    table = changed(flowers, tmp_path / "new.csv", "colour", cell, lambda line: line == 5)
    said = refuses(command, flowers_model, table)
    assert "'colour'" in said
    assert "line 5" in said
    assert not INTERNAL.search(said)


def test_a_word_that_is_a_category_in_training_is_one_ever_after(shell, flowers: Path, tmp_path: Path) -> None:
    table = changed(flowers, tmp_path / "namibia.csv", "colour", "NA", lambda line: line % 3 == 0)
    model = trained(table, tmp_path / "out", "--text", "colour", "--hidden", "4", "--epochs", 1)
    for command in ("predict", "evaluate"):
        answer = shell(command, model, table)
        assert answer.code == 0
        assert "never saw" not in answer.err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("0,1,2\n0.5,1.5,a\n2.5,0.5,b\n", "--no-header if this line is data, or --header if it names the columns"),
        ("0,1,2\n0.5,1.5,0\n2.5,0.5,1\n", "--no-header if this line is data, or --header if it names the columns"),
        ("2019,2020,2021\n1,0.5,0\n7,1.5,1\n", "--no-header if this line is data, or --header if it names the columns"),
        ("length,width,colour,kind\n1,2,red,a,9\n1,2,red,a\n", "got 5 on line 2; correct the line"),
        ("length,width,colour,kind\nx,1,2,red,a\ny,1,2,red,a\n", "if each begins with a row name, as R writes"),
        ("length,width,colour,kind,length\n1,2,red,a,9\n1,2,red,a,9\n", "got 'length' twice; edit its header"),
        ("length,width,colour,kind\n1,2,r\0d,a\n", "got a NUL character on line 2; save it as UTF-8 first"),
        ("length,width,colour,kind\n", "got a header alone"),
        ("", "got an empty file"),
        ("length|width|colour|kind\n1|2|red|a\n2|3|red|b\n", "the delimiter must be a comma, semicolon or tab"),
    ],
)
def test_files_that_may_mean_two_things(
    refuses: Refuses, flowers_model: Path, tmp_path: Path, content: str, says: str, command: str
) -> None:
    (tmp_path / "new.csv").write_text(content)
    said = refuses(*words(command, flowers_model, tmp_path / "new.csv", tmp_path / "out"))
    assert says in said
    assert said.startswith(f"chainrule: error: {command} expects ")
    assert not INTERNAL.search(said)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (",length,kind\n0,1.5,a\n1,2.5,b\n2,0.5,a\n3,1.5,b\n4,3.5,a\n", ["--columns", "length,kind"]),
        ("region,kind\nNA,a\nEU,b\nEU,a\nNA,b\nEU,a\n", ["--text", "region"]),
        ("sep=;\nlength;kind\n1.5;a\n2.5;b\n0.5;a\n1.5;b\n3.5;a\n", []),
        ("0,1\n1.5,0\n2.5,1\n0.5,0\n1.5,1\n3.5,0\n", ["--header"]),
        ("0,1\n1.5,0\n2.5,1\n0.5,0\n1.5,1\n3.5,0\n", ["--no-header"]),
        ("day,length,kind\n" + "2024-01-31,1.5,a\n2024-02-01,2.5,b\n" * 4, ["--columns", "length,kind"]),
        ("day,length,kind\n" + "2024-01-31,1.5,a\n2024-02-01,2.5,b\n" * 4, ["--text", "day"]),
    ],
)
def test_the_options_that_are_advised_work(shell, tmp_path: Path, content: str, options: list[str]) -> None:
    (tmp_path / "t.csv").write_text(content)
    out = tmp_path / "out"
    network = ("--validation", 0, "--hidden", "none", "--epochs", 1, "--quiet")
    if options:
        refused = shell("train", tmp_path / "t.csv", "--out", out, *network)
        assert refused.code == 2
        assert options[0] in refused.err
    assert shell("train", tmp_path / "t.csv", "--out", out, *network, *options).code == 0
    header = [option for option in options if "header" in option]
    answer = shell("predict", out, tmp_path / "t.csv", *header)
    assert answer.code == 0, answer.err


def test_columns_without_a_message_are_noted(shell, tmp_path: Path) -> None:
    lines = write_flowers(tmp_path / "plain.csv", rows=40).read_text(encoding="utf-8").splitlines()
    rows = [f"{number},same,7,{line}" for number, line in enumerate(lines[1:], start=11)]
    (tmp_path / "t.csv").write_text("\n".join([f"id,site,unit,{lines[0]}", *rows]) + "\n")
    answer = shell("train", tmp_path / "t.csv", "--out", tmp_path / "out", "--hidden", "4", "--epochs", 1, "--quiet")
    assert answer.code == 0
    assert "note: column 'id' numbers the rows, which new rows will not repeat; drop it (list the" in answer.err
    assert "note: column 'site' holds 'same' in every row; drop it" in answer.err
    assert "note: column 'unit' holds 7.0 in every row; drop it" in answer.err
    assert answer.err.count("note: column") == 3


@pytest.mark.parametrize(
    ("target", "task", "says"),
    [
        ("width", "classification", "predict it as a number (--task regression)"),
        ("kind", "regression", "expects numbers in column 'kind', got 'iris' on line "),
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


def test_names_of_rows_are_no_categories(refuses: Refuses, tmp_path: Path) -> None:
    rows = "".join(f"person {row},{row % 7},{row % 2}\n" for row in range(60))
    (tmp_path / "t.csv").write_text("who,n,y\n" + rows)
    said = refuses("train", tmp_path / "t.csv", "--out", tmp_path / "out")
    assert "column 'who' of " in said
    assert "got 60 different values in 60 rows, such as 'person 0'; drop the column (list the others in --col" in said
