"""``chainrule train`` on named data sets of images: what it learns, writes and says, by a recipe of options."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

import chainrule as cr
from chainrule.cli import images
from chainrule.training.trainer import Trainer

from .conftest import lines_of

PNG = b"\x89PNG"


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
    assert report["next"].endswith(f"chainrule report {out}")
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
        f"test accuracy {100 * share:.2f} % ({round(359 * share)} of 359 rows), log-loss "
    )
    assert model.metadata["scores"]["accuracy"] == share
    rows = json.loads((out / "history.json").read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 12
    assert rows[-1]["validation_loss"] < rows[0]["validation_loss"]
    assert sum(line.startswith("epoch ") for line in answer.err.splitlines()) == 12


@pytest.mark.usefixtures("without_pictures")
def test_the_options_reach_the_training(shell, tmp_path: Path) -> None:
    options = ("--hidden", "7,5", "--activation", "tanh", "--dropout", 0, "--optimizer", "sgd", "--learning-rate", 0.5)
    options += ("--batch-size", 100, "--epochs", 3, "--seed", 5, "--validation", 0)
    answer = shell("train", "digits", *options, "--out", tmp_path)
    report = lines_of(answer.out)
    assert report["data"].endswith("1,797 rows: 1,438 training, 359 test")
    assert report["model"] == "64 → 7 → 5 → 10, tanh: 555 parameters"
    rows = json.loads((tmp_path / "history.json").read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 3
    assert "validation_loss" not in rows[0]
    assert cr.load(tmp_path / "model.safetensors").metadata["training"] == {
        "seed": 5, "hidden": [7, 5], "activation": "tanh", "dropout": 0.0, "optimizer": "sgd", "batch_size": 100,
        "learning_rate": 0.5, "epochs": 3,
    }  # fmt: skip


@pytest.mark.usefixtures("without_pictures")
def test_a_network_without_hidden_layer(shell, tmp_path: Path) -> None:
    report = lines_of(shell("train", "digits", "--hidden", "none", "--epochs", 2, "--out", tmp_path, "--quiet").out)
    assert report["model"] == "64 → 10: 650 parameters"


@pytest.mark.parametrize("epoch, pictures_drawn", [(1, ["confusion.png"]), (3, ["curves.png", "confusion.png"])])
def test_control_c_keeps_what_was_learned(
    shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int, pictures_drawn: list[str]
) -> None:
    class Interrupted(Trainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.callbacks.append(PressControlC())

    class PressControlC(cr.Callback):
        def on_epoch_begin(self, trainer):
            if trainer.epoch == epoch:
                raise KeyboardInterrupt

    monkeypatch.setattr(images, "Trainer", Interrupted)
    answer = shell("train", "digits", "--hidden", 8, "--epochs", 20, "--out", tmp_path, "--quiet")
    assert answer.code == 130
    report = lines_of(answer.out)
    assert report["result"].endswith(f", interrupted after {epoch - 1} of 20 epochs")
    files = ["model.safetensors", "history.json", "run.json", *pictures_drawn]
    assert report["files"] == f"{', '.join(files)} in {tmp_path}"
    assert cr.load(tmp_path / "model.safetensors").metadata["training"]["epochs"] == epoch - 1


def test_a_small_table_is_gone_through_more_often_than_a_large_one() -> None:
    epochs = [images.default_epochs(rows, 128) for rows in (1, 100, 1294, 54_000)]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[0] == images.MOST_EPOCHS
    assert epochs[-1] == images.LEAST_EPOCHS
    assert 1294 / 128 * epochs[2] == pytest.approx(images.LEAST_STEPS, rel=0.1)


@pytest.mark.parametrize("name", sorted(cr.optimizers.OPTIMIZERS))
def test_every_optimizer_has_a_rate_that_learns(name: str, shell, tmp_path: Path, without_pictures) -> None:
    options = ("--optimizer", name, "--hidden", 32, "--epochs", 8, "--batch-size", 32, "--quiet")
    assert shell("train", "digits", *options, "--out", tmp_path).code == 0
    assert cr.load(tmp_path / "model.safetensors").metadata["scores"]["accuracy"] > 0.5  # a guess: 0.1


def test_the_learning_rate_rises_and_falls() -> None:
    schedule = images.Recipe(learning_rate=0.5).make_optimizer().learning_rate
    rates = [schedule(step, 1000) for step in range(1000)]
    assert max(rates) == pytest.approx(0.5)
    assert rates[0] < 0.1
    assert rates[-1] < 0.01
    assert 0 < int(np.argmax(rates)) < 500


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
