"""A stream trains, is validated and evaluated in less memory than its rows need."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.training import streaming

SCRIPT = """
import re, resource, sys
import numpy as np
import chainrule as cr
from chainrule.training import streaming

ROWS, COLUMNS, ROOM = 500_000, 50, 48 * 2**20  # 100 MB in 48 MB
folder = sys.argv[1]
for name, shape, kind in (("x", (ROWS, COLUMNS), np.float32), ("y", (ROWS,), np.int8)):
    np.lib.format.open_memmap(f"{folder}/{name}.npy", "w+", kind, shape).flush()  # zeros, which take no disk
streaming.WINDOW_BYTES = 4 * 2**20


def train(*data, **arguments):
    trainer = cr.Trainer(cr.MLP([COLUMNS, 4, 2], rng=0), "cross_entropy", batch_size=1000, metrics=["accuracy"])
    return trainer.fit(*data, verbose=0, epochs=1, **arguments), trainer


small = cr.data.stream(np.zeros((2000, COLUMNS), "f4"), np.zeros(2000, "i1"))
train(small, validation=small)[1].evaluate(small)  # whatever is loaded late and the buffers of threads
status = open("/proc/self/status").read()
used = int(re.search(r"VmData:\\s+(\\d+) kB", status)[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + ROOM, used + ROOM))
try:
    np.load(f"{folder}/x.npy")
    print("the limit is none")
except MemoryError:
    print("limited")
source = cr.data.stream(f"{folder}/x.npy", f"{folder}/y.npy")
history, trainer = train(source, validation=source)
print(len(history), trainer.step, trainer.evaluate(source)["accuracy"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory that maps do not count to")
def test_less_memory_than_the_rows(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    large = {"MALLOC_MMAP_THRESHOLD_": "1000000"}  # as windows of the usual size, these are given back to the system
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | large)
    assert found.stderr == ""
    assert found.stdout.splitlines() == ["limited", "1 500 1.0"]


def test_a_window_is_let_go_when_the_next_one_trains(monkeypatch):
    """Without the help of the garbage collector, which comes late."""
    alive: list[weakref.ref[np.ndarray]] = []
    counts: list[int] = []
    joined = streaming.joined

    def noted(*arguments: Any) -> list[np.ndarray]:
        arrays = joined(*arguments)
        if len(arrays[1]) > streaming.PROBE:
            alive.append(weakref.ref(arrays[0]))
            counts.append(sum(one() is not None for one in alive))
        return arrays

    monkeypatch.setattr(streaming, "joined", noted)
    monkeypatch.setattr(streaming, "WINDOW_BYTES", 16_000)  # 1000 rows
    source = cr.data.stream(np.zeros((5000, 2), "f4"), np.zeros(5000, "i8"))
    trainer = cr.Trainer(cr.MLP([2, 2], rng=0), "cross_entropy", batch_size=100, metrics=["accuracy"])
    gc.collect()
    gc.disable()
    try:
        trainer.fit(source, epochs=2, verbose=0)
        assert (len(counts), max(counts)) == (10, 2)
        trainer.fit(source, validation=source, epochs=1, verbose=0)
        assert sum(one() is not None for one in alive) == 0
    finally:
        gc.enable()
