"""Fits of the estimators: paired, of the same data and seeds, with scores; data sets that are absent are left out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from benchmarks import estimators, markdown, report
from benchmarks.estimators import Task, measure


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that fits alone move: ours takes a second for each epoch, theirs three."""
    now = [0.0]
    make = Task.estimator

    def slow(task: Task, side: str, seed: int, epochs: int) -> Any:
        estimator = make(task, side, seed, epochs)
        fit = estimator.fit

        def later(x: Any, y: Any) -> Any:
            now[0] += epochs * (1.0 if side == "ours" else 3.0)
            return fit(x, y)

        estimator.fit = later
        return estimator

    monkeypatch.setattr(Task, "estimator", slow)
    monkeypatch.setattr(estimators, "time", SimpleNamespace(perf_counter=lambda: now[0], sleep=lambda pause: None))


@pytest.fixture
def tiny(rng: np.random.Generator) -> Task:
    """Three clouds."""
    y = rng.integers(0, 3, 90)
    x = rng.normal(size=(90, 4)) + 2 * np.eye(3, 4)[y]
    return Task("tiny", x[:60], y[:60], x[60:], y[60:], (8,))


def regression(task: Task) -> Task:
    return Task("line", task.x, task.x[:, 0], task.x_test, task.x_test[:, 0], (8, 5))


def test_both_fit_in_turn_and_score_alike(tiny: Task, clock: None) -> None:
    found = measure(tiny, range(3), epochs=4)
    assert found["row"] == "tiny 4-8-3"
    assert found["seconds"] == 4.0
    peer = found["peers"]["scikit_learn"]
    assert (peer["ratio"], peer["min"], peer["max"], peer["rounds"]["ours"]) == (3.0, 3.0, 3.0, [4.0] * 3)
    assert found["score"] == "accuracy"
    assert found["scores"]["ours"] == found["scores"]["theirs"]
    assert len(set(found["scores"]["ours"])) > 1  # other seeds, other networks


def test_numbers_are_predicted_by_the_regressors(tiny: Task, clock: None) -> None:
    found = measure(regression(tiny), [0], epochs=2)
    assert (found["row"], found["score"]) == ("line 4-8-5-1", "R²")
    np.testing.assert_allclose(found["scores"]["ours"], found["scores"]["theirs"])


def test_who_trains_something_else_is_left_out(tiny: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Task.estimator
    monkeypatch.setattr(
        Task, "estimator", lambda task, side, *rest: make(task, side, *rest).set_params(alpha=len(side))
    )
    found = measure(tiny, [0])
    assert found["peers"] == {}
    assert found["left_out"]["scikit_learn"].startswith("not comparable: after an epoch its loss is ")
    assert "not comparable" in report.fit_lines(found)


def test_the_lines_and_the_table(tiny: Task, clock: None) -> None:
    rows = [measure(task, range(2), epochs=3) for task in (tiny, regression(tiny))]
    rows[0]["scores"] = {"ours": [0.9, 0.7], "theirs": [0.8, 0.8]}
    assert report.fit_lines(rows[0]).splitlines() == [
        "tiny 4-8-3: 3 s a fit",
        "    scikit-learn           3.00×  (3.00 to 3.00)     9 s",
        "    test accuracy 0.8000 ± 0.1414, theirs 0.8000 ± 0.0000",
    ]
    table = markdown.fit_table(rows).splitlines()
    assert table[2] == "| tiny 4-8-3 | 3 s | 9 s | 3.00× (3.00–3.00) | accuracy 0.8000 ± 0.1414 | 0.8000 ± 0.0000 |"
    assert table[-1] == "| **geometric mean of all rows** |  |  | **3.00×** |  |  |"
    assert len(table) == 5


def test_the_digits_are_always_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path))
    found = {name: list(estimators.tasks(name)) for name in estimators.DATA}
    assert Counter({name: len(tasks) for name, tasks in found.items()}) == Counter(digits=2)
    assert [task.row for task in found["digits"]] == ["digits 64-100-10", "digits 64-256-128-10"]
    assert found["digits"][0].x.dtype == np.float64
    monkeypatch.delenv("CHAINRULE_DATA")
    assert not list(estimators.tasks("adult"))


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("mnist", [f"mnist 784-{sizes}" for sizes in ("100-10", "256-128-10", "256-128-10+float32")]),
        ("adult", ["adult 107-100-1", "adult 107-256-128-1"]),
        ("california-housing", ["california-housing 13-100-1", "california-housing 13-256-128-1"]),
        ("diamonds", ["diamonds 26-100-1", "diamonds 26-256-128-1"]),
    ],
)
def test_real_data(name: str, rows: list[str], data_dir: Path) -> None:
    if not (data_dir / name).is_dir():
        pytest.skip(f"the folder named by CHAINRULE_DATA holds no {name}")
    tasks = list(estimators.tasks(name))
    assert [task.row for task in tasks] == rows
    assert {task.x.dtype.name for task in tasks[:2]} == {"float64"}
    for array in (tasks[0].x, tasks[0].y):
        assert np.isfinite(array).all()
    assert len(tasks[0].x) > len(tasks[0].x_test) or name == "mnist"


def test_a_row_with_an_empty_cell_is_left_out_and_blanks_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "trees.csv"
    path.write_text("height,kind\n3.5, oak\n,fir\n\n20,?\n", encoding="utf-8")
    assert estimators.read(path) == {"height": [3.5, 20.0], "kind": ["oak", "?"]}
    assert list(estimators.read(path, ["a", "b"])) == ["a", "b"]
