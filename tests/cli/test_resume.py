"""A run on images that is resumed ends with the very bits, wherever it was killed, interrupted or asked to end."""

from __future__ import annotations

import os
import shlex
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

import chainrule as cr
import halting
from chainrule.cli import images, runs
from cli.records import MODEL, RECORD, change_record, record_of

pytestmark = pytest.mark.usefixtures("without_pictures")
QUICK = ("--epochs", 4, "--hidden", 8, "--quiet")


@pytest.fixture
def small(tmp_path: Path, shell) -> Path:
    """The folder of a small run."""
    assert shell("train", "digits", *QUICK, "--out", tmp_path / "run").code == 0
    return tmp_path / "run"


SCRIPT = """
import sys
from chainrule.cli import main, outputs, runs
outputs.write_figures = lambda *arguments: []
runs.SECONDS = 1e-9
sys.exit(main(sys.argv[1:]))
"""
EPOCHS = 12  # of six steps each, after every one of which there is a checkpoint
LONG = ("--hidden", "16,8", "--dropout", 0.2, "--batch-size", 216, "--epochs", EPOCHS, "--quiet")


def end(*words: object) -> list[str]:
    """The lines of a command that nobody disturbs."""
    with halting.Process(SCRIPT, *words, halts=[]) as process:
        return process.end()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    end("train", "digits", *LONG, "--out", folder)
    return folder


def assert_in_the_middle(out: Path) -> None:
    """There is a checkpoint of a training that has steps to come, and no model."""
    newest = max(path.stem for path in (out / "checkpoints").iterdir())
    assert 0 < int(newest.removeprefix("step-")) < 6 * EPOCHS
    assert not (out / MODEL).exists()


def assert_same_run(out: Path, undisturbed: Path) -> None:
    assert (out / MODEL).read_bytes() == (undisturbed / MODEL).read_bytes()
    assert record_of(out)["result"] == record_of(undisturbed)["result"]
    assert sorted(path.name for path in out.iterdir()) == ["history.json", MODEL, RECORD]


def test_a_killed_run_goes_on_to_the_same_bits(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words: tuple[object, ...] = ("train", "digits", *LONG, "--out", out)
    for step in (20, 45):  # within an epoch
        with halting.Process(SCRIPT, *words, halts=[step]) as process:
            process.wait_until_halted(step)
            process.kill_in_the_middle()
        assert_in_the_middle(out)
        words = ("train", "--resume", out, "--quiet")
    end(*words)
    assert_same_run(out, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_runs_killed_at_random_moments_go_on_to_the_same_bits(undisturbed: Path, tmp_path: Path, seed: int) -> None:
    """Killed at some moment between two steps at which it halts, most likely while it writes a checkpoint."""
    out = tmp_path / "run"
    words: tuple[object, ...] = ("train", "digits", *LONG, "--out", out)
    rng = np.random.default_rng(seed)
    for first, last in ((5, 20), (25, 40), (45, 60)):
        with halting.Process(SCRIPT, *words, halts=[first, last]) as process:
            process.wait_until_halted(first)
            process.let_continue()
            time.sleep(rng.uniform(0, 0.02))
            process.kill_in_the_middle()
        assert_in_the_middle(out)
        words = ("train", "--resume", out, "--quiet")
    end(*words)
    assert_same_run(out, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_who_is_asked_to_end_writes_the_model_and_says_how_to_go_on(
    undisturbed: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "my run"
    with halting.Process(SCRIPT, "train", "digits", *LONG, "--out", out, halts=[20]) as process:
        process.wait_until_halted(20)
        assert_in_the_middle(out)
        process.send_signal(number)
        said = process.end(128 + number)  # as shells have it
    assert f", interrupted after 3 of {EPOCHS} epochs" in said[0]
    assert said[-1].startswith("resume   ")
    assert record_of(out)["result"]["interrupted"]
    words = shlex.split(said[-1])
    assert words[-3:] == ["train", "--resume", str(out)]
    assert cr.load(out / MODEL).metadata["training"]["epochs"] == 3
    end(*words[-3:], "--quiet")
    assert (out / MODEL).read_bytes() == (undisturbed / MODEL).read_bytes()


def interrupt(shell, folder: Path, monkeypatch: pytest.MonkeyPatch, *words: object, epoch: int = 3) -> Any:
    """Train with ``words``, into ``folder``, until Ctrl-C in an epoch; there is a checkpoint of each."""

    class PressControlC(cr.Callback):
        def on_epoch_begin(self, trainer: Any) -> None:
            if trainer.epoch == epoch:
                raise KeyboardInterrupt

    class Interrupted(cr.Trainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.callbacks.append(PressControlC())

    with monkeypatch.context() as patched:
        patched.setattr(images, "Trainer", Interrupted)
        patched.setattr(runs, "SECONDS", 1e-9)
        return shell("train", *words, "--out", folder)


def test_without_any_checkpoint_it_begins_again(shell, small: Path, tmp_path: Path, monkeypatch) -> None:
    answer = interrupt(shell, tmp_path / "new", monkeypatch, "digits", *QUICK, epoch=1)
    assert not (tmp_path / "new" / "checkpoints").exists()
    assert answer.out.splitlines()[-1].endswith(shlex.join(["train", "--resume", str(tmp_path / "new")]))
    assert shell("train", "--resume", tmp_path / "new", "--quiet").code == 0
    assert (tmp_path / "new" / MODEL).read_bytes() == (small / MODEL).read_bytes()


def test_a_damaged_checkpoint_is_told_and_the_one_before_is_taken(shell, small: Path, tmp_path, monkeypatch) -> None:
    new = tmp_path / "new"
    interrupt(shell, new, monkeypatch, "digits", *QUICK)
    older, newer = sorted((new / "checkpoints").iterdir())
    newer.write_bytes(newer.read_bytes()[:-1])
    answer = shell("train", "--resume", new, "--quiet")
    assert answer.code == 0
    assert answer.err.startswith(f"note: resume expects {newer} to be a whole")
    assert (new / MODEL).read_bytes() == (small / MODEL).read_bytes()
    interrupt(shell, new, monkeypatch, "digits", *QUICK, "--force")
    for path in (new / "checkpoints").iterdir():
        path.write_bytes(b"")
    answer = shell("train", "--resume", new, "--quiet")
    assert answer.code == 2
    assert answer.err.splitlines()[-1].startswith(f"chainrule: error: resume expects {older} to be a whole")


def test_a_new_run_in_the_folder_leaves_nothing_of_an_interrupted_one(
    shell, small: Path, tmp_path: Path, monkeypatch
) -> None:
    new = tmp_path / "new"
    interrupt(shell, new, monkeypatch, "digits", *QUICK, "--seed", 9)
    (new / "checkpoints" / "notes.txt").write_text("mine")
    assert shell("train", "digits", *QUICK, "--out", new).code == 0
    assert (new / MODEL).read_bytes() == (small / MODEL).read_bytes()
    assert [path.name for path in (new / "checkpoints").iterdir()] == ["notes.txt"]


def test_a_complete_run_says_so(shell, small: Path) -> None:
    os.utime(small / MODEL, (1, 1))
    answer = shell("train", "--resume", small)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"result   the run in {small} is complete: nothing to resume\n"
    assert (small / MODEL).stat().st_mtime == 1  # nobody wrote it again


def test_going_on_after_a_change_of_machine_is_told_and_remembered(shell, small: Path, tmp_path, monkeypatch) -> None:
    new = tmp_path / "new"
    interrupt(shell, new, monkeypatch, "digits", *QUICK)
    other = record_of(new)["machine"] | {"chainrule": "0.0.9"}
    change_record(new, machine=other)
    note = f"note: chainrule 0.0.9 → {cr.__version__}: results will agree closely, but not bit for bit\n"
    assert shell("train", "--resume", new, "--quiet").err == note
    assert record_of(new)["changes"] == [f"chainrule 0.0.9 → {cr.__version__}"]
    assert shell("train", "--repeat", new, "--quiet").err == note
