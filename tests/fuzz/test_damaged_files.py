"""Five thousand damaged files of all kinds: refused in one printable sentence, or read right, in little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("h5py")
pytest.importorskip("pyarrow")
pytest.importorskip("sklearn")

from . import damaged

SAMPLE, MANY = 5, 360  # cases of each kind


def check(name: str, count: int, seed: int, log: Path) -> None:
    """In a process of its own, so that a crash is seen."""
    command = [sys.executable, "-W", "error", damaged.__file__, name, "0", str(count), str(seed), str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"{log.read_text(encoding='utf-8') if log.exists() else 'at first'}: {done.stderr[-2000:]}"
    )
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["refused"] + found["read"] == count * (len(damaged.KINDS) if name == "all" else 1)
    assert found["refused"] > 0


def test_a_damaged_file_is_refused_in_a_sentence_or_read_right(fuzz_seed: int, tmp_path: Path) -> None:
    check("all", SAMPLE, fuzz_seed, tmp_path / "log")


@pytest.mark.slow
@pytest.mark.parametrize("name", damaged.KINDS)
def test_many_damaged_files_are_refused_or_read_right(name: str, fuzz_seed: int, tmp_path: Path) -> None:
    check(name, MANY, fuzz_seed, tmp_path / "log")
