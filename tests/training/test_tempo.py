"""The number of threads follows the machine: on simulated machines, whose steps have known durations."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from types import SimpleNamespace

import numpy as np
import pytest

import chainrule as cr
from chainrule.training import tempo
from chainrule.training.tempo import Tempo
from training.engines import COMPILED, INPUTS, LABELS, X

CALL = 0.05


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempo, "_last", {})


def trained(tempo: Tempo, seconds_of_a_step: Callable[[int], float], until: float, now: float = 0.0) -> float:
    """The seconds of a step, on average, of calls that last as long as they do in training."""
    start, taken, most = now, 0, 1
    while now < until:
        threads, steps = tempo.choose(most)
        elapsed = steps * seconds_of_a_step(threads)
        tempo.learn(threads, steps, elapsed)
        now, taken = now + elapsed, taken + steps
        most = max(1, min(int(steps * CALL / elapsed), 2 * most + 8))
    return (now - start) / taken


def quiet(threads: int) -> float:
    return 1e-3 / threads


def contended(threads: int) -> float:
    """A processor is taken: more than one thread waits for time slices."""
    return 1e-3 if threads == 1 else 5e-3


@pytest.mark.parametrize("most", [1, 2, 3, 4, 7, 16])
def test_a_quiet_machine_is_used_in_full(most: int) -> None:
    assert trained(Tempo(most), quiet, 10.0) < 1.03 * quiet(most)


@pytest.mark.parametrize("step", [1e-5, 1e-3, 0.1, 1.0])
def test_trials_take_a_small_part_of_the_time(step: float) -> None:
    assert trained(Tempo(2), lambda threads: step / threads, 1000 * step) < 1.06 * step / 2


@pytest.mark.parametrize("most", [2, 3, 4, 16])
def test_beside_a_busy_program_one_thread_is_left(most: int) -> None:
    assert trained(Tempo(most), contended, 10.0) < 1.2 * contended(1)


def test_both_ways_as_other_programs_come_and_go() -> None:
    learning = Tempo(2)
    for begin in range(0, 40, 10):
        machine = contended if begin % 20 else quiet
        best = min(machine(1), machine(2))
        assert trained(learning, machine, begin + 10.0, begin) < 1.2 * best


def test_a_training_begins_with_what_the_last_of_its_size_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 0.1 s each, beside a busy program, and again when that has ended."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(tempo, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    for machine in (contended, quiet, contended):
        of_each = [trained(Tempo(2, size=1000), machine, 0.1) for _ in range(40)]
        assert np.mean(of_each[20:]) < 1.1 * min(machine(1), machine(2))
    assert Tempo(2, size=1000).choose(1)[0] == 1
    assert Tempo(2, size=2000).choose(1)[0] == 2
    clock.now = 100.0
    assert Tempo(2, size=1000).choose(1)[0] == 2


def test_threads_that_do_not_pay_are_not_used() -> None:
    assert trained(Tempo(4), lambda threads: 1e-3 * (1 + 0.1 * abs(threads - 2)), 10.0) < 1.03e-3


@COMPILED
def test_no_number_of_threads_changes_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.training.compiled.WORK_A_THREAD", 1)
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "3")

    def parameters() -> np.ndarray:
        model = cr.MLP([INPUTS, 20, 5], dropout=0.2, rng=0)
        cr.Trainer(model, "cross_entropy", "adam", batch_size=32).fit(X, LABELS, epochs=9, verbose=0)
        return model.parameters.vector

    expected = parameters()
    chosen = cycle([(1, 1), (3, 2), (2, 3), (1, 1)])
    used = []

    def choose(tempo: Tempo, steps: int) -> tuple[int, int]:
        threads, most = next(chosen)
        used.append(threads)
        return threads, min(most, steps)

    monkeypatch.setattr(Tempo, "choose", choose)
    monkeypatch.setattr(Tempo, "learn", lambda tempo, *call: None)
    np.testing.assert_array_equal(parameters(), expected)
    assert len(set(used)) == 3


class Within(cr.Callback):
    """Trains another network after the first step."""

    def __init__(self, train: Callable[[], object]) -> None:
        self.train = train

    def on_batch_end(self, trainer: cr.Trainer, loss: float) -> None:
        if trainer.step == 1:
            self.train()


@COMPILED
@pytest.mark.parametrize(("chosen", "shares"), [("", [4, 2]), ("4", [4, 4])])
def test_fits_that_run_together_share_the_processors(chosen: str, shares: list[int], monkeypatch) -> None:
    """Unless the user has said how many threads a step takes."""
    monkeypatch.setattr("chainrule.training.compiled.WORK_A_THREAD", 1)
    monkeypatch.setattr("chainrule.runtime.threads.processors", lambda: 4)
    monkeypatch.setattr("chainrule.runtime.threads._LIMIT.before", lambda: [4])
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", chosen)
    used: list[int] = []
    choose = Tempo.choose

    def noted(tempo: Tempo, steps: int) -> tuple[int, int]:
        used.append(choose(tempo, steps)[0])
        return used[-1], steps

    monkeypatch.setattr(Tempo, "choose", noted)

    def train(*callbacks: cr.Callback) -> None:
        trainer = cr.Trainer(cr.MLP([INPUTS, 20, 5], rng=0), "cross_entropy", batch_size=32, callbacks=callbacks)
        trainer.fit(X[:64], LABELS[:64], epochs=1, verbose=0)

    train(Within(train))
    assert used[:2] == shares
    used.clear()
    train()
    assert used[0] == 4
