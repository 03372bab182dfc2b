"""The training step of each row: agreement first, then the time."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from .grid import NotOffered, Problem, Row, make_problem
from .peers import FLOOR, Contestant, Peer, admit
from .peers.ours import Ours
from .timing import Pace, Run, figures, interleave

TOLERANCE = 1e-3  # of the loss, after the same batches in the same order
LEAST_STEPS = 20  # in the same order
LOOSE = 0.05  # of the first loss, after a pass more, each with batches and dropout of its own


@dataclass(frozen=True)
class Losses:
    """Of one contestant: at the start, after passes in the order of the rows, and after a shuffled one behind them."""

    start: float
    in_order: float
    shuffled: float


def losses(contestant: Contestant, problem: Problem) -> Losses:
    """Train some passes and say what they gave; whatever compiles on first use has then done so."""
    start = problem.loss(contestant.outputs())
    for _ in range(0, LEAST_STEPS, problem.row.steps):
        contestant.train_in_order()
    in_order = problem.loss(contestant.outputs())
    contestant.train(1)
    return Losses(start, in_order, problem.loss(contestant.outputs()))


def check_agreement(ours: Losses, theirs: Losses, *, dropout: bool = False) -> None:
    """Raise NotOffered unless both train the same network in the same way; dropout lets that be seen only loosely."""
    near = LOOSE * abs(ours.start)
    for when, mine, other, allowed in (
        ("at the start", ours.start, theirs.start, TOLERANCE * abs(ours.start)),
        ("after the same batches", ours.in_order, theirs.in_order, near if dropout else TOLERANCE * abs(ours.in_order)),
        ("after shuffled batches", ours.shuffled, theirs.shuffled, near),
    ):
        if not abs(other - mine) <= allowed:  # not so for NaN
            raise NotOffered(f"not comparable: {when} its loss is {other:.6g}, ours {mine:.6g}")


@dataclass
class Reference:
    """Our own run of a row, and of the row without dropout, which is what the others are held against."""

    problem: Problem

    def __post_init__(self) -> None:
        self.ours = Ours(self.problem)
        self.losses = losses(self.ours, self.problem)
        row = self.problem.row
        self.calm = Reference(replace(self.problem, row=replace(row, dropout=0.0))) if row.dropout else None

    def admit(self, peer: Peer) -> Contestant:
        """The peer, warm and found to train what we train."""
        contestant = peer.contestant(self.problem)
        if peer is FLOOR:
            contestant.train(1)
            return contestant
        check_agreement(self.losses, losses(contestant, self.problem), dropout=self.calm is not None)
        if self.calm is not None:
            self.calm.admit(peer)
        return contestant


def measure(row: Row, peers: Iterable[Peer], pace: Pace) -> dict[str, Any]:
    """The row's figures, as JSON values; who cannot do it, or trains something else, is left out with the reason."""
    reference = Reference(make_problem(row))
    ready, left_out = admit(peers, reference.admit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other libraries, about themselves
        runs: dict[str, Run] = {key: contestant.train for key, contestant in ready.items()}
        pairs = interleave(reference.ours.train, runs, pace, row.steps)
    return figures(row.name, pairs, left_out)
