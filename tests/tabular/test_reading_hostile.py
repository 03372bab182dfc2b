"""Hostile files: each is read and encoded, or refused in one sentence, in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openpyxl", reason="openpyxl is not installed")
pytest.importorskip("resource", reason="memory cannot be limited here")

from .hostile_tables import EACH, FAMILIES

PROGRAM = Path(__file__).with_name("hostile_tables.py")
MOST = 900  # megabytes of memory, of which half a gigabyte is what one of the files honestly holds
REFUSALS = {"ValueError", "UnknownColumnError"}
WHO = ("read_table expects ", "understand expects ", "TableEncoder expects ")


def check(chosen: list[int]) -> None:
    done = subprocess.run([sys.executable, str(PROGRAM), *map(str, chosen)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(FAMILIES) * len(chosen)
    for name, outcome, message, _ in lines:
        assert outcome in REFUSALS | {"read"}, (name, outcome, message)
        assert "\n" not in message
        assert message.isprintable()
        assert outcome == "read" or (message.startswith(WHO) and message.endswith(".")), (name, message)
    assert max(peak for *_, peak in lines) < MOST


def test_some_hostile_files_of_each_family() -> None:
    check([2, 9])


@pytest.mark.slow
def test_all_hostile_files() -> None:
    assert len(FAMILIES) * EACH >= 200
    check(list(range(EACH)))
