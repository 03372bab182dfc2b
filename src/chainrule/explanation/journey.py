"""All that an explanation holds, before it is written in a terminal or on a page."""

from __future__ import annotations

from dataclasses import dataclass

from .contributions import Contributions
from .rows import Cell
from .steps import LossStep, Step


@dataclass(frozen=True, eq=False, repr=False)
class Journey:
    """What :class:`.Explanation` documents."""

    title: str
    conditions: str
    rows: int
    cells: tuple[Cell, ...]
    steps: tuple[Step, ...]
    loss: LossStep | None
    optimizer: str
    rule: tuple[str, ...]
    contributions: Contributions | None
