"""Ours and theirs in turn: the ratios are of pairs, and who goes first alternates."""

from __future__ import annotations

import pytest
from benchmarks import timing
from benchmarks.report import duration
from benchmarks.timing import Pace, Pairs, figures, interleave


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """A clock that only work moves: ours takes a second a run, theirs three; the record says who ran."""
    ran: list[tuple[str, int]] = []
    seconds = {"ours": 1.0, "theirs": 3.0}
    monkeypatch.setattr(timing.time, "perf_counter", lambda: sum(seconds[who] * runs for who, runs in ran))
    monkeypatch.setattr(timing.time, "sleep", lambda pause: None)
    return ran


def test_the_ratio_of_each_pair_and_its_order(clock: list[tuple[str, int]]) -> None:
    pairs = interleave(
        lambda n: clock.append(("ours", n)), {"x": lambda n: clock.append(("theirs", n))}, Pace(3, 12.0), units=2
    )["x"]
    assert pairs.ratios == [3.0, 3.0, 3.0]
    assert pairs.ours == [0.5, 0.5, 0.5]  # of a unit
    assert [who for who, _ in clock[-6:]] == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert {runs for who, runs in clock[-6:] if who == "ours"} == {12}
    assert {runs for who, runs in clock[-6:] if who == "theirs"} == {4}


def test_what_takes_long_runs_three_times(clock: list[tuple[str, int]]) -> None:
    interleave(lambda n: clock.append(("ours", n)), {"x": lambda n: clock.append(("theirs", n))}, Pace(2, 0.1))
    assert {runs for _, runs in clock[-4:]} == {3}


def test_the_summary_is_the_median_of_the_ratios_and_not_the_ratio_of_medians() -> None:
    summary = Pairs([1.0, 2.0, 4.0], [2.0, 2.0, 12.0]).summary()
    assert (summary["ratio"], summary["min"], summary["max"]) == (2.0, 1.0, 3.0)
    assert (summary["our_seconds"], summary["seconds"]) == (2.0, 2.0)
    assert summary["rounds"] == {"ours": [1.0, 2.0, 4.0], "theirs": [2.0, 2.0, 12.0]}


def test_without_peers_there_is_no_figure() -> None:
    assert figures("row", {}, {"x": "absent"})["seconds"] is None
    assert duration(None) == "–"
