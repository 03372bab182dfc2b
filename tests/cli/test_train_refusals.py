"""What ``chainrule train`` refuses, before it wastes anybody's time: options, tables, folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chainrule.cli import tables


@pytest.mark.parametrize(
    "words, says",
    [
        (["digit"], "(did you mean 'digits'?); known are digits, fashion-mnist, mnist"),
        (["nothing.csv"], "train expects a table at nothing.csv, got no such file"),
        (["{folder}/flower.csv"], "no such file (did you mean 'flowers.csv'?)"),
        (["-"], "expects --out DIR for a pattern or a table from standard input, got none"),
        (["{table}", "--target", "knd"], "got 'knd' (did you mean 'kind'?)"),
        (["{table}", "--columns", "widht,kind"], "got 'widht' (did you mean 'width'?)"),
        (["{table}", "--drop", "widht"], "a column for --drop, got 'widht' (did you mean 'width'?)"),
        (["{table}", "--group", "Kolour"], "a column for --group, got 'Kolour' (did you mean 'colour'?)"),
        (["{table}", "--drop", "kind"], "the target 'kind' among the columns, got --drop kind"),
        (["{table}", "--drop", "width", "--number", "width"], "one kind for a column, got 'width' as "),
        (["{table}", "--number", "colour"], "expects numbers in column 'colour', got 'blue'"),
        (["{table}", "--drop", "length,width,colour"], "flowers.csv to learn from, got none: all are left out"),
        (["{table}", "--task", "regresion"], "did you mean 'regression'?"),
        (["{table}", "--task", "regression"], "expects numbers in column 'kind'"),
        (["{table}", "--hidden", "3"], "options for images with a named data set only, got --hidden with {table}"),
        (["{table}", "--epochs", "0"], "--epochs >= 1, got 0"),
        (["{table}", "--epochs", "many"], "argument --epochs: invalid int value: 'many'"),
        (["{table}", "--seed", "-1"], "--seed >= 0, got -1"),
        (["{table}", "--validation", "1"], "--validation >= 0 and < 1, got 1.0"),
        (["{table}", "--validation", "no.csv"], "no.csv"),
        (["{table}", "--validation", ""], "--validation: expects a fraction such as 0.1, or a table, got ''"),
        (["{table}", "--validation", "{table}"], "other rows for --validation, got "),
        (["{table}", "--test-fraction", "0"], "--test-fraction > 0 and < 1, got 0.0"),
        (["{table}", "--time-limit", "0"], "--time-limit > 0, got 0.0"),
        (["{table}", "--metric", "rmse"], "a metric of classes for --metric, got rmse; known are log_loss"),
        (["{table}", "--metric", "acuracy"], "did you mean 'accuracy'?"),
        (["{table}", "--class-weight", "lilly=2"], "got 'lilly' (did you mean 'lily'?); known are iris, lily, rose"),
        (
            ["{table}", "--class-weight", "iris=0,lily=0,rose=0"],
            "a class that counts, for --class-weight, got 'iris=0,",
        ),
        *(
            (["{table}", f"--{option}", "kind"], f"--{option} to name another column than the target, got 'kind'")
            for option in ("group", "time", "sample-weight")
        ),
        (["{table}", "--sample-weight", "colour"], "expects numbers in column 'colour'"),
        (["{table}", "--group", "length", "--time", "width"], "one of --group and --time, got both"),
        (["{table}", "--quantiles", "2"], "--quantiles > 0 and < 1, got 2.0"),
        (["{table}", "--proba"], "unrecognized arguments: --proba"),
        (["{table}", "--dro", "width"], "unrecognized arguments: --dro width"),
        (["digits", "--target", "kind"], "options for tables with a table only, got --target with digits"),
        (["digits", "--test-fraction", "0.3"], "got --test-fraction with digits"),
        (["digits", "--no-header"], "got --header with digits"),
        (["digits", "--drop", "x"], "got --drop with digits"),
        (["digits", "--validation", "x.csv"], "a fraction of a named data set for --validation"),
        (["{table}", "--out", "{table}"], "to be a folder that it can write to, got a file; choose another"),
        (["{table}", "--target", ""], "got ''"),
        (["{folder}"], "train expects a table, got the folder {folder}; name a file in it."),
        (["{table}", "--out", "{table}/inner"], "choose another with --out DIR"),
    ],
)
def test_options_that_cannot_be_are_refused(
    refuses, flowers: Path, tmp_path: Path, words: list[str], says: str
) -> None:
    names = {"table": flowers, "folder": flowers.parent}
    out = [] if "--out" in words or words == ["-"] else ["--out", str(tmp_path / "out")]
    assert says.format(**names) in refuses("train", *(word.format(**names) for word in words), *out)
    assert not (tmp_path / "out").exists()


def test_a_rate_that_diverges_is_refused(refuses, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    options = ("--optimizer", "sgd", "--learning-rate", "1e30", "--quiet", "--out", tmp_path)
    assert "lower the learning rate" in refuses("train", "digits", *options)


BAD_TABLES = {
    "empty": ("", "an empty file"),
    "a header alone": ("a,b\n", "a header alone"),
    "a class for each row": ("a,b\n" + "".join(f"{row},k{row}\n" for row in range(60)), "got 60 different values"),
    "one class only": ("a,b\n" + "1,x\n2,x\n" * 9, "expects at least two classes in the target 'b'"),
    "one number only": ("a,b\n" + "1,2.5\n2,2.5\n" * 9, "got '2.5' in every row"),
    "no target at all": ("a,b\n" + "1,\n2,\n" * 9, "no value in any row"),
    "one column only": ("b\nx\ny\nx\ny\nx\ny\n", "only one column, 'b'; name its delimiter with --delimiter"),
    "another delimiter": ("a:b\n" + "1:x\n2:y\n" * 5, "only one column, 'a:b'; name its delimiter"),
    "too few rows": ("a,b\n1,x\n2,y\n", "at least 5 rows"),
    "ragged rows": ("a,b\n1,x\n2,y,3\n", "3 on line 3"),
    "dates as target": ("a,b\n" + "1,2024-01-31\n2,2024-02-01\n" * 9, ""),
}


@pytest.mark.parametrize("content, says", BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_tables_are_refused(refuses, shell, tmp_path: Path, content: str, says: str, monkeypatch) -> None:
    monkeypatch.setattr(tables.Tables, "train", lambda *args: 0)
    table = tmp_path / "bad.csv"
    table.write_text(content)
    if says:
        assert says in refuses("train", table, "--out", tmp_path / "out")
        assert not (tmp_path / "out").exists()
    else:
        assert shell("train", table, "--out", tmp_path / "out").code == 0


@pytest.mark.parametrize(
    ("column", "options", "says"),
    [
        ("w", ["--sample-weight", "w"], "weights of at least 0 in column 'w', got -1 in row 2"),
        ("gap", ["--sample-weight", "gap"], "got none in row 2"),
        ("zero", ["--sample-weight", "zero"], "zeros alone"),
        ("gap", ["--time", "gap"], "a time in every row of column 'gap', got none in row 2"),
    ],
)
def test_columns_that_say_nothing_of_rows_are_refused(
    refuses, tmp_path: Path, column: str, options: list[str], says: str
) -> None:
    rows = "".join(f"{row},{-1 if row == 1 else 1},{'' if row == 1 else row},0,{row % 2}\n" for row in range(40))
    (tmp_path / "t.csv").write_text("x,w,gap,zero,y\n" + rows)
    assert says in refuses("train", tmp_path / "t.csv", *options, "--out", tmp_path / "out")


def test_the_folder_is_tried_before_the_training(
    refuses, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_early(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("training began")

    monkeypatch.setattr(tables.Tables, "train", too_early)
    (tmp_path / "file").touch()
    assert "Not a directory" in refuses("train", flowers, "--out", tmp_path / "file" / "out")
