"""``chainrule train``: what it learns, writes and says, and what it refuses before it wastes anybody's time."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import pictures, recipe, train
from chainrule.training.trainer import Trainer

PNG = b"\x89PNG"
QUICK = ("--epochs", 2, "--hidden", 8, "--quiet")


def lines_of(out: str) -> dict[str, str]:
    """The report by its first words."""
    return dict(line.split(maxsplit=1) for line in out.splitlines())


def test_digits_are_learned_written_and_reported(shell, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    out = tmp_path / "new" / "demo"
    answer = shell("train", "digits", "--out", out, "--hidden", "64", "--epochs", 12, "--batch-size", 32)
    assert answer.code == 0
    report = lines_of(answer.out)
    assert list(report) == ["data", "model", "result", "files", "next"]
    assert report["data"] == ("digits: 64 inputs, 10 classes; 1,797 rows: 1,294 training, 144 validation, 359 test")
    assert report["model"] == "64 → 64 → 10, relu, dropout 0.3: 4,810 parameters"
    assert report["files"] == f"model.safetensors, history.json, run.json, curves.png, confusion.png in {out}"
    assert report["next"].endswith(f"chainrule predict {out}/model.safetensors digits".replace("/", os.sep))
    assert sorted(path.name for path in out.iterdir()) == [
        "confusion.png",
        "curves.png",
        "history.json",
        "model.safetensors",
        "run.json",
    ]
    assert all((out / name).read_bytes().startswith(PNG) for name in ("confusion.png", "curves.png"))
    data = cr.data.load_named("digits")
    model = cr.load(out / "model.safetensors")
    share = float(np.mean(model.predict(data.x_test).argmax(axis=1) == data.y_test))
    assert share > 0.9
    assert report["result"].startswith(
        f"test accuracy {100 * share:.2f} % ({round(359 * share)} of 359 rows), trained in "
    )
    assert model.metadata["scores"]["accuracy"] == share
    rows = json.loads((out / "history.json").read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 12
    assert rows[-1]["validation_loss"] < rows[0]["validation_loss"]
    assert sum(line.startswith("epoch ") for line in answer.err.splitlines()) == 12


def test_a_table_of_classes_is_learned(flowers_model: Path) -> None:
    model = cr.load(flowers_model / "model.safetensors")
    facts = model.metadata
    assert facts["source"] == "flowers.csv"
    assert facts["task"] == "classification"
    assert facts["target"] == "kind"
    assert facts["class_names"] == ["iris", "lily", "rose"]
    assert facts["scores"]["accuracy"] > 0.9
    assert facts["training"]["seed"] == 0
    assert facts["training"]["epochs"] == 200
    assert facts["chainrule"] == cr.__version__
    assert model.summary().splitlines()[1].startswith("Linear(4 → 32, relu)")


def test_a_table_of_numbers_is_learned(prices_model: Path) -> None:
    facts = cr.load(prices_model / "model.safetensors").metadata
    assert facts["task"] == "regression"
    assert facts["target"] == "price"
    assert facts["scores"]["r2"] > 0.99
    assert (prices_model / "predictions.png").read_bytes().startswith(PNG)
    assert not (prices_model / "confusion.png").exists()


@pytest.mark.usefixtures("without_pictures")
def test_target_and_task_are_said(shell, flowers: Path, prices: Path, tmp_path: Path) -> None:
    def data_line(*words: object) -> str:
        return lines_of(shell("train", *words, *QUICK, "--out", tmp_path).out)["data"]

    assert data_line(flowers) == (
        "flowers.csv: 4 inputs (2 numeric; text: colour 2), 3 classes in 'kind' (the last column); "
        "120 rows: 86 training, 10 validation, 24 test"
    )
    assert "2 inputs, numeric target 'price'; 200 rows" in data_line(prices, "--target", "price")
    assert "2 inputs, 9 classes in 'floor' (the last column)" in data_line(prices)
    assert "2 inputs, numeric target 'floor' (the last column)" in data_line(prices, "--task", "regression")
    assert "1 input, 3 classes in 'kind'" in data_line(flowers, "--columns", "width,kind")
    assert "10 inputs (1 numeric; text: floor 9), numeric target 'price'" in data_line(
        prices, "--target", "price", "--text", "floor"
    )


@pytest.mark.usefixtures("without_pictures")
def test_text_is_named_but_not_endlessly(shell, tmp_path: Path) -> None:
    rows = "".join(f"x,y,{'uv'[row % 2]},z,{row % 3}.5\n" for row in range(20))
    (tmp_path / "t.csv").write_text("a,b,c,d,e\n" + rows)
    line = lines_of(shell("train", tmp_path / "t.csv", *QUICK, "--out", tmp_path / "out").out)["data"]
    assert "t.csv: 5 inputs (text: a 1, b 1, c 2 and 1 more), numeric target 'e' (the last column)" in line


@pytest.mark.usefixtures("without_pictures")
def test_the_target_belongs_to_the_columns(shell, prices: Path, tmp_path: Path) -> None:
    options = (*QUICK, "--out", tmp_path)
    out = shell("train", prices, "--columns", "area", "--target", "price", *options).out
    assert "1 input, numeric target 'price';" in out
    assert "numeric target 'price' (the last column)" in shell("train", prices, "--columns", "area,price", *options).out


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize(
    ("name", "folder"),
    [("s.2023.csv", "s.2023-model"), (".hidden.csv", ".hidden-model"), ("a.b.TSV.GZ", "a.b-model")],
)
def test_only_known_suffixes_are_left_out(shell, flowers: Path, tmp_path: Path, monkeypatch, name, folder) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(flowers, name)
    assert shell("train", name, *QUICK).code == 0
    assert (tmp_path / folder / "model.safetensors").is_file()


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="no /dev/fd on this platform")
def test_a_pipe_is_a_table(shell, flowers: Path, tmp_path: Path) -> None:
    """As ``chainrule train <(cat flowers.csv)``."""
    reader, writer = os.pipe()
    os.write(writer, flowers.read_bytes())
    os.close(writer)
    answer = shell("train", f"/dev/fd/{reader}", *QUICK, "--out", tmp_path)
    os.close(reader)
    assert answer.code == 0
    assert "3 classes in 'kind'" in answer.out


@pytest.mark.usefixtures("without_pictures")
def test_the_options_reach_the_training(shell, flowers: Path, tmp_path: Path) -> None:
    options = ("--hidden", "7,5", "--activation", "tanh", "--dropout", 0, "--optimizer", "sgd", "--learning-rate", 0.5)
    options += ("--batch-size", 10, "--epochs", 3, "--seed", 5, "--validation", 0, "--test-fraction", 0.5)
    answer = shell("train", flowers, *options, "--out", tmp_path)
    report = lines_of(answer.out)
    assert report["data"].endswith("120 rows: 60 training, 60 test")
    assert report["model"] == "4 → 7 → 5 → 3, tanh: 93 parameters"
    rows = json.loads((tmp_path / "history.json").read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 3
    assert "validation_loss" not in rows[0]
    training = cr.load(tmp_path / "model.safetensors").metadata["training"]
    assert training == {
        "seed": 5,
        "hidden": [7, 5],
        "activation": "tanh",
        "dropout": 0.0,
        "optimizer": "sgd",
        "batch_size": 10,
        "learning_rate": 0.5,
        "epochs": 3,
    }


@pytest.mark.usefixtures("without_pictures")
def test_a_network_without_hidden_layer(shell, prices: Path, tmp_path: Path) -> None:
    options = ("--target", "price", "--hidden", "none", "--learning-rate", 0.1, "--out", tmp_path, "--quiet")
    report = lines_of(shell("train", prices, *options).out)
    assert report["model"] == "2 → 1: 3 parameters"
    assert cr.load(tmp_path / "model.safetensors").metadata["scores"]["r2"] > 0.999  # the prices are linear


@pytest.mark.parametrize("table", ["a,p\n1,1.5\n2,2.5\n3,3.5\n4,4.5\n5,5.5\n", "a,k\n1,x\n2,x\n3,x\n4,x\n5,y\n"])
def test_five_rows_are_enough(shell, tmp_path: Path, table: str) -> None:
    """One row of validation has no variance, so no R²; one of the test has none either."""
    (tmp_path / "five.csv").write_text(table)
    answer = shell("train", tmp_path / "five.csv", *QUICK, "--out", tmp_path / "out")
    assert (answer.code, answer.err) == (0, "")
    assert "5 rows: 3 training, 1 validation, 1 test" in answer.out
    assert "R²" not in answer.out


def test_an_earlier_result_is_replaced(shell, flowers: Path, prices: Path, tmp_path: Path) -> None:
    """No figure of another model is left among the files."""
    for source in (flowers, prices):
        answer = shell("train", source, *QUICK, "--task", "classification", "--out", tmp_path)
        files = lines_of(answer.out)["files"].removesuffix(f" in {tmp_path}").split(", ")
        assert sorted(files) == sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.usefixtures("without_pictures")
def test_the_results_have_a_folder_of_their_own_name(
    shell, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = lines_of(shell("train", flowers, *QUICK).out)
    assert report["files"] == "model.safetensors, history.json, run.json in flowers-model"
    assert (tmp_path / "flowers-model" / "model.safetensors").is_file()


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize(
    ("called", "on_the_path", "program"),
    [
        ("/usr/bin/chainrule", True, ["chainrule"]),
        (".venv/bin/chainrule", False, [".venv/bin/chainrule"]),
        ("/lib/chainrule/__main__.py", False, [sys.executable, "-m", "chainrule"]),
    ],
)
def test_the_next_command_can_be_typed_as_it_stands(
    shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str, on_the_path: bool, program: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    monkeypatch.setattr(shutil, "which", lambda name: called if on_the_path else None)
    table = tmp_path / "my flowers.csv"
    table.write_text("".join(f"{row},{'ab'[row % 2]}\n" for row in range(20)))
    answer = shell("train", table, *QUICK, "--no-header", "--out", tmp_path / "my model")
    words = shlex.split(lines_of(answer.out)["next"])
    assert words[: len(program)] == program
    assert len(shell(*words[len(program) :]).out.splitlines()) == 21


@pytest.mark.usefixtures("without_pictures")
def test_same_seed_same_file(shell, flowers: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert shell("train", flowers, *QUICK, "--seed", seed, "--out", tmp_path / name).code == 0
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.usefixtures("without_pictures")
def test_the_model_file_tells_nothing_of_the_folder_that_the_table_is_in(shell, flowers: Path, tmp_path: Path) -> None:
    shell("train", flowers, *QUICK, "--out", tmp_path)
    assert str(flowers.parent).encode() not in (tmp_path / "model.safetensors").read_bytes()


def test_without_matplotlib_all_but_the_pictures_is_written(
    shell, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    answer = shell("train", flowers, *QUICK, "--out", tmp_path)
    assert answer.code == 0
    assert answer.err.count("\n") == 1
    assert "no figures written: " in answer.err
    assert "pip install 'chainrule[plots]'" in answer.err
    assert lines_of(answer.out)["files"] == f"model.safetensors, history.json, run.json in {tmp_path}"
    assert cr.load(tmp_path / "model.safetensors").metadata["source"] == "flowers.csv"


@pytest.mark.parametrize("epoch, pictures_drawn", [(1, ["confusion.png"]), (3, ["curves.png", "confusion.png"])])
def test_control_c_keeps_what_was_learned(
    shell, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int, pictures_drawn: list[str]
) -> None:
    class Interrupted(Trainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.callbacks.append(PressControlC())

    class PressControlC(cr.Callback):
        def on_epoch_begin(self, trainer):
            if trainer.epoch == epoch:
                raise KeyboardInterrupt

    monkeypatch.setattr(train, "Trainer", Interrupted)
    answer = shell("train", flowers, "--hidden", 8, "--epochs", 20, "--out", tmp_path, "--quiet")
    assert answer.code == 130
    report = lines_of(answer.out)
    assert report["result"].endswith(f", interrupted after {epoch - 1} of 20 epochs")
    files = ["model.safetensors", "history.json", "run.json", *pictures_drawn]
    assert report["files"] == f"{', '.join(files)} in {tmp_path}"
    assert cr.load(tmp_path / "model.safetensors").metadata["training"]["epochs"] == epoch - 1


# --- the recipe ---


def test_a_small_table_is_gone_through_more_often_than_a_large_one() -> None:
    epochs = [recipe.default_epochs(rows, 128) for rows in (1, 100, 1294, 54_000)]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[0] == recipe.MOST_EPOCHS
    assert epochs[-1] == recipe.LEAST_EPOCHS
    assert 1294 / 128 * epochs[2] == pytest.approx(recipe.LEAST_STEPS, rel=0.1)


@pytest.mark.parametrize("name", ["adam", "adamw", "nadam", "sgd", "rmsprop", "adagrad", "lion", "muon"])
def test_every_optimizer_has_a_rate_that_learns(
    name: str, shell, flowers: Path, tmp_path: Path, without_pictures
) -> None:
    options = ("--optimizer", name, "--hidden", 32, "--epochs", 60, "--batch-size", 16, "--quiet")
    assert shell("train", flowers, *options, "--out", tmp_path).code == 0
    assert cr.load(tmp_path / "model.safetensors").metadata["scores"]["accuracy"] > 0.6  # the commonest class: 0.5


def test_the_learning_rate_rises_and_falls() -> None:
    schedule = recipe.Recipe(learning_rate=0.5).make_optimizer().learning_rate
    rates = [schedule(step, 1000) for step in range(1000)]
    assert max(rates) == pytest.approx(0.5)
    assert rates[0] < 0.1
    assert rates[-1] < 0.01
    assert 0 < int(np.argmax(rates)) < 500


# --- what is refused ---


@pytest.mark.parametrize(
    "words, says",
    [
        (["digit"], "(did you mean 'digits'?); known are digits, fashion-mnist, mnist"),
        (["nothing.csv"], "train expects a table at nothing.csv, got no such file"),
        (["{folder}/flower.csv"], "no such file (did you mean 'flowers.csv'?)"),
        (["{table}", "--target", "knd"], "got 'knd' (did you mean 'kind'?)"),
        (["{table}", "--columns", "widht,kind"], "got 'widht' (did you mean 'width'?)"),
        (["{table}", "--text", "widht"], "got 'widht' (did you mean 'width'?)"),
        (["{table}", "--task", "regresion"], "did you mean 'regression'?"),
        (["{table}", "--task", "regression"], "expects numbers in column 'kind'"),
        (["{table}", "--activation", "rleu"], "did you mean 'relu'?"),
        (["{table}", "--optimizer", "adm"], "did you mean 'adam'?"),
        (["{table}", "--hidden", "3,x"], "expects widths such as 256,128, or none, got '3,x'"),
        (["{table}", "--hidden", "3,-1"], "--hidden >= 1, got -1"),
        (["{table}", "--dropout", "1"], "dropout >= 0 and < 1, got 1.0"),
        (["{table}", "--learning-rate", "nan"], "rate >= 0, got nan"),
        (["{table}", "--epochs", "0"], "--epochs >= 1, got 0"),
        (["{table}", "--epochs", "many"], "argument --epochs: invalid int value: 'many'"),
        (["{table}", "--batch-size", "0"], "--batch-size >= 1, got 0"),
        (["{table}", "--seed", "-1"], "--seed >= 0, got -1"),
        (["{table}", "--validation", "1"], "--validation >= 0 and < 1, got 1.0"),
        (["{table}", "--test-fraction", "0"], "--test-fraction > 0 and < 1, got 0.0"),
        (["digits", "--target", "kind"], "options for tables with a table only, got --target with digits"),
        (["digits", "--test-fraction", "0.3"], "got --test-fraction with digits"),
        (["digits", "--no-header"], "got --header with digits"),
        (["{table}", "--out", "{table}"], "to be a folder that it can write to, got a file; choose another"),
        (
            ["{table}", "--test-fraction", "0.999"],
            "enough rows of {table} for training, got 1 of 120; lower --test-fraction.",
        ),
        (["{table}", "--validation", "0.99"], "got 1 of 120; lower --validation."),
        (["{table}", "--target", ""], "got ''"),
        (["{folder}"], "train expects a table, got the folder {folder}; name a file in it."),
        (["{table}", "--out", "{table}/inner"], "choose another with --out DIR"),
        (["{table}", "--optimizer", "sgd", "--learning-rate", "1e30", "--quiet", "--out", "{out}"], "a finite loss"),
    ],
)
def test_options_that_cannot_be_are_refused(
    refuses, flowers: Path, tmp_path: Path, words: list[str], says: str
) -> None:
    names = {"table": flowers, "folder": flowers.parent, "out": tmp_path}
    assert says.format(**names) in refuses("train", *(word.format(**names) for word in words))


BAD_TABLES = {
    "empty": ("", "an empty file"),
    "a header alone": ("a,b\n", "a header alone"),
    "NaN": ("a,b\n" + "1,2\n" * 9 + "NaN,2\n", "missing values in 1 of 10 rows (line 11), in 'a'"),
    "infinity": ("a,b\n" + "1,2\n" * 9 + "inf,2\n", "'inf' on line 11"),
    "text among numbers": ("a,b\n" + "1,2\n" * 20 + "one,2\n", "'one' on line 22"),
    "decimal commas": ("a;b\n" + "".join(f"{row},5;{'xy'[row % 2]}\n" for row in range(50)), "write 0.5, or "),
    "money": ("a,b\n" + "".join(f"{row},${row}0\n" for row in range(1, 50)), "'$10' on line 2; write 10, or declare"),
    "a class for each row": (
        "a,b\n" + "".join(f"{row},k{row}\n" for row in range(9)),
        "a training row for every class",
    ),
    "one class only": ("a,b\n" + "1,x\n" * 9, "expects at least two classes in the target 'b'"),
    "one number only": ("a,b\n" + "1,2.5\n" * 9, "2.5 in every row"),
    "one column only": ("b\nx\ny\nx\ny\nx\ny\n", "only one column, 'b'; the delimiter must be a comma"),
    "another delimiter": ("a|b\n" + "1|x\n2|y\n" * 5, "only one column, 'a|b'; the delimiter must be a comma"),
    "too few rows": ("a,b\n1,x\n2,y\n", "at least 5 rows"),
    "ragged rows": ("a,b\n1,x\n2,y,3\n", "3 on line 3"),
    "no header to be sure of": ("x,1\ny,2\n", "pass --no-header if this line is data"),
}


@pytest.mark.parametrize("content, says", BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_tables_are_refused(refuses, tmp_path: Path, content: str, says: str) -> None:
    table = tmp_path / "bad.csv"
    table.write_text(content)
    assert says in refuses("train", table, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_truncated_idx_file_is_refused(refuses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 60000, 28, 28) + b"\0" * 99)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 60000))
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path))
    sentence = refuses("train", "mnist", "--out", tmp_path / "out")
    assert "train-images-idx3-ubyte" in sentence
    assert "got 99" in sentence


def test_a_missing_extra_is_told_with_its_pip_line(refuses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert "pip install 'chainrule[sklearn]'" in refuses("train", "digits", "--out", tmp_path)


def test_the_folder_is_tried_before_the_training(
    refuses, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_early(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("training began")

    monkeypatch.setattr(train, "Trainer", too_early)
    (tmp_path / "file").touch()
    assert "Not a directory" in refuses("train", flowers, "--out", tmp_path / "file" / "out")


def test_pictures_that_fail_for_another_reason_are_told(shell, flowers: Path, tmp_path: Path, monkeypatch) -> None:
    def fail(*args: Any) -> None:
        raise ImportError("libpng is broken")

    monkeypatch.setattr(pictures, "write", fail)
    answer = shell("train", flowers, *QUICK, "--out", tmp_path)
    assert (answer.code, answer.err) == (0, "note: no figures written: libpng is broken\n")
