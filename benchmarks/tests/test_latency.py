"""One row wherever it runs: everyone answers as the model does, and who is not there is left out."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from benchmarks import latency
from benchmarks.grid import Row, make_model
from benchmarks.timing import Pace

SMALL = Row((6, 8, 3), 1)
QUICK = Pace(2, 1e-3)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "PAUSE", 0)


@pytest.mark.parametrize("name", latency.CONTESTANTS)
def test_each_row_has_an_answer_of_its_own_and_the_models(name: str, tmp_path: Path) -> None:
    if name.startswith("ONNX"):
        pytest.importorskip("onnx", reason="onnx is not installed")
        pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    if name.startswith("C,") and shutil.which("cc") is None:
        pytest.skip("no C compiler")
    model, rows = make_model(SMALL), np.random.default_rng(0).random((latency.ROWS, 6), np.float32)
    way = latency.CONTESTANTS[name](model, rows, tmp_path)
    tolerance = 0.1 if name.endswith("int8") else 1e-5
    np.testing.assert_allclose(way.outputs, model.predict(rows), rtol=0, atol=tolerance)
    assert len(np.unique(way.outputs, axis=0)) > latency.ROWS / 2
    start = time.perf_counter()
    assert 0 < way.seconds(10) < time.perf_counter() - start
    assert way.file > 0
    assert (way.program is None) != name.startswith("C,")


def test_longer_work_takes_longer(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    way = latency.c(make_model(SMALL), np.ones((latency.ROWS, 6), np.float32), tmp_path, "float32")
    undisturbed = min(way.seconds(100) for _ in range(20))
    assert way.seconds(1_000_000) > 100 * undisturbed  # so no call is left out by the compiler


def test_the_figures_of_a_round_are_side_by_side() -> None:
    said: list[str] = []

    def side(name: str, seconds: float) -> latency.Contestant:
        def taken(calls: int) -> float:
            said.append(name)
            return calls * seconds

        return latency.Contestant(np.zeros((1, 1)), taken, 1)

    sides = {"chainrule": side("chainrule", 1e-6), "C, int8": side("C, int8", 3e-6)}
    pairs = latency.in_turn(sides, Pace(3, 1e-3))
    assert said[4:] == ["chainrule", "C, int8", "C, int8", "chainrule", "chainrule", "C, int8"]
    assert pairs["C, int8"].ratios == pytest.approx([3, 3, 3])


def test_who_is_absent_is_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = json.loads(json.dumps(latency.measure(QUICK, SMALL)))
    assert found["row"] == "6-8-3"
    assert list(found["peers"]) == ["chainrule"]
    assert found["peers"]["chainrule"]["difference"] == 0
    assert found["left_out"] == {
        "ONNX Runtime, float32": "ONNX Runtime is not installed: pip install 'chainrule[onnx]'",
        "ONNX Runtime, int8": "ONNX Runtime is not installed: pip install 'chainrule[onnx]'",
        "C, float32": "no C compiler is installed",
        "C, int8": "no C compiler is installed",
    }


def test_a_compiler_that_fails_is_left_out_and_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    monkeypatch.setattr(latency, "PROGRAM", "#error too old\n")
    with pytest.raises(latency.NotOffered, match=r"it does not compile: main\.c.*too old"):
        latency.c(make_model(SMALL), np.ones((latency.ROWS, 6), np.float32), tmp_path, "float32")


def test_one_row_and_its_figures() -> None:
    found = latency.measure(QUICK, SMALL)
    assert found["peers"]["chainrule"]["seconds"] > 0
    assert set(found["peers"]) | set(found["left_out"]) == set(latency.CONTESTANTS)
    assert all(way["difference"] < 0.1 for way in found["peers"].values())
