"""Whatever happens to a checkpoint or to the disk beneath: one sentence, the checkpoint before it whole, no debris."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import mutations
from chainrule._support import files
from chainrule.ops import fused
from chainrule.training.checkpoint import read_checkpoint, write_checkpoint

X, Y = np.random.default_rng(0).normal(size=(100, 6)), np.arange(100) % 3


# --- damaged files ---


def mutated(folder: Path, first: int, last: int) -> dict[str, Any]:
    command = [sys.executable, "-W", "error", mutations.__file__, str(folder), str(first), str(last)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check(found: dict[str, Any], count: int) -> None:
    assert found["wrong"] == []
    assert found["refused"] + found["right"] == count
    assert found["refused"] > 0.8 * count
    assert found["peak"] < found["size"] + (2 << 20)


def test_a_mutated_checkpoint_is_refused_or_read_right(tmp_path: Path) -> None:
    check(mutated(tmp_path, 0, 120), 120)


@pytest.mark.slow
def test_a_thousand_mutated_checkpoints_are_refused_or_read_right(tmp_path: Path) -> None:
    check(mutated(tmp_path, 1000, 2000), 1000)


def test_a_file_is_read_and_checked_in_little_more_memory_than_its_size(tmp_path: Path) -> None:
    arrays = {"a": np.ones(2_000_000), "b": np.ones(100_000)}
    path = tmp_path / "large"
    tracemalloc.start()
    try:
        files.write_arrays("save", path, arrays, {files.DIGEST: files.digest(arrays, {})})
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        held = files.read_arrays("load", path)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert held[0]["a"][-1] == 1
    assert peak < path.stat().st_size + (2 << 20)


def trainer(folder: Path | None, **arguments: Any) -> cr.Trainer:
    callbacks = [] if folder is None else [cr.callbacks.Checkpoint(folder, **arguments)]
    return cr.Trainer(cr.MLP([6, 200, 3], rng=0), "cross_entropy", "adam", 16, callbacks=callbacks, rng=1)


def fit(one: cr.Trainer, epochs: int) -> cr.Trainer:
    one.fit(X, Y, epochs=epochs, verbose=0)
    return one


def of_another_kind(path: Path, kind: str) -> None:
    """In the place of a checkpoint."""
    whole = path.read_bytes()
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "foreign":
        cr.save(cr.MLP([1, 1], rng=0), path)
    else:
        path.write_bytes({"empty": b"", "truncated": whole[:-1], "text": b"not a checkpoint\n"}[kind])


@pytest.mark.parametrize("kind", ["empty", "truncated", "text", "foreign", "folder"])
def test_what_lies_in_the_place_of_the_newest_does_not_hide_the_one_before(tmp_path: Path, kind: str) -> None:
    fit(trainer(tmp_path), 2)
    older, newer = sorted(tmp_path.iterdir())
    of_another_kind(newer, kind)
    with pytest.raises((ValueError, OSError), match=r"^resume expects .*\.$"):
        trainer(tmp_path).resume(newer)
    one = trainer(tmp_path)
    if kind == "folder":
        one.resume(tmp_path)
    else:
        with pytest.warns(UserWarning, match=r"The one before it is taken\.$"):
            one.resume(tmp_path)
    assert int(one.optimizer.state["step"]) == 7
    older.unlink()
    with pytest.raises((ValueError, OSError), match=r"^resume expects .*\.$"):
        trainer(tmp_path).resume(tmp_path)


def test_a_folder_of_the_name_of_a_checkpoint_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "step-00000001.safetensors"
    folder.mkdir()
    fit(trainer(tmp_path, keep=1), 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, "step-00000021.safetensors"]
    (tmp_path / "step-00000028.safetensors").mkdir()
    with pytest.raises(IsADirectoryError, match=r"^Checkpoint expects to write .*-00000028.safetensors, got Is a dir"):
        fit(trainer(tmp_path).resume(tmp_path), 4)


# --- the disk ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 KB, which takes root to mount."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if sys.platform != "linux" or mount is None:
        pytest.skip("there is no mount for a small disk here")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)], check=False)
    if done.returncode:
        pytest.skip("a small disk cannot be mounted without root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def whole_checkpoints(folder: Path) -> list[Path]:
    """All files in the folder, each of which must be a whole checkpoint."""
    found = sorted(folder.iterdir())
    for path in found:
        trainer(None).resume(path)
    return found


def test_a_full_disk_is_told_and_leaves_the_checkpoints_that_are_there(small_disk: Path) -> None:
    with pytest.raises(
        OSError, match=r"^Checkpoint expects to write .*No space left on device.*; choose a folder that"
    ):
        fit(trainer(small_disk, keep=9), 20)
    found = whole_checkpoints(small_disk)
    assert len(found) >= 2
    shutil.copytree(small_disk, small_disk.parent / "roomy")
    again = fit(trainer(small_disk.parent / "roomy").resume(small_disk.parent / "roomy"), 20)
    np.testing.assert_array_equal(again.model.parameters.vector, fit(trainer(None), 20).model.parameters.vector)


def test_the_command_on_a_full_disk_says_one_sentence(small_disk: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b\n" + "".join(f"{row % 7}.5,{'xy'[row % 2]}\n" for row in range(60)))
    (small_disk / "filler").write_bytes(bytes(100 << 10))
    command = [sys.executable, "-m", "chainrule", "train", str(table), "--quiet", "--epochs", "3"]
    done = subprocess.run([*command, "--out", str(small_disk / "run")], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.fullmatch(r"chainrule: error: \w+ expects to write .*No space left on device.*\n", done.stderr)
    assert [path.name for path in (small_disk / "run").rglob("*") if path.is_file()] == ["run.json"]


LIMITED = """
    import resource, sys
    import numpy as np, chainrule as cr
    folder = sys.argv[1]
    x, y = np.random.default_rng(0).normal(size=(100, 6)), np.arange(100) % 3
    def trainer():
        callbacks = [cr.callbacks.Checkpoint(folder)]
        return cr.Trainer(cr.MLP([6, 200, 3], rng=0), "cross_entropy", "adam", 16, callbacks=callbacks, rng=1)
    trainer().fit(x, y, epochs=1, verbose=0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        trainer().resume(folder).fit(x, y, epochs=3, verbose=0)
    except OSError as error:
        print(error)
"""


def test_a_file_that_may_not_grow_is_reported_and_the_earlier_one_stays(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(LIMITED), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"Checkpoint expects to write .*File too large.*\.\n", done.stdout)
    assert [path.name for path in whole_checkpoints(tmp_path)] == ["step-00000007.safetensors"]


def test_a_folder_that_is_a_file_is_told_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    one = trainer(tmp_path / "file")
    with pytest.raises(
        FileExistsError, match=r"^Checkpoint expects .*file to be a folder that it can write to, got a f"
    ):
        fit(one, 1)
    with pytest.raises(NotADirectoryError, match=r"^Checkpoint expects .*inner to be a folder that it can write to"):
        fit(trainer(tmp_path / "file" / "inner"), 1)
    assert int(one.optimizer.state.get("step", 0)) == 0


def test_a_folder_that_takes_no_files_is_told_before_the_training(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(
        OSError, match=r"^Checkpoint expects .* to be a folder that it can write to, got Read-only file"
    ):
        fit(trainer(small_disk), 1)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write_is_told_before_the_training(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(
        PermissionError, match=r"^Checkpoint expects .* to be a folder that it can write to, got Permis"
    ):
        fit(trainer(tmp_path), 1)


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    for name in (".step-00000001.safetensors.0123abcd", ".best.safetensors.0123abcd"):
        (tmp_path / name).touch()
    (tmp_path / ".mine.safetensors.0123abcd").touch()
    fit(trainer(tmp_path), 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".mine.safetensors.0123abcd",
        "step-00000007.safetensors",
    ]


FORGERIES = {
    "an order beyond the rows": lambda arrays, facts: arrays["epoch/order"].__setitem__(0, 10**9),
    "a negative order": lambda arrays, facts: arrays["epoch/order"].__setitem__(0, -(10**9)),
    "an order of numbers": lambda arrays, facts: arrays.update({"epoch/order": np.full(64, 0.5)}),
    "a short order": lambda arrays, facts: arrays.update({"epoch/order": arrays["epoch/order"][:10]}),
    "no rows": lambda arrays, facts: arrays.update({"epoch/order": arrays["epoch/order"][:0]}),
    "steps beyond the epoch": lambda arrays, facts: facts["current"].update(done=10**6),
    "steps before it": lambda arrays, facts: facts["current"].update(done=-3),
    "steps in words": lambda arrays, facts: facts["current"].update(done="two"),
    "no steps": lambda arrays, facts: facts["current"].pop("done"),
    "an epoch in words": lambda arrays, facts: facts.update(current="half"),
    "few keys": lambda arrays, facts: forge_keys(arrays, facts, np.zeros((1, 1), np.uint64)),
    "keys of another kind": lambda arrays, facts: forge_keys(arrays, facts, np.zeros((4, 1), "i1")),
    "no keys": lambda arrays, facts: facts["current"].update(keys={"$array": "epoch/keys"}),
    "keys in words": lambda arrays, facts: facts["current"].update(keys="many"),
    "small outputs": lambda arrays, facts: arrays.update({"epoch/outputs/0": np.zeros((64, 1), "f4")}),
    "double outputs": lambda arrays, facts: arrays.update({"epoch/outputs/0": np.zeros((64, 2))}),
    "few outputs": lambda arrays, facts: arrays.update({"epoch/outputs/0": np.zeros((1, 2), "f4")}),
    "outputs in words": lambda arrays, facts: facts["current"].update(outputs="many"),
    "no losses": lambda arrays, facts: arrays.pop("epoch/records"),
    "flat losses": lambda arrays, facts: arrays.update({"epoch/records": np.zeros(3)}),
    "fewer losses": lambda arrays, facts: arrays.update({"epoch/records": np.zeros((1, 3))}),
    "short moments": lambda arrays, facts: arrays.update({"optimizer/mean": np.zeros(3, "f4")}),
    "no moments": lambda arrays, facts: arrays.pop("optimizer/mean"),
    "parameters of another shape": lambda arrays, facts: arrays.update({"model/parameters": np.zeros(3, "f4")}),
    "no generators": lambda arrays, facts: facts.pop("generators"),
    "other generators": lambda arrays, facts: facts.update(generators=[{"bit_generator": "MT19937"}] * 2),
    "words for generators": lambda arrays, facts: facts.update(generators_at_first="PCG64"),
    "a record of words": lambda arrays, facts: facts["history"]["columns"].append(["loss", ["low"], None]),
    "no record": lambda arrays, facts: facts.update(history=None),
    "a record of a billion rows": lambda arrays, facts: facts["history"].update(count=10**9),
    "a record of others": lambda arrays, facts: facts["history"].update(count=3),
    "schedules that are not there": lambda arrays, facts: facts.update(schedules={"rate": {}}),
    "a schedule of the number": lambda arrays, facts: facts.update(schedules={"learning_rate": {"best": 1.0}}),
    "a hook in numbers": lambda arrays, facts: facts.update(told="all"),
    "seconds in words": lambda arrays, facts: facts.update(seconds="few"),
    "callbacks of another kind": lambda arrays, facts: facts.update(callbacks=[["WeightAverage", None]]),
    "no callbacks": lambda arrays, facts: facts.pop("callbacks"),
    "epochs in words": lambda arrays, facts: facts.update(epoch="three"),
}


def forge_keys(arrays: dict[str, Any], facts: dict[str, Any], keys: np.ndarray) -> None:
    """As if they had been drawn in advance, as in format 1."""
    arrays["epoch/keys"] = keys
    facts["current"]["keys"] = {"$array": "epoch/keys"}


def half_trained(folder, limit=None):
    """A trainer whose checkpoint is of the midst of an epoch; with dropout, metrics and an average."""

    class PowerFailure(cr.Callback):
        def on_pause(self, trainer):
            if trainer.step == limit:
                raise MemoryError

    callbacks = [cr.callbacks.Checkpoint(folder, seconds=1e-9), cr.callbacks.WeightAverage(0.9), PowerFailure()]
    model = cr.MLP([3, 4, 2], dropout=0.5, rng=0)
    return cr.Trainer(model, "cross_entropy", "adam", 16, metrics=["accuracy"], callbacks=callbacks)


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_checkpoint_whose_digest_is_right_is_refused_too(tmp_path, forge, monkeypatch, request):
    """Kernels would read and write where it says: it is held against the data and the network first."""
    monkeypatch.setattr("chainrule.training.compiled.CALL_SECONDS", 1e-9)
    x, y = np.random.default_rng(0).normal(size=(64, 3)), np.arange(64) % 2
    with pytest.raises(MemoryError):
        half_trained(tmp_path, limit=6).fit(x, y, epochs=3, verbose=0)
    path = tmp_path / "step-00000006.safetensors"
    arrays, facts = read_checkpoint("test", path)
    assert facts["current"]["done"] == 2
    half_trained(tmp_path / "other").resume(path).fit(x, y, epochs=3, verbose=0)  # as it is it does
    arrays = {name: array.copy() for name, array in arrays.items()}
    if "keys" in request.node.callspec.id and fused.KERNELS != "fused":
        pytest.skip("without kernels keys in advance are not used")
    forge(arrays, facts)
    write_checkpoint(path, arrays, facts)
    with pytest.raises(ValueError, match=r"^(resume|fit|Adam\S*) expects .*got "):
        half_trained(tmp_path / "other").resume(path).fit(x, y, epochs=3, verbose=0)
