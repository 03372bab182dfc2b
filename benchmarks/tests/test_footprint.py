"""Import, size and memory: orders of magnitude that must hold."""

from __future__ import annotations

import time

import pytest
from benchmarks import footprint
from benchmarks.peers import FLOOR


def test_the_import_is_timed_in_fresh_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "IMPORTS", {"numpy": "numpy", "absent": "no_such_module"})
    start = time.perf_counter()
    found = footprint.measure_import(rounds=1)
    elapsed = time.perf_counter() - start
    assert list(found["peers"]) == ["numpy"]
    assert 0 < found["seconds"] < elapsed
    assert len(found["peers"]["numpy"]["rounds"]["ours"]) == 1  # the first, which fills caches, does not count


def test_sizes_are_of_what_is_installed() -> None:
    sizes = footprint.measure_size()
    assert 100_000 < sizes["wheel"] < sizes["ours"] < sizes["numpy"]


def test_memory_is_that_of_a_process_of_its_own() -> None:
    """The floor's process holds NumPy and little more, whatever this one holds."""
    ballast = bytearray(200_000_000)
    peaks = footprint.measure_memory([FLOOR])
    assert list(peaks) == ["ours", "floor"]
    assert 10_000_000 < peaks["floor"] < len(ballast)
    assert footprint.peak() > len(ballast)


def test_a_script_that_fails_says_why() -> None:
    with pytest.raises(OSError, match="No module named 'no_such_module'"):
        footprint._python("import no_such_module")
