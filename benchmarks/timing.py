"""Two sides timed right after each other, again and again: the paired ratios, their median, least and greatest."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Run: TypeAlias = Callable[[int], object]  # does its work so many times

PAUSE = 0.3  # seconds between two sides: idle threads of OpenBLAS and OpenMP spin for 0.1 to 0.2 s where ours would run
LEAST_RUNS, MOST_RUNS = 3, 1_000_000  # one call trains for several epochs, as people do


@dataclass
class Pairs:
    """Seconds of one unit of work (a step, a call), ours and theirs, round by round."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Their time by ours of the same round: above 1 we are faster."""
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    def summary(self) -> dict[str, Any]:
        """What is written into files: the ratios' median, least and greatest, and every round's seconds."""
        ratios = self.ratios
        return {
            "ratio": statistics.median(ratios),
            "min": min(ratios),
            "max": max(ratios),
            "seconds": statistics.median(self.theirs),
            "our_seconds": statistics.median(self.ours),
            "rounds": {"ours": self.ours, "theirs": self.theirs},
        }


@dataclass(frozen=True)
class Pace:
    """How long to measure."""

    rounds: int = 9
    seconds: float = 0.2  # of one side in one round


class Side:
    """One of the two, with the number of runs that take about the wished time."""

    def __init__(self, run: Run, seconds: float) -> None:
        self.run = run
        self.runs = 1
        while (taken := self._seconds(self.runs)) < seconds / 4 and self.runs < MOST_RUNS:
            self.runs *= 4 if taken < seconds / 16 else 2
        self.runs = max(LEAST_RUNS, min(MOST_RUNS, round(self.runs * seconds / max(taken, 1e-9))))

    def _seconds(self, runs: int) -> float:
        start = time.perf_counter()
        self.run(runs)
        return time.perf_counter() - start

    def measure(self) -> float:
        """Seconds of one run."""
        time.sleep(PAUSE)
        return self._seconds(self.runs) / self.runs


def interleave(ours: Run, others: dict[str, Run], pace: Pace, units: int = 1) -> dict[str, Pairs]:
    """Ours and each of the others in turn, ``rounds`` times; who goes first alternates. A run is ``units`` of work."""
    mine = Side(ours, pace.seconds)
    sides = {name: Side(run, pace.seconds) for name, run in others.items()}
    pairs = {name: Pairs() for name in others}
    for count in range(pace.rounds):
        for name, side in sides.items():
            first, second = (mine, side) if count % 2 == 0 else (side, mine)
            taken = {id(first): first.measure() / units, id(second): second.measure() / units}
            pairs[name].ours.append(taken[id(mine)])
            pairs[name].theirs.append(taken[id(side)])
    return pairs


def figures(name: str, pairs: dict[str, Pairs], left_out: dict[str, str]) -> dict[str, Any]:
    """One row of a table, as JSON values; ours has a time only if there was someone to compare with."""
    ours = [seconds for pair in pairs.values() for seconds in pair.ours]
    return {
        "row": name,
        "seconds": statistics.median(ours) if ours else None,
        "peers": {key: pair.summary() for key, pair in pairs.items()},
        "left_out": left_out,
    }
