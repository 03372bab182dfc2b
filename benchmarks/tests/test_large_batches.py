"""The comparison of rules at large batches, on images of which a few epochs make sense of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import large_batches

from chainrule.data.named import NamedData


@pytest.fixture(autouse=True)
def _images(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """Ten patterns with noise, in MNIST's place."""
    patterns = rng.random((10, 784))
    y = rng.integers(0, 10, 700)
    x = (patterns[y] + 0.3 * rng.random((700, 784))).astype(np.float32)
    data = NamedData(x[:600], y[:600], x[600:], y[600:], tuple("0123456789"), (28, 28), "ten patterns")
    monkeypatch.setattr(large_batches, "load_named", lambda name: data)


def test_every_rule_is_trained_at_every_size_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "found.json"
    words = ["--sizes", "32,300", "--epochs", "8", "--seeds", "2", "--rows", "600", "--out", str(out)]
    large_batches.main(words)
    found = json.loads(out.read_text(encoding="utf-8"))["fits"]
    assert [(one["rule"], one["size"]) for one in found] == [(r, s) for r in large_batches.RULES for s in (32, 300)]
    assert all(len(one["accuracy"]) == 2 for one in found)
    assert max(one["accuracy"][0] for one in found) > 0.9
    said = capsys.readouterr().out
    assert said.endswith(large_batches.table(found) + "\n")


def test_rates_grow_with_the_batch() -> None:
    assert large_batches.RULES["sgd"].rate_at(1280) == pytest.approx(10 * large_batches.RULES["sgd"].rate)
    assert large_batches.RULES["adam"].rate_at(12_800) == pytest.approx(10 * large_batches.RULES["adam"].rate)


def test_the_table_has_the_best_rate_and_says_what_diverged() -> None:
    def one(size: int, *accuracy: Any) -> dict[str, Any]:
        return {"rule": "sgd", "size": size, "accuracy": accuracy}

    lines = large_batches.table([one(128, 0.98, 0.97), one(128, 0.99, 0.98), one(128, None, 0.5), one(512, None)])
    assert lines.splitlines()[2:] == ["| 128 | 98.50 % |", "| 512 | diverges |"]
