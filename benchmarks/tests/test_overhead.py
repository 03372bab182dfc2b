"""What callbacks add to an epoch: the same training with them and without, in turn."""

from __future__ import annotations

import json
from typing import Any

import pytest
from benchmarks import markdown, overhead, report
from benchmarks.grid import Row, make_problem

import chainrule as cr

SMALL = Row((4, 8, 3), 16, steps=5)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "PAUSE", 0)


def test_the_clock_counts_all_that_an_epoch_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([10.0, 12.0, 16.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    clock = overhead.Clock()
    trainer: Any = None
    clock.on_epoch_begin(trainer)
    clock.on_epoch_begin(trainer)
    clock.on_train_end(trainer)
    assert clock.seconds == 3


def test_the_clock_is_looked_at_before_and_after_all_others() -> None:
    told: list[str] = []

    class Noted(overhead.Clock):
        def on_epoch_begin(self, trainer: Any) -> None:
            told.append("clock")

        def on_train_end(self, trainer: Any) -> None:
            told.append("clock")

    class Other(cr.Callback):
        def on_epoch_begin(self, trainer: Any) -> None:
            told.append("other")

        on_pause = on_train_end = on_epoch_begin

    cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[Noted(), Other()]).fit(
        [[1.0]], [[1.0]], epochs=1, verbose=0
    )
    assert told == ["clock", "other", "other", "other", "clock"]


@pytest.mark.usefixtures("quick")
def test_both_sides_are_measured_in_turn() -> None:
    found = json.loads(json.dumps(overhead.measure(3, SMALL)))
    assert len(found["rounds"]["ours"]) == len(found["rounds"]["theirs"]) == 3
    assert found["ratio"] == pytest.approx(sorted(b / a for a, b in zip(*found["rounds"].values(), strict=True))[1])


def test_the_watched_training_is_the_same_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[tuple[cr.Trainer, list[Any]]] = []

    class Kept(cr.Trainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            trained.append((self, kwargs["callbacks"]))

    monkeypatch.setattr(overhead, "Trainer", Kept)
    problem = make_problem(SMALL)
    assert overhead.train(problem) > 0
    assert overhead.watched(problem) > 0
    (plain, _), (watched, callbacks) = trained
    assert (plain.model.parameters.vector == watched.model.parameters.vector).all()
    assert [type(callback).__name__ for callback in callbacks] == ["Clock", "Progress", "Checkpoint", "EarlyStopping"]
    assert not callbacks[2].folder.exists()


def test_it_is_said_in_percent() -> None:
    found = {"row": "4-8-3x16", "watched": "all", "ratio": 1.012, "min": 0.998, "max": 1.05, "our_seconds": 0.2}
    assert report.overhead_line(found) == "4-8-3x16: 200 ms an epoch; all: +1.2 % (-0.2 to +5.0)"
    assert markdown.overhead_lines(found) == ["| all (4-8-3 × 16) | +1.2 % (-0.2 to +5.0) of an epoch | |"]
