"""A step as users meet it: every condition holds while it is measured and no longer, and peers are under it too."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from benchmarks import conditions, markdown, report
from benchmarks.conditions import Fit, OneThread, computing, measure
from benchmarks.grid import Row, make_problem
from benchmarks.peers import Peer
from benchmarks.peers.ours import Ours
from benchmarks.timing import Pace

TINY = Row((6, 8, 3), 16, steps=25)
QUICK = Pace(2, 1e-3)


class Same(Peer):
    """A peer that is ours."""

    def contestant(self, problem: Any) -> Ours:
        return Ours(problem)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.timing.PAUSE", 0)
    monkeypatch.setattr(conditions, "PAUSE", 0)
    monkeypatch.setattr(conditions, "AGE", 100)


@pytest.mark.usefixtures("quick")
def test_each_condition_has_its_figures() -> None:
    peers = [Same("pytorch", "PyTorch", ("numpy",)), Same("scikit_learn", "scikit-learn", ("numpy",))]
    found = json.loads(json.dumps(list(measure(TINY, peers, QUICK))))
    assert [each["condition"] for each in found] == ["after a pause", "busy", "aged"]
    pause, busy, aged = found
    assert list(pause["peers"]) == list(aged["peers"]) == ["pytorch"]
    assert list(busy["peers"]) == ["one_thread", "pytorch"]
    assert list(pause["against_quiet"]) == ["ours", "pytorch"]
    assert list(aged["against_quiet"]) == ["ours"]
    for each in found:
        assert each["seconds"] > 0
        assert f"{TINY.name}, {each['condition']}: " in report.condition_lines(each)
    table = markdown.condition_table(found).splitlines()
    assert table[0] == "| training step | ours | times quiet | ours, one thread | PyTorch's best |"
    assert [line.split(" | ")[0] for line in table[2:]] == [f"| 6-8-3 × 16, {each['condition']}" for each in found]


@pytest.mark.usefixtures("quick")
def test_without_a_peer_ours_alone_is_measured() -> None:
    found = list(measure(TINY, [], QUICK))
    assert all(each["seconds"] > 0 for each in found)
    assert found[0]["peers"] == {}


def test_a_fit_is_two_hundred_steps_or_twenty_long_ones() -> None:
    problem = make_problem(TINY)
    assert Fit(Ours(problem), TINY).passes * TINY.steps == 200
    assert Fit(Ours(problem), Row((6, 8, 3), 16, steps=10)).passes == 2


@dataclass
class Recorded:
    """A contestant that says when it was trained."""

    said: list[Any]
    name: str

    def train(self, passes: int) -> None:
        self.said.append((self.name, passes))


def test_the_pause_is_between_the_quiet_fit_and_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    monkeypatch.setattr(conditions.time, "sleep", said.append)
    sides = {"x": Fit(Recorded(said, "x"), TINY)}
    conditions.after_a_pause(Fit(Recorded(said, "ours"), TINY), sides, rounds=2)
    turn = {name: [conditions.PAUSE, (name, 8), (name, 8), conditions.BREAK, (name, 8)] for name in ("ours", "x")}
    assert said == turn["ours"] + turn["x"] + turn["x"] + turn["ours"]


def test_long_steps_age_ours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "LONGEST", 0.0)
    monkeypatch.setattr(conditions, "PAUSE", 0)
    said: list[Any] = []
    sides = {"x": Fit(Recorded(said, "x"), TINY)}
    found = conditions.aged(make_problem(TINY), Fit(Recorded(said, "ours"), TINY), sides, QUICK)
    assert ("ours", conditions.AGE // TINY.steps) in said
    assert found["peers"] == {}
    assert found["seconds"] > 0
    assert not [name for name, _ in said if name == "x"]


def test_the_busy_process_lives_as_long_as_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[subprocess.Popen[bytes]] = []

    class Kept(subprocess.Popen):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(conditions.subprocess, "Popen", Kept)
    with computing():
        assert made[0].poll() is None
    assert made[0].returncode is not None


def test_one_thread_is_for_its_own_fits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []
    problem = make_problem(TINY)
    contestant = OneThread(problem)
    monkeypatch.setattr(Ours, "train", lambda self, passes: seen.append(os.environ.get("CHAINRULE_NUM_THREADS")))
    for before in ("3", None):
        if before is None:
            monkeypatch.delenv("CHAINRULE_NUM_THREADS", raising=False)
        else:
            monkeypatch.setenv("CHAINRULE_NUM_THREADS", before)
        contestant.train(1)
        assert os.environ.get("CHAINRULE_NUM_THREADS") == before
    assert seen == ["1", "1"]


def test_the_command_measures_the_rows_that_it_is_given(shell, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fake(row: Row, peers: Any, pace: Pace) -> Any:
        asked.append(row.name)
        yield {"row": row.name, "condition": "busy", "seconds": 1e-3, "peers": {}, "left_out": {}}

    monkeypatch.setattr(conditions, "measure", fake)
    answer = shell("conditions", "--rows", "widths", "--peers", "floor")
    assert "784-511-257-10x128, busy: 1 ms a step" in answer.out
    shell("conditions", "--peers", "floor")
    assert asked[3:] == [row.name for row in conditions.DEFAULT]
    assert np.unique(asked[3:]).size == 6
