"""A table is learned from and predicted in less memory than its rows need."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from chainrule.ops.fused import KERNELS
from chainrule.tabular import streaming
from chainrule.tabular.encoding import TableEncoder
from chainrule.tabular.files import columnar
from chainrule.tabular.kinds import understand

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def test_memory_is_that_of_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WHOLE": 0, "ROWS": 600, "LEAST": 600}.items():
        monkeypatch.setattr(streaming, name, value)
    monkeypatch.setattr(columnar, "BLOCK", 10_000)
    rng, rows = np.random.default_rng(0), 400_000
    columns = {f"x{place}": rng.normal(size=rows) for place in range(4)} | {"y": rng.normal(size=rows)}
    parquet.write_table(arrow.table(columns), tmp_path / "t.parquet", use_dictionary=False)
    del columns
    before, most = arrow.total_allocated_bytes(), 0
    tracemalloc.start()
    stored = streaming.open_table(tmp_path / "t.parquet", "y")
    kinds = understand(stored.table, target="y")
    target = streaming.Target.of("test", stored, is_class=False)
    for x, _, _ in stored.encoded(TableEncoder().fit(stored.table, kinds), kinds, target, None, np.zeros(0, np.intp)):
        assert x.shape[1] == 4
        most = max(most, arrow.total_allocated_bytes() - before)
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4 << 20  # the table has 16 MB
    assert python < 8 << 20  # with what is loaded late


HANGS = 600  # seconds; only what never ends takes so long
LIMITED = pytest.mark.skipif(
    sys.platform != "linux" or KERNELS != "fused",
    reason="only Linux limits the memory that maps do not count to; plain NumPy allocates each result of a step",
)
SCRIPT = """
import re, resource, sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
import chainrule as cr
from chainrule.tabular import streaming
from chainrule.tabular.files import columnar
from chainrule.training import streaming as training

ROWS, COLUMNS, ROOM = 120_000, 100, int(sys.argv[2]) * 2**20
rows, path = np.arange(ROWS), sys.argv[1]
columns = {f"x{place}": (rows * (place + 3) % 101).astype(float) for place in range(COLUMNS)}
table = pa.table(columns | {"y": rows % 7.0})
pq.write_table(table, path + "/large.parquet", row_group_size=10_000)
pq.write_table(table.slice(0, 3000), path + "/small.parquet")
del columns, rows, table
streaming.WHOLE, streaming.ROWS, streaming.LEAST, columnar.BLOCK = 0, 2000, 2000, 5000
training.WINDOW_BYTES = 4 * 2**20


def train(file):
    settings = {"preset": "fast", "max_epochs": 1, "random_state": 0}
    model = cr.TabularRegressor(**settings).fit(f"{path}/{file}.parquet", "y")
    return len(model.predict(f"{path}/{file}.parquet"))


train("small")  # whatever is loaded late and the buffers of threads
used = int(re.search(r"VmData:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + ROOM, used + ROOM))
try:
    np.empty((ROWS, COLUMNS))
    print("the limit is none")
except MemoryError:
    print("limited")
print(train("large"))
"""


def run_in(room: int, folder: Path, threads: int) -> subprocess.CompletedProcess[str]:
    """Train in so many megabytes; the table has 96."""
    command = [sys.executable, "-c", SCRIPT, str(folder), str(room)]
    given_back = {"MALLOC_MMAP_THRESHOLD_": "1000000", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    given = os.environ | given_back | {"CHAINRULE_NUM_THREADS": str(threads)}  # each needs some 40 MB
    return subprocess.run(command, capture_output=True, text=True, check=False, env=given, timeout=HANGS)


@LIMITED
def test_less_memory_than_the_rows(tmp_path: Path) -> None:
    found = run_in(80, tmp_path, threads=1)
    assert found.stderr == ""
    assert found.stdout.splitlines() == ["limited", "120000"]


@LIMITED
@pytest.mark.slow
@pytest.mark.parametrize("room", [8, 20, 30, 40, 60])
def test_training_without_memory_ends(tmp_path: Path, room: int) -> None:
    """Also where a thread has no memory for its first call, after which Python's own would be waited for."""
    found = run_in(room, tmp_path, threads=2)
    assert found.stdout.splitlines()[-1] == "120000" or "MemoryError" in found.stderr.splitlines()[-1]
