"""Ten thousand damaged model files: refused in one sentence, in little work and memory; and nothing in them is run."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import model_mutations


def mutated(first: int, last: int) -> dict[str, Any]:
    """In a process of its own, so that a crash is seen."""
    command = [sys.executable, "-W", "error", model_mutations.__file__, str(first), str(last)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check(found: dict[str, Any], count: int) -> None:
    assert found["wrong"] == []
    assert found["executed"] == []
    assert found["refused"] + found["loaded"] == count
    assert found["refused"] > 0.7 * count
    assert found["loaded"] > 0.02 * count  # the mutations reach behind the digest
    assert found["peak"] < model_mutations.SPARE


def test_a_mutated_model_file_is_refused_or_whole() -> None:
    check(mutated(0, 300), 300)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_ten_thousand_mutated_model_files_are_refused_or_whole(part: int) -> None:
    check(mutated(1000 + 2500 * part, 3500 + 2500 * part), 2500)
