"""A training step as users meet it: after a pause, beside a process that computes, and with 10,000 steps behind it.

    after a pause    a fit of 200 steps 50 ms after the one before it, against one right after the one before it
    busy             while another process computes on one core: ours on as many threads as it chooses, and on one
    aged             after 10,000 steps, when units have died and their numbers have decayed, against a new network

Peers are measured under the same condition, round by round beside ours.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from .grid import ROWS, WIDTHS, Problem, Row, make_problem
from .peers import Contestant, Peer, admit
from .peers.ours import Ours
from .step import Reference
from .timing import PAUSE, Pace, Pairs, Run, figures, interleave

BREAK = 0.05  # seconds of a pause, after which idle threads sleep
STEPS, LONG_STEPS = 200, 20  # of a fit; where a pass has few steps because they are long
AGE = 10_000  # steps
LONGEST = 2e-3  # seconds of a step with which peers are aged too
ONE_THREAD = "one_thread"
DEFAULT = [ROWS[name] for name in ("4-32-16-4x150", "784-128-10x32", "784-512-256-10x32", "784-512-256-10x128")]
DEFAULT += [ROWS["784-1024-1024-10x256"], WIDTHS[0]]
PEERS = ("pytorch", "pytorch_compile", "jax_scan")

COMPUTES = """\
import os
parent = os.getppid()
print("ready", flush=True)
while os.getppid() == parent:
    sum(range(100_000))
"""


@dataclass(frozen=True)
class Fit:
    """A fit of some passes, again and again."""

    contestant: Contestant
    row: Row

    @property
    def passes(self) -> int:
        """For so many steps."""
        return max(1, (STEPS if self.row.steps > LONG_STEPS else LONG_STEPS) // self.row.steps)

    def seconds(self) -> float:
        """Of a step."""
        start = time.perf_counter()
        self.contestant.train(self.passes)
        return (time.perf_counter() - start) / (self.passes * self.row.steps)

    def warm_seconds(self) -> float:
        """Of a step of a fit that follows another one, when the threads of the earlier one sleep."""
        time.sleep(PAUSE)
        self.seconds()
        return self.seconds()


class OneThread(Ours):
    """Ours on one thread."""

    def train(self, passes: int) -> None:
        before = os.environ.get("CHAINRULE_NUM_THREADS")
        os.environ["CHAINRULE_NUM_THREADS"] = "1"
        try:
            super().train(passes)
        finally:
            del os.environ["CHAINRULE_NUM_THREADS"]
            if before is not None:
                os.environ["CHAINRULE_NUM_THREADS"] = before


def measure(row: Row, peers: Iterable[Peer], pace: Pace) -> Iterator[dict[str, Any]]:
    """The figures under each condition, as JSON values."""
    problem = make_problem(row)
    reference = Reference(problem)
    ready, left_out = admit([peer for peer in peers if peer.key in PEERS], reference.admit)
    sides = {key: Fit(contestant, row) for key, contestant in ready.items()}
    ours = Fit(reference.ours, row)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other libraries, about themselves
        yield {"condition": "after a pause"} | after_a_pause(ours, sides, pace.rounds) | {"left_out": left_out}
        yield {"condition": "busy"} | busy(problem, ours, sides, pace) | {"left_out": left_out}
        yield {"condition": "aged"} | aged(problem, ours, sides, pace) | {"left_out": left_out}


def after_a_pause(ours: Fit, sides: dict[str, Fit], rounds: int) -> dict[str, Any]:
    """Each side quiet and after a pause, in turn."""
    everyone = {"ours": ours} | sides
    quiet: dict[str, list[float]] = {key: [] for key in everyone}
    paused: dict[str, list[float]] = {key: [] for key in everyone}
    for count in range(rounds):
        for key in list(everyone)[:: 1 if count % 2 == 0 else -1]:
            quiet[key].append(everyone[key].warm_seconds())
            time.sleep(BREAK)
            paused[key].append(everyone[key].seconds())
    pairs = {key: Pairs(paused["ours"], paused[key]) for key in sides}
    against = {key: against_quiet(quiet[key], paused[key]) for key in everyone}
    return found(ours.row, pairs, paused["ours"]) | {"against_quiet": against}


def busy(problem: Problem, ours: Fit, sides: dict[str, Fit], pace: Pace) -> dict[str, Any]:
    """Everyone in turn while another process computes."""
    runs: dict[str, Run] = {ONE_THREAD: OneThread(problem).train}
    runs |= {key: side.contestant.train for key, side in sides.items()}
    with computing():
        pairs = interleave(ours.contestant.train, runs, pace, ours.row.steps)
    return found(ours.row, pairs, [])


def aged(problem: Problem, ours: Fit, sides: dict[str, Fit], pace: Pace) -> dict[str, Any]:
    """Ours against a new network of ours, and against the peers, which are aged too unless that takes minutes."""
    row, quiet, later = ours.row, [], []
    runs: dict[str, Run] = {}
    if ours.seconds() < LONGEST:
        runs |= {key: side.contestant.train for key, side in sides.items()}
    for train in (ours.contestant.train, *runs.values()):
        train(AGE // row.steps)
    for _ in range(pace.rounds):
        quiet.append(Fit(Ours(problem), row).warm_seconds())
        later.append(ours.warm_seconds())
    pairs = interleave(ours.contestant.train, runs, pace, row.steps)
    return found(row, pairs, later) | {"against_quiet": {"ours": against_quiet(quiet, later)}}


def found(row: Row, pairs: dict[str, Pairs], ours: list[float]) -> dict[str, Any]:
    """The figures of a row; ours are known without a peer too."""
    made = figures(row.name, pairs, {})
    return made | {"seconds": made["seconds"] if made["seconds"] is not None else median(ours)}


def against_quiet(quiet: list[float], later: list[float]) -> dict[str, Any]:
    """How many times the quiet figure a step takes."""
    return Pairs(quiet, later).summary()


@contextmanager
def computing() -> Iterator[None]:
    """A process beside this one that computes on one core, until the end of the block or of this process."""
    process = subprocess.Popen([sys.executable, "-c", COMPUTES], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()
