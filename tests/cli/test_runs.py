"""A run of ``chainrule train`` that is gone on with, or repeated, ends with the very bits; what forbids it is told."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import halting
from chainrule.cli import recipe, runs, train

pytestmark = pytest.mark.usefixtures("without_pictures")
QUICK = ("--epochs", 4, "--hidden", 8, "--quiet")
MODEL, RECORD = "model.safetensors", "run.json"


def record_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    return found


def change_record(folder: Path, **values: Any) -> None:
    (folder / RECORD).write_text(json.dumps(record_of(folder) | values), encoding="utf-8")


@pytest.fixture
def small(flowers: Path, tmp_path: Path, shell) -> Path:
    """The folder of a small run."""
    shutil.copy(flowers, tmp_path / "flowers.csv")
    assert shell("train", tmp_path / "flowers.csv", *QUICK, "--out", tmp_path / "run").code == 0
    return tmp_path / "run"


# --- the record ---


def test_the_record_says_what_was_trained_on_what_and_where(shell, flowers: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(flowers, "flowers.csv")
    shell("train", "flowers.csv", *QUICK, "--columns", "length,width,kind", "--out", "run")
    record = record_of(tmp_path / "run")
    assert record["settings"] == {
        "source": "flowers.csv", "target": "kind", "task": "classification", "columns": ["length", "width", "kind"],
        "text": None, "header": None, "test_fraction": 0.2, "validation": 0.1, "seed": 0, "hidden": [8],
        "activation": "relu", "dropout": 0.0, "optimizer": "adamw", "learning_rate": 0.002, "batch_size": 128,
        "epochs": 4,
    }  # fmt: skip
    assert record["data"]["rows"] == {"training": 86, "validation": 10, "test": 24}
    assert record["data"]["columns"] == 2
    sums = subprocess.run([sys.executable, "-c", SHA256, "flowers.csv"], capture_output=True, text=True, check=True)
    assert record["data"]["file_sha256"] == sums.stdout.strip()
    config = cr.show_config(mode="dicts")
    assert config is not None
    for name in ("chainrule", "python", "kernels", "threads", "processor", "blas"):
        assert record["machine"][name] == config[name], name
    assert record["result"]["scores"] == cr.load("run/model.safetensors").metadata["scores"]
    assert str(tmp_path) not in (tmp_path / "run" / RECORD).read_text(encoding="utf-8")
    assert not (tmp_path / "run" / "checkpoints").exists()


SHA256 = "import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())"


def test_the_fingerprint_is_of_every_number(shell, small: Path, tmp_path: Path) -> None:
    table = tmp_path / "flowers.csv"
    text = table.read_text(encoding="utf-8")
    for changed in (text.replace("\n", " \n", 1), text[::-1].replace("2", "3", 1)[::-1]):
        table.write_text(changed)
        shell("train", table, *QUICK, "--out", tmp_path / "other")
        other = record_of(tmp_path / "other")["data"]
        before = record_of(small)["data"]
        assert other["file_sha256"] != before["file_sha256"]
        same_numbers = changed.replace(" \n", "\n") == text
        assert (other["sha256"] == before["sha256"]) == same_numbers


def test_a_named_data_set_has_no_file(shell, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    shell("train", "digits", *QUICK, "--out", tmp_path)
    record = record_of(tmp_path)
    assert record["data"]["file_sha256"] is None
    assert record["settings"]["target"] is None
    assert record["settings"]["dropout"] == recipe.IMAGE_DROPOUT


# --- going on ---

SCRIPT = """
import sys
from chainrule.cli import main, pictures, runs
pictures.write = lambda *arguments: []
runs.SECONDS = 1e-9
sys.exit(main(sys.argv[1:]))
"""
EPOCHS = 12  # of six steps each, after every one of which there is a checkpoint
LONG = ("--hidden", "16,8", "--dropout", 0.2, "--batch-size", 16, "--epochs", EPOCHS, "--quiet")


def end(*words: object) -> list[str]:
    """The lines of a command that nobody disturbs."""
    with halting.Process(SCRIPT, *words, halts=[]) as process:
        return process.end()


@pytest.fixture(scope="module")
def undisturbed(flowers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    end("train", flowers, *LONG, "--out", folder)
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


def test_a_killed_run_goes_on_to_the_same_bits(flowers: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words: tuple[object, ...] = ("train", flowers, *LONG, "--out", out)
    for step in (20, 45):  # in the midst of an epoch
        with halting.Process(SCRIPT, *words, halts=[step]) as process:
            process.wait_until_halted(step)
            process.kill_in_the_middle()
        assert_in_the_middle(out)
        words = ("train", "--resume", out, "--quiet")
    end(*words)
    assert_same_run(out, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_runs_killed_at_random_moments_go_on_to_the_same_bits(
    flowers: Path, undisturbed: Path, tmp_path: Path, seed: int
) -> None:
    """Killed at some moment between two steps at which it halts, most likely while it writes a checkpoint."""
    out = tmp_path / "run"
    words: tuple[object, ...] = ("train", flowers, *LONG, "--out", out)
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
    flowers: Path, undisturbed: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "my run"
    with halting.Process(SCRIPT, "train", flowers, *LONG, "--out", out, halts=[20]) as process:
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
        patched.setattr(train, "Trainer", Interrupted)
        patched.setattr(runs, "SECONDS", 1e-9)
        return shell("train", *words, "--out", folder)


def test_without_any_checkpoint_it_begins_again(shell, small: Path, tmp_path: Path, monkeypatch) -> None:
    answer = interrupt(shell, tmp_path / "new", monkeypatch, tmp_path / "flowers.csv", *QUICK, epoch=1)
    assert not (tmp_path / "new" / "checkpoints").exists()
    assert answer.out.splitlines()[-1].endswith(shlex.join(["train", "--resume", str(tmp_path / "new")]))
    assert shell("train", "--resume", tmp_path / "new", "--quiet").code == 0
    assert (tmp_path / "new" / MODEL).read_bytes() == (small / MODEL).read_bytes()


def test_a_damaged_checkpoint_is_told_and_the_one_before_is_taken(shell, small: Path, tmp_path, monkeypatch) -> None:
    new = tmp_path / "new"
    interrupt(shell, new, monkeypatch, tmp_path / "flowers.csv", *QUICK)
    older, newer = sorted((new / "checkpoints").iterdir())
    newer.write_bytes(newer.read_bytes()[:-1])
    answer = shell("train", "--resume", new, "--quiet")
    assert answer.code == 0
    assert answer.err.startswith(f"note: resume expects {newer} to be a whole")
    assert (new / MODEL).read_bytes() == (small / MODEL).read_bytes()
    interrupt(shell, new, monkeypatch, tmp_path / "flowers.csv", *QUICK)
    for path in (new / "checkpoints").iterdir():
        path.write_bytes(b"")
    answer = shell("train", "--resume", new, "--quiet")
    assert answer.code == 2
    assert answer.err.splitlines()[-1].startswith(f"chainrule: error: resume expects {older} to be a whole")


def test_a_new_run_in_the_folder_leaves_nothing_of_one_that_was_never_gone_on_with(
    shell, small: Path, tmp_path: Path, monkeypatch
) -> None:
    new = tmp_path / "new"
    interrupt(shell, new, monkeypatch, tmp_path / "flowers.csv", *QUICK, "--seed", 9)
    (new / "checkpoints" / "notes.txt").write_text("mine")
    assert shell("train", tmp_path / "flowers.csv", *QUICK, "--out", new).code == 0
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
    interrupt(shell, new, monkeypatch, tmp_path / "flowers.csv", *QUICK)
    other = record_of(new)["machine"] | {"chainrule": "0.0.9"}
    change_record(new, machine=other)
    note = f"note: chainrule 0.0.9 → {cr.__version__}: results will agree closely, but not to the bit\n"
    assert shell("train", "--resume", new, "--quiet").err == note
    assert record_of(new)["changes"] == [f"chainrule 0.0.9 → {cr.__version__}"]
    assert shell("train", "--repeat", new, "--quiet").err == note


# --- repeating ---


def test_a_repetition_is_bit_identical(shell, small: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for run, out in ((small, "run-repeat"), (small / RECORD, "elsewhere"), ("run", "third")):
        answer = shell("train", "--repeat", run, "--quiet", *(() if out == "run-repeat" else ("--out", out)))
        assert (answer.code, answer.err) == (0, "")
        digest = record_of(small)["result"]["parameters_sha256"]
        said = f"repeat   bit-identical to the earlier run, SHA-256 of the parameters {digest}"
        assert answer.out.splitlines()[-1] == said
        assert (tmp_path / out / MODEL).read_bytes() == (small / MODEL).read_bytes()
        assert record_of(tmp_path / out) == record_of(small)
    monkeypatch.chdir(small)
    assert shell("train", "--repeat", ".", "--quiet").code == 0
    assert (tmp_path / "run-repeat" / MODEL).is_file()


def test_a_table_that_was_moved_is_named_anew(shell, refuses, small: Path, tmp_path: Path) -> None:
    (tmp_path / "flowers.csv").rename(tmp_path / "moved.csv")
    assert "flowers.csv, got no such file" in refuses("train", "--repeat", small)
    answer = shell("train", tmp_path / "moved.csv", "--repeat", small, "--quiet")
    assert "bit-identical to" in answer.out


def test_a_repetition_that_should_be_bit_identical_and_is_not_fails(shell, small: Path) -> None:
    change_record(small, result=record_of(small)["result"] | {"parameters_sha256": "0" * 64})
    answer = shell("train", "--repeat", small, "--quiet")
    assert answer.code == 1
    assert "repeat   not bit-identical, SHA-256 of the parameters " in answer.out


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"chainrule": "0.0.9"}, f"chainrule 0.0.9 → {cr.__version__}"),
        ({"packages": {"numpy": "1.26.4"}}, f"NumPy 1.26.4 → {np.__version__}"),
        ({"kernels": {"in_use": "fused", "instructions": "NEON"}}, "kernels fused NEON → "),
        ({"processor": {"name": "x", "instructions": "ancient"}}, "processor ancient → "),
        ({"python": "3.11.7 on win32 AMD64"}, "system win32 AMD64 → "),
        ({"blas": [{"library": "mkl", "version": "2024"}]}, "BLAS mkl 2024 → "),
    ],
    ids=str,
)
def test_what_forbids_equal_bits_is_told_before(shell, small: Path, change: dict[str, Any], says: str) -> None:
    change_record(small, machine=record_of(small)["machine"] | change)
    answer = shell("train", "--repeat", small, "--quiet")
    assert answer.code == 0
    assert answer.err.startswith("note: ")
    assert says in answer.err
    assert answer.err.endswith(": results will agree closely, but not to the bit\n")


def test_neither_python_nor_the_order_of_the_libraries_nor_their_threads_count() -> None:
    now = runs.this_machine()
    mine = next((library for library in now["blas"] if "numpy" in library.get("of", "")), now["blas"][0])
    scipys = {"library": "openblas", "version": "0", "architecture": "Zen", "threads": 7, "of": "scipy.libs"}
    python = "3.99.0 on" + now["python"].partition(" on")[2]
    then = now | {"blas": [scipys, mine | {"of": "numpy.libs", "threads": 5}], "python": python}
    assert list(runs.differences(then, now)) == []


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_threads_count_where_no_plan_takes_the_steps(optimizer: str) -> None:
    now = runs.this_machine()
    then = now | {"threads": now["threads"] | {"available": 77}}
    by_plan = optimizer == "adamw" and now["kernels"]["in_use"] == "fused"
    counted = [] if by_plan else [f"threads 77 → {now['threads']['available']}"]
    assert list(runs.differences(then, now, recipe.Recipe(optimizer=optimizer))) == counted


def test_an_equal_file_is_enough_where_its_numbers_are_rounded_otherwise(shell, refuses, small: Path) -> None:
    """Another NumPy may standardise to other last bits; but a run is only gone on with on the very numbers."""
    change_record(small, data=record_of(small)["data"] | {"sha256": "0" * 64})
    assert shell("train", "--repeat", small, "--quiet").code == 0
    change_record(small, result=None)
    assert "expects the data of the run in" in refuses("train", "--resume", small, "--quiet")


# --- what is refused ---


def test_other_data_are_refused(refuses, small: Path, tmp_path: Path) -> None:
    table = tmp_path / "flowers.csv"
    table.write_text(table.read_text(encoding="utf-8")[::-1].replace("1", "2", 1)[::-1])
    assert "expects the data of the run in" in refuses("train", "--repeat", small)
    assert not (tmp_path / "run-repeat" / RECORD).exists()
    change_record(small, result=None)
    before = record_of(small)
    assert "bring them back, or begin another run" in refuses("train", "--resume", small)
    assert record_of(small) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--resume", "{run}", "--repeat", "{run}"], "not allowed with argument"),
        (["--resume", "{run}/none"], "expects a record of a run at {run}/none, got No such file"),
        (["--resume", "{run}/model.safetensors"], "to be the record of a run, got something else"),
        (["--repeat", "{run}", "--epochs", "5"], "settings of the run in {run}, --epochs 4, got 5; omit --epochs, or"),
        (["--repeat", "{run}", "--hidden", "none"], "--hidden 8, got none; omit --hidden"),
        (["--repeat", "{run}", "--test-fraction", "0.5"], "--test-fraction 0.2, got 0.5; omit --test-fraction"),
        (["--repeat", "{run}", "--out", "{run}"], "a folder other than that of the run, got --out {run}"),
        (["--repeat", "{run}", "--header"], "--header None, got True; omit --header"),
    ],
)
def test_words_that_do_not_fit_are_refused(refuses, small: Path, words: list[str], says: str) -> None:
    assert says.format(run=small) in refuses("train", *(word.format(run=small) for word in words))


def test_the_very_settings_may_be_given_again(shell, small: Path) -> None:
    assert shell("train", "--repeat", small, *QUICK, "--seed", 0, "--test-fraction", 0.2).code == 0


def test_an_unfinished_run_is_not_repeated(refuses, small: Path) -> None:
    for result in (None, record_of(small)["result"] | {"interrupted": True}):
        change_record(small, result=result)
        assert "resume it first: chainrule train --resume" in refuses("train", "--repeat", small)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "to be the record of a run"),
        ("[]", "to be the record of a run"),
        ("[" * 100_000, "to be the record of a run"),
        ('{"format": 1}', "to be the record of a run"),
        ('{"format": 1, "settings": {}, "data": {}, "machine": {}}', "to be the record of a run"),
        ('{"format": 2}', "to be a record of format 1, got format 2"),
    ],
)
def test_what_is_no_record_is_refused(refuses, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / RECORD).write_text(text)
    assert says in refuses("train", "--resume", tmp_path)


def test_a_record_of_other_settings_is_refused(refuses, small: Path) -> None:
    change_record(small, settings=record_of(small)["settings"] | {"momentum": 1})
    assert "install the version that wrote it" in refuses("train", "--repeat", small)
