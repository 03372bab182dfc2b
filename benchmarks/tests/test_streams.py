"""Data are made and trained on in a limited process, and pairs of trainings are compared."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from benchmarks import streams


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_speed_and_memory_of_each_format(tmp_path, capfd):
    pytest.importorskip("pyarrow")
    streams.main(["speed", "--gigabytes", "0.001", "--folder", str(tmp_path)])
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["npy", "parquet"]
    assert all("4,807 rows" in line and "anonymous memory" in line for line in lines)


def test_shuffling_is_compared_on_sorted_rows(monkeypatch, capsys):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3)).astype(np.float32)
    y = np.sort(rng.integers(0, 2, 400))
    monkeypatch.setattr(streams, "sorted_set", lambda name: (x, y, x, y))
    monkeypatch.setattr(streams.streaming, "WINDOW_BYTES", 1)
    streams.main(["shuffle", "--sets", "letter", "--seeds", "2", "--epochs", "1", "--groups", "8"])
    assert "blocks " in capsys.readouterr().out
