"""The number of threads that takes the steps of a training fastest: learned from how long they last.

Threads meet three times a step. Where another program holds the processor of one, the others wait for it, for
milliseconds, and one thread alone would have been done sooner. The number changes no bit of the result, so it may
follow the machine: now and then a short call is made on another number of threads, and the faster number is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

FIRST_WAIT, LONGEST_WAIT = 0.05, 1.0  # seconds of training between two trials; one that changes nothing doubles it
SELDOM = 20  # times as long as a trial that changed nothing takes the training until the next, at least
PART = 8  # a trial has this part of a call's steps
SLOWER = 1.5  # times as long as before: something has changed, so try soon
RECENT = 60.0  # seconds that what a training learned is remembered for the next of its size
MOST = 100  # sizes that are remembered

_last: dict[tuple[int, int], Tempo] = {}  # by most and size


class Tempo:
    """The number of threads of the next call: never more than ``limit()``.

    At first as many as there may be. A training of the same ``size`` as one of just now goes on where that ended: what
    takes 0.1 s is over before it has learned much.
    """

    def __init__(self, most: int, limit: Callable[[], float] = lambda: inf, size: int = 0) -> None:
        self._limit, self._size = limit, (most, size)
        self._numbers = sorted({most, *(2**power for power in range(most.bit_length()))})  # 1, 2, 4 … most
        self._threads = most
        self._seconds = inf  # of a step on so many, in the last call
        self._wait = self._left = FIRST_WAIT
        self._trial = 0
        last = _last.get(self._size)
        if last and time.perf_counter() - last._when < RECENT:
            vars(self).update(vars(last), _limit=limit)

    def choose(self, steps: int) -> tuple[int, int]:
        """Return on how many threads the next call is made, and how many of its steps it takes."""
        limit = self._limit()
        if self._threads > limit:
            return max(number for number in self._numbers if number <= limit), steps
        place = self._numbers.index(self._threads)
        others = self._numbers[max(place - 1, 0) : place] + self._numbers[place + 1 : place + 2]
        others = [number for number in others if number <= limit]
        if self._left > 0 or not others:
            return self._threads, steps
        return others[self._trial % len(others)], max(1, steps // PART)

    def learn(self, threads: int, steps: int, elapsed: float) -> None:
        """Take note of a call that was made as chosen, and lasted ``elapsed`` seconds."""
        seconds = elapsed / steps
        if threads == self._threads:
            if self._seconds == inf or seconds > SLOWER * self._seconds:
                self._wait = self._left = max(FIRST_WAIT, SELDOM / 2 * seconds)
            self._left -= elapsed
            self._seconds = seconds
        elif seconds < self._seconds or (seconds == self._seconds and threads < self._threads):
            self._threads, self._seconds = threads, seconds
            self._wait = self._left = max(FIRST_WAIT, SELDOM / 2 * seconds)
        else:
            self._trial += 1
            self._wait = self._left = max(min(2 * self._wait, LONGEST_WAIT), SELDOM * elapsed)
        if len(_last) > MOST:
            _last.clear()
        _last[self._size], self._when = self, time.perf_counter()
