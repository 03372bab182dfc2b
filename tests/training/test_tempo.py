"""The way of taking steps follows the machine: on simulated machines, whose steps have known durations."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import numpy as np
import pytest

import chainrule as cr
from chainrule.training.tempo import Tempo, Way
from training.engines import COMPILED, INPUTS, LABELS, X

CALL = 0.05


def trained(tempo: Tempo, seconds_of_a_step: Callable[[Way], float], until: float, now: float = 0.0) -> float:
    """The seconds of a step, on average, of calls that last as long as they do in training."""
    start, taken, most = now, 0, 1
    while now < until:
        way, steps = tempo.choose(most)
        elapsed = steps * seconds_of_a_step(way)
        tempo.learn(way, steps, elapsed)
        now, taken = now + elapsed, taken + steps
        most = max(1, min(int(steps * CALL / elapsed), 2 * most + 8))
    return (now - start) / taken


def quiet(way: Way) -> float:
    return 1e-3 / way.threads


def contended(way: Way) -> float:
    """A processor is taken: more than one thread waits for time slices."""
    return 1e-3 if way.threads == 1 else 5e-3


@pytest.mark.parametrize("most", [1, 2, 3, 4, 7, 16])
def test_a_quiet_machine_is_used_in_full(most: int) -> None:
    assert trained(Tempo(most, at_once=True), quiet, 10.0) < 1.03 * quiet(Way(most, True))


@pytest.mark.parametrize("most", [2, 3, 4, 16])
def test_beside_a_busy_program_one_thread_is_left(most: int) -> None:
    assert trained(Tempo(most, at_once=True), contended, 10.0) < 1.2 * contended(Way(1, True))


def test_both_ways_as_other_programs_come_and_go() -> None:
    tempo = Tempo(2, at_once=False)
    for begin in range(0, 40, 10):
        machine = contended if begin % 20 else quiet
        best = min(machine(Way(1, False)), machine(Way(2, False)))
        assert trained(tempo, machine, begin + 10.0, begin) < 1.2 * best


def test_threads_that_do_not_pay_are_not_used() -> None:
    assert trained(Tempo(4, at_once=True), lambda way: 1e-3 * (1 + 0.1 * abs(way.threads - 2)), 10.0) < 1.03e-3


@pytest.mark.parametrize("faster", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_the_faster_moment_of_the_update_is_found(first: bool, faster: bool) -> None:
    assert trained(Tempo(2, first), lambda way: 1e-3 if way.at_once == faster else 1.4e-3, 10.0) < 1.03e-3


@COMPILED
def test_no_way_changes_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.training.compiled.WORK_A_THREAD", 1)
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "3")

    def parameters() -> np.ndarray:
        model = cr.MLP([INPUTS, 20, 5], dropout=0.2, rng=0)
        cr.Trainer(model, "cross_entropy", "adam", batch_size=32).fit(X, LABELS, epochs=9, verbose=0)
        return model.parameters.vector

    expected = parameters()
    chosen = cycle([(Way(1, True), 1), (Way(3, False), 2), (Way(2, True), 3), (Way(1, False), 1)])
    used = []

    def choose(tempo: Tempo, steps: int) -> tuple[Way, int]:
        way, most = next(chosen)
        used.append(way)
        return way, min(most, steps)

    monkeypatch.setattr(Tempo, "choose", choose)
    monkeypatch.setattr(Tempo, "learn", lambda tempo, *call: None)
    np.testing.assert_array_equal(parameters(), expected)
    assert len(set(used)) == 4
