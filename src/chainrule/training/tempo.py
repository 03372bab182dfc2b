"""How many threads take the steps of a training: learned from how long the steps last.

Threads meet twice a step. Where another program holds the processor of one, the others wait for it, for milliseconds,
and one thread alone would have been done sooner. The bits do not depend on the number of threads, so it may follow the
machine: now and then a short call is made with fewer or more of them, and the faster number is kept.
"""

from __future__ import annotations

from math import inf

FIRST_WAIT, LONGEST_WAIT = 0.05, 2.0  # seconds of training between two trials; one that changes nothing doubles it
PART = 8  # a trial has this part of a call's steps
SLOWER = 1.5  # times as long as before: something has changed, so try at once


class Tempo:
    """The number of threads for the next call: at first as many as there may be."""

    def __init__(self, most: int) -> None:
        self._numbers = sorted({most, *(2**power for power in range(most.bit_length()))})  # 1, 2, 4 … most
        self._at = len(self._numbers) - 1
        self._toward = -1
        self._seconds = inf  # of a step at this number, in the last call
        self._wait = self._left = FIRST_WAIT

    def choose(self, steps: int) -> tuple[int, int]:
        """Return how many threads the next call has, and how many of its steps it takes."""
        if self._left > 0 or len(self._numbers) == 1:
            return self._numbers[self._at], steps
        if not 0 <= self._at + self._toward < len(self._numbers):
            self._toward = -self._toward
        return self._numbers[self._at + self._toward], max(1, steps // PART)

    def learn(self, threads: int, steps: int, elapsed: float) -> None:
        """Take note of a call that was made as chosen, and lasted ``elapsed`` seconds."""
        seconds = elapsed / steps
        if threads == self._numbers[self._at]:
            if seconds > SLOWER * self._seconds:
                self._wait = self._left = 0
            self._left -= elapsed
            self._seconds = seconds
        elif seconds < self._seconds or (seconds == self._seconds and self._toward < 0):
            self._at += self._toward
            self._seconds = seconds
            self._wait = self._left = FIRST_WAIT
        else:
            self._toward = -self._toward
            self._wait = self._left = min(max(2 * self._wait, FIRST_WAIT), LONGEST_WAIT)
