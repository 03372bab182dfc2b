"""How the steps of a training are taken fastest: learned from how long they last.

Threads meet twice a step. Where another program holds the processor of one, the others wait for it, for milliseconds,
and one thread alone would have been done sooner. And a weight may be updated at once, while its gradient is in the
registers, or after all gradients: which is faster depends on the optimizer, the widths and the caches (Adam at
784-512-256-10 × 32 on an AMD EPYC without AVX-512: 2.3 and 1.6 ms). None of this changes a bit of the result, so it may
follow the machine: now and then a short call is made in another way, and the faster way is kept.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

FIRST_WAIT, LONGEST_WAIT = 0.05, 1.0  # seconds of training between two trials; one that changes nothing doubles it
PART = 8  # a trial has this part of a call's steps
SLOWER = 1.5  # times as long as before: something has changed, so try soon


class Way(NamedTuple):
    """How a call is made: on how many threads, and whether each weight is updated at once."""

    threads: int
    at_once: bool


class Tempo:
    """The way of the next call: at first on as many threads as there may be."""

    def __init__(self, most: int, at_once: bool) -> None:
        self._numbers = sorted({most, *(2**power for power in range(most.bit_length()))})  # 1, 2, 4 … most
        self._way = Way(most, at_once)
        self._seconds = inf  # of a step in this way, in the last call
        self._wait = self._left = FIRST_WAIT
        self._trial = 0

    def choose(self, steps: int) -> tuple[Way, int]:
        """Return the way of the next call, and how many of its steps it takes."""
        if self._left > 0:
            return self._way, steps
        others = self._others()
        return others[self._trial % len(others)], max(1, steps // PART)

    def learn(self, way: Way, steps: int, elapsed: float) -> None:
        """Take note of a call that was made as chosen, and lasted ``elapsed`` seconds."""
        seconds = elapsed / steps
        if way == self._way:
            if seconds > SLOWER * self._seconds:
                self._wait = self._left = FIRST_WAIT
            self._left -= elapsed
            self._seconds = seconds
        elif seconds < self._seconds or (seconds == self._seconds and way.threads < self._way.threads):
            self._way, self._seconds = way, seconds
            self._wait = self._left = FIRST_WAIT
        else:
            self._trial += 1
            self._wait = self._left = min(2 * self._wait, LONGEST_WAIT)

    def _others(self) -> list[Way]:
        """Return the ways that differ in one thing: fewer threads, more, or the moment of the update."""
        threads, at_once = self._way
        place = self._numbers.index(threads)
        near = self._numbers[max(place - 1, 0) : place] + self._numbers[place + 1 : place + 2]
        return [*(Way(number, at_once) for number in near), Way(threads, not at_once)]
