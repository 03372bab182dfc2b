"""The record of a run, and its repetition bit for bit; what prevents it is reported."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import images, runs
from chainrule.cli.models import Facts
from cli.records import MODEL, RECORD, change_record, record_of

pytestmark = pytest.mark.usefixtures("without_pictures")
QUICK = ("--epochs", 4, "--quiet")


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
    said = {"source": "flowers.csv", "target": "kind", "task": "classification", "columns": ["length", "width", "kind"]}
    said |= {"test_fraction": 0.2, "seed": 0, "epochs": 4}
    assert record["settings"] == dict.fromkeys(runs.SETTINGS) | said
    assert record["data"]["rows"] == {"training": 96, "test": 24}
    assert record["data"]["columns"] == 2
    sums = subprocess.run([sys.executable, "-c", SHA256, "flowers.csv"], capture_output=True, text=True, check=True)
    assert record["data"]["file_sha256"] == sums.stdout.strip()
    config = cr.show_config(mode="dicts")
    assert config is not None
    for name in ("chainrule", "python", "kernels", "threads", "processor", "blas"):
        assert record["machine"][name] == config[name], name
    assert record["result"]["scores"] == cr.load("run/model.safetensors").model_.metadata["scores"]
    assert str(tmp_path) not in (tmp_path / "run" / RECORD).read_text(encoding="utf-8")
    assert not (tmp_path / "run" / "checkpoints").exists()


SHA256 = "import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())"


def test_the_fingerprint_is_of_every_number(shell, small: Path, tmp_path: Path) -> None:
    table = tmp_path / "flowers.csv"
    text = table.read_text(encoding="utf-8")
    for changed in (text.replace("\n", " \n", 1), text[::-1].replace("2", "3", 1)[::-1]):
        table.write_text(changed)
        shell("train", table, *QUICK, "--out", tmp_path / "other", "--force")
        other = record_of(tmp_path / "other")["data"]
        before = record_of(small)["data"]
        assert other["file_sha256"] != before["file_sha256"]
        same_numbers = changed.replace(" \n", "\n") == text
        assert (other["sha256"] == before["sha256"]) == same_numbers


def test_a_named_data_set_has_no_file(shell, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    shell("train", "digits", *QUICK, "--hidden", 8, "--out", tmp_path)
    record = record_of(tmp_path)
    assert record["data"]["file_sha256"] is None
    assert record["settings"]["target"] is None
    assert record["settings"]["dropout"] == images.IMAGE_DROPOUT


# --- repeating ---


def test_a_repetition_is_bit_identical(shell, small: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for run, out in ((small, "run-repeat"), (small / RECORD, "elsewhere"), ("run", "third")):
        answer = shell("train", "--repeat", run, "--quiet", *(() if out == "run-repeat" else ("--out", out)))
        assert answer.code == 0
        assert "to the bit" not in answer.err
        digest = record_of(small)["result"]["parameters_sha256"]
        said = f"repeat   bit-identical to the earlier run, SHA-256 of the parameters {digest}"
        assert answer.out.splitlines()[-1] == said
        assert (tmp_path / out / MODEL).read_bytes() == (small / MODEL).read_bytes()
        assert record_of(tmp_path / out) == record_of(small)
    monkeypatch.chdir(small)
    assert shell("train", "--repeat", ".", "--quiet", "--force").code == 0
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
    first = answer.err.splitlines()[0]
    assert first.startswith("note: ")
    assert says in first
    assert first.endswith(": results will agree closely, but not bit for bit")


def test_neither_python_nor_the_order_of_the_libraries_nor_their_threads_count() -> None:
    now = runs.this_machine()
    mine = next((library for library in now["blas"] if "numpy" in library.get("of", "")), now["blas"][0])
    scipys = {"library": "openblas", "version": "0", "architecture": "Zen", "threads": 7, "of": "scipy.libs"}
    python = "3.99.0 on" + now["python"].partition(" on")[2]
    then = now | {"blas": [scipys, mine | {"of": "numpy.libs", "threads": 5}], "python": python}
    assert list(runs.differences(then, now)) == []


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_threads_count_where_no_plan_takes_the_steps(optimizer: str) -> None:
    job = images.Images(Facts("", "", ()), images.Recipe(optimizer=optimizer), *[()] * 4)  # type: ignore[arg-type]
    now = runs.this_machine()
    then = now | {"threads": now["threads"] | {"available": 77}}
    by_plan = optimizer == "adamw" and now["kernels"]["in_use"] == "fused"
    counted = [] if by_plan else [f"threads 77 → {now['threads']['available']}"]
    assert list(runs.differences(then, now, counts_threads=job.counts_threads)) == counted


def test_an_equal_file_is_enough_where_its_numbers_are_rounded_otherwise(shell, refuses, small: Path) -> None:
    """Another NumPy may standardise to other last bits; but a run only resumes on the same numbers."""
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
    assert "restore them, or start another run" in refuses("train", "--resume", small)
    assert record_of(small) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--resume", "{run}", "--repeat", "{run}"], "not allowed with argument"),
        (["--resume", "{run}/none"], "expects a record of a run at {run}/none, got No such file"),
        (["--resume", "{run}/model.safetensors"], "to be the record of a run, got something else"),
        (["--repeat", "{run}", "--epochs", "5"], "settings of the run in {run}, --epochs 4, got 5; omit --epochs, or"),
        (["--repeat", "{run}", "--drop", "length"], "--drop None, got length; omit --drop"),
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
        ('{"format": 2}', "to be the record of a run"),
        ('{"format": 2, "settings": {}, "data": {}, "machine": {}}', "to be the record of a run"),
        ('{"format": 1}', "to be a record of format 2, got format 1"),
    ],
)
def test_what_is_no_record_is_refused(refuses, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / RECORD).write_text(text)
    assert says in refuses("train", "--resume", tmp_path)


def test_a_record_of_other_settings_is_refused(refuses, small: Path) -> None:
    change_record(small, settings=record_of(small)["settings"] | {"momentum": 1})
    assert "install the version that wrote it" in refuses("train", "--repeat", small)


# --- a finished run is not replaced ---


def test_a_finished_run_is_replaced_only_by_force(shell, refuses, small: Path, tmp_path: Path) -> None:
    command = ("train", tmp_path / "flowers.csv", *QUICK, "--seed", 1, "--out", small)
    before = (small / MODEL).read_bytes()
    said = refuses(*command)
    assert f"a folder without a finished run, got {small}; choose another with --out DIR, or replace it with" in said
    assert (small / MODEL).read_bytes() == before
    (small / RECORD).write_text("{}")  # of another version
    assert "replace it with --force" in refuses(*command)
    assert shell(*command, "--force").code == 0
    assert (small / MODEL).read_bytes() != before


def test_a_run_that_the_clock_ends_is_not_repeated_to_the_bit(shell, flowers: Path, tmp_path: Path) -> None:
    shell("train", flowers, *QUICK, "--time-limit", 60, "--out", tmp_path / "run")
    answer = shell("train", "--repeat", tmp_path / "run", "--quiet")
    assert answer.code == 0
    assert "note: --time-limit ends it by the clock: results will agree closely, but not bit for bit\n" in answer.err
