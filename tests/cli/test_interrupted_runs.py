"""``chainrule train`` that Ctrl-C or SIGTERM ends at any point says how to resume, and what it removes."""

from __future__ import annotations

import json
import os
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.cli import images, runs, tables
from chainrule.tabular.estimators import watching

pytest.importorskip("sklearn")
pytestmark = pytest.mark.usefixtures("without_pictures")
QUICK = ("--epochs", 4, "--hidden", 8, "--quiet")
MODEL = "model.safetensors"


def press_control_c(*arguments: Any, **options: Any) -> Any:
    raise KeyboardInterrupt


def hint(answer: Any) -> list[str]:
    """The words that resume, in the last line."""
    last = answer.out.splitlines()[-1]
    assert last.startswith("resume   ")
    return shlex.split(last)[-3:]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every step."""
    monkeypatch.setattr(runs, "SECONDS", 1e-9)


@pytest.fixture
def whole(tmp_path: Path, shell) -> bytes:
    """The model of a run that nobody disturbed."""
    assert shell("train", "digits", *QUICK, "--out", tmp_path / "whole").code == 0
    return (tmp_path / "whole" / MODEL).read_bytes()


@pytest.mark.parametrize("where", ["save", "_say_model", "finish"])
def test_control_c_outside_of_the_training_says_how_to_resume(
    where: str, whole: bytes, tmp_path: Path, shell, monkeypatch
) -> None:
    out = tmp_path / "my run"
    with monkeypatch.context() as patch:
        of_model = (images.Images, "_model_line")
        target = {"save": (images, "save"), "_say_model": of_model, "finish": (runs.Run, "finish")}
        patch.setattr(*target[where], press_control_c)
        answer = shell("train", "digits", *QUICK, "--out", out)
    assert (answer.code, answer.err) == (130, "chainrule: interrupted\n")
    assert hint(answer) == ["train", "--resume", str(out)]
    assert shell(*hint(answer), "--quiet").code == 0
    assert (out / MODEL).read_bytes() == whole


def test_control_c_before_there_is_a_run_says_nothing_of_one(flowers: Path, tmp_path: Path, shell, monkeypatch) -> None:
    monkeypatch.setattr(tables, "understand_table", press_control_c)
    answer = shell("train", flowers, "--quiet", "--out", tmp_path / "run")
    assert (answer.code, answer.out, answer.err) == (130, "", "chainrule: interrupted\n")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def interrupted(tmp_path: Path, shell, monkeypatch) -> Path:
    """The folder of a run that Ctrl-C ended in its third epoch."""

    class PressControlC(cr.Callback):
        def on_epoch_begin(self, trainer: Any) -> None:
            if trainer.epoch == 3:
                raise KeyboardInterrupt

    class Interrupted(cr.Trainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.callbacks.append(PressControlC())

    with monkeypatch.context() as patch:
        patch.setattr(images, "Trainer", Interrupted)
        answer = shell("train", "digits", *QUICK, "--out", tmp_path / "run")
    assert answer.code == 130
    assert hint(answer) == ["train", "--resume", str(tmp_path / "run")]
    return tmp_path / "run"


def test_a_run_that_takes_the_place_of_an_interrupted_one_says_so(interrupted: Path, shell) -> None:
    note = f"note: {interrupted} holds the checkpoints of an interrupted run, which are removed now\n"
    assert shell("train", "digits", *QUICK, "--out", interrupted).err == note
    assert not (interrupted / "checkpoints").exists()
    assert shell("train", "digits", *QUICK, "--out", interrupted, "--force").err == ""


def test_what_resumes_takes_no_place(interrupted: Path, whole: bytes, shell) -> None:
    assert shell("train", "--resume", interrupted, "--quiet").err == ""
    assert (interrupted / MODEL).read_bytes() == whole


def test_no_report_of_another_model_stays(whole: bytes, tmp_path: Path, shell) -> None:
    assert shell("report", tmp_path / "whole").code == 0
    assert (tmp_path / "whole" / "report.html").is_file()
    assert shell("train", "digits", *QUICK, "--seed", 5, "--out", tmp_path / "whole", "--force").code == 0
    assert not (tmp_path / "whole" / "report.html").exists()


def test_an_interrupted_run_is_recorded_as_such(interrupted: Path) -> None:
    record = json.loads((interrupted / "run.json").read_text(encoding="utf-8"))
    assert record["result"]["interrupted"]
    assert record["result"]["epochs"] == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_an_interrupted_table_keeps_its_model_and_begins_again(
    flowers: Path, tmp_path: Path, shell, monkeypatch, number: signal.Signals
) -> None:
    """It takes a minute or two; its bits are those of a run that nobody disturbed."""
    words = (flowers, "--epochs", 6, "--preset", "fast", "--quiet")
    shell("train", *words, "--out", tmp_path / "whole")
    scored = watching.BestEpoch.on_epoch_end

    def in_the_third_epoch(self: Any, trainer: Any, row: Any) -> None:
        scored(self, trainer, row)
        if trainer.epoch == 3:
            signal.raise_signal(number)

    with monkeypatch.context() as patch:
        patch.setattr(watching.BestEpoch, "on_epoch_end", in_the_third_epoch)
        answer = shell("train", *words, "--out", tmp_path / "run")
    assert answer.code == 128 + number
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert hint(answer) == ["train", "--resume", str(tmp_path / "run")]
    assert ", interrupted after 3 of 6 epochs" in answer.out
    assert shell("predict", tmp_path / "run", flowers).code == 0
    assert shell(*hint(answer), "--quiet").code == 0
    assert (tmp_path / "run" / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()
