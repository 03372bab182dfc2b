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
from chainrule.trainer import Trainer

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
    assert list(report) == ["data", "model", "learned", "files", "next"]
    assert report["data"] == (
        "digits: 64 inputs, 10 classes; 1,797 rows: 1,294 to learn from, 144 to watch, 359 to test"
    )
    assert report["model"] == "64 → 64 → 10, relu, dropout 0.3: 4,810 parameters"
    assert report["files"] == f"model.safetensors, history.json, curves.png, confusion.png in {out}"
    assert report["next"].endswith(f"chainrule predict {out}/model.safetensors digits".replace("/", os.sep))
    assert sorted(path.name for path in out.iterdir()) == [
        "confusion.png",
        "curves.png",
        "history.json",
        "model.safetensors",
    ]
    assert all((out / name).read_bytes().startswith(PNG) for name in ("confusion.png", "curves.png"))
    data = cr.load_named("digits")
    model = cr.load(out / "model.safetensors")
    share = float(np.mean(model.predict(data.x_test).argmax(axis=1) == data.y_test))
    assert share > 0.9
    assert report["learned"].startswith(f"test accuracy {100 * share:.2f} % ({round(359 * share)} of 359 rows) in ")
    assert model.metadata["scores"]["accuracy"] == share
    rows = json.loads((out / "history.json").read_text())["rows"]
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
        "flowers.csv: 4 inputs, 3 classes in 'kind' (the last column); "
        "120 rows: 86 to learn from, 10 to watch, 24 to test"
    )
    assert "2 inputs, numbers in 'price'; 200 rows" in data_line(prices, "--target", "price")
    assert "2 inputs, 9 classes in 'floor' (the last column)" in data_line(prices)
    assert "2 inputs, numbers in 'floor' (the last column)" in data_line(prices, "--task", "regression")
    assert "1 inputs, 3 classes in 'kind'" in data_line(flowers, "--columns", "width,kind")
    assert "10 inputs, numbers in 'price'" in data_line(prices, "--target", "price", "--text", "floor")


@pytest.mark.usefixtures("without_pictures")
def test_the_options_reach_the_training(shell, flowers: Path, tmp_path: Path) -> None:
    options = ("--hidden", "7,5", "--activation", "tanh", "--dropout", 0, "--optimizer", "sgd", "--learning-rate", 0.5)
    options += ("--batch-size", 10, "--epochs", 3, "--seed", 5, "--validation", 0, "--test-fraction", 0.5)
    answer = shell("train", flowers, *options, "--out", tmp_path)
    report = lines_of(answer.out)
    assert report["data"].endswith("120 rows: 60 to learn from, 60 to test")
    assert report["model"] == "4 → 7 → 5 → 3, tanh: 93 parameters"
    rows = json.loads((tmp_path / "history.json").read_text())["rows"]
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


@pytest.mark.usefixtures("without_pictures")
def test_the_results_have_a_folder_of_their_own_name(
    shell, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = lines_of(shell("train", flowers, *QUICK).out)
    assert report["files"] == "model.safetensors, history.json in flowers-model"
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
    assert "no pictures: " in answer.err
    assert "pip install 'chainrule[plots]'" in answer.err
    assert lines_of(answer.out)["files"] == f"model.safetensors, history.json in {tmp_path}"
    assert cr.load(tmp_path / "model.safetensors").metadata["source"] == "flowers.csv"


@pytest.mark.parametrize("epoch, pictures_drawn", [(1, ["confusion.png"]), (3, ["curves.png", "confusion.png"])])
def test_control_c_keeps_what_was_learned(
    shell, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int, pictures_drawn: list[str]
) -> None:
    class Interrupted(Trainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs, callbacks=[PressControlC()])

    class PressControlC(cr.Callback):
        def on_epoch_begin(self, trainer):
            if trainer.epoch == epoch:
                raise KeyboardInterrupt

    monkeypatch.setattr(train, "Trainer", Interrupted)
    answer = shell("train", flowers, "--hidden", 8, "--epochs", 20, "--out", tmp_path, "--quiet")
    assert answer.code == 0
    report = lines_of(answer.out)
    assert report["learned"].endswith(f", interrupted after {epoch - 1} of 20 epochs")
    files = ["model.safetensors", "history.json", *pictures_drawn]
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
        (["{table}", "--hidden", "3,-1"], "out_features >= 1, got -1"),
        (["{table}", "--dropout", "1"], "dropout >= 0 and < 1, got 1.0"),
        (["{table}", "--learning-rate", "nan"], "rate >= 0, got nan"),
        (["{table}", "--epochs", "0"], "--epochs >= 1, got 0"),
        (["{table}", "--epochs", "many"], "argument --epochs: invalid int value: 'many'"),
        (["{table}", "--batch-size", "0"], "--batch-size >= 1, got 0"),
        (["{table}", "--seed", "-1"], "--seed >= 0, got -1"),
        (["{table}", "--validation", "1"], "--validation >= 0 and < 1, got 1.0"),
        (["{table}", "--test-fraction", "0"], "--test-fraction > 0 and < 1, got 0.0"),
        (["digits", "--target", "kind"], "options of tables with a table, got --target with digits"),
        (["digits", "--test-fraction", "0.3"], "got --test-fraction with digits"),
        (["digits", "--no-header"], "got --header with digits"),
        (["{table}", "--out", "{table}"], "train expects to write into"),
        (["{table}", "--out", "{table}/inner"], "choose another with --out DIR"),
        (["{table}", "--optimizer", "sgd", "--learning-rate", "1e30", "--quiet", "--out", "{out}"], "a finite loss"),
    ],
)
def test_options_that_cannot_be_are_refused(
    refuses, flowers: Path, tmp_path: Path, words: list[str], says: str
) -> None:
    names = {"table": flowers, "folder": flowers.parent, "out": tmp_path}
    assert says in refuses("train", *(word.format(**names) for word in words))


BAD_TABLES = {
    "empty": ("", "an empty file"),
    "a header alone": ("a,b\n", "a header alone"),
    "NaN": ("a,b\n" + "1,2\n" * 9 + "NaN,2\n", "missing values in 1 of 10 rows (lines 11), in 'a'"),
    "infinity": ("a,b\n" + "1,2\n" * 9 + "inf,2\n", "'inf' on line 11"),
    "text among numbers": ("a,b\n" + "1,2\n" * 20 + "one,2\n", "'one' on line 22"),
    "one class only": ("a,b\n" + "1,x\n" * 9, "expects two classes or more in the target 'b'"),
    "one number only": ("a,b\n" + "1,2.5\n" * 9, "2.5 in every row"),
    "one column only": ("b\nx\ny\nx\ny\nx\ny\n", "at least one column beside the target 'b'"),
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
    assert (answer.code, answer.err) == (0, "no pictures: libpng is broken\n")
