"""How much is trained: the epochs, the members and folds, the rows of a batch, within the time that there is.

The learning rate falls to zero at the end of the planned epochs, so a shorter time has a shorter schedule, not one that
is cut off. Small batches are worth their steps: 64 epochs in batches of 128 rows come as far as 256 epochs in batches
of 256, with a quarter of the arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index
from typing import Any, NamedTuple

from .._support.checks import check_integer, sentence

MOST_EPOCHS = 256
VALIDATION, OF_FEW = 0.1, 0.2  # shares of the rows, also of few: they tell epochs apart
LEAST_VALIDATED, MOST_VALIDATED = 100, 2_500
MARGIN = 0.85  # share of the time that planned epochs may take: the machine may slow down
#: Rows of a batch, by the most rows of training for which it is chosen (pytabkit's rule).
BATCHES = {1024: 64, 8192: 128, 30_000: 256, 100_000: 512}
LARGEST_BATCH = 1024


def validation_share(rows: int) -> float:
    """Return the share of the rows that is set aside for validation, if none is chosen."""
    least, most = LEAST_VALIDATED / max(rows, 1), MOST_VALIDATED / max(rows, 1)
    return min(max(VALIDATION, min(OF_FEW, least)), most)


class Preset(NamedTuple):
    """The least epochs and steps of each network; the number of networks, and of folds (1: rows are set aside once)."""

    epochs: int
    steps: int
    networks: int
    folds: int


PRESETS = {"fast": Preset(48, 720, 2, 1), "default": Preset(64, 1280, 4, 1), "best": Preset(96, 1920, 16, 8)}


class Plan(NamedTuple):
    """All that determines a training besides its data and settings."""

    epochs: int
    n_ensemble: int
    n_folds: int
    batch_size: int
    seed: int
    shortened: Sequence[list[int]] = ()  # by a time limit: a member, its steps, and its steps in all from then on

    def told(self) -> dict[str, Any]:
        """Return the plan as ``plan_``."""
        return {name: value for name, value in self._asdict().items() if value or name != "shortened"}

    @property
    def members(self) -> int:
        """Number of networks."""
        return self.n_ensemble * self.n_folds

    def within(self, epochs: float, threads: int, *, may_drop: bool, start: float = 0.0) -> Plan:
        """Shorten the plan to the number of epochs that fit on each thread; the start of a member takes as some do.

        If fewer than half of the epochs would fit, it drops the members that wait for a thread before it shortens.
        """
        plan = self
        while may_drop and plan.members > threads and epochs < plan.rounds(threads) * (self.epochs / 2 + start):
            smaller = plan._smaller()
            if smaller == plan:
                break
            plan = smaller
        return plan._replace(epochs=max(1, min(self.epochs, int(epochs / plan.rounds(threads) - start))))

    def rounds(self, threads: int) -> int:
        """Return how many members each thread trains."""
        return -(-self.members // threads)

    def _smaller(self) -> Plan:
        if self.n_ensemble > 1:
            return self._replace(n_ensemble=self.n_ensemble - 1)
        return self._replace(n_folds=max(self.n_folds - 1, min(self.n_folds, 2)))


def shared_out(preset: str, rows: int, n_ensemble: int | None, n_folds: int | None) -> tuple[int, int]:
    """Return the numbers of members of each fold and of folds; if not chosen, the preset's networks are shared out."""
    least = PRESETS[preset]
    folds = min(least.folds, rows) if n_folds is None else n_folds
    return max(least.networks // max(folds, 1), 1) if n_ensemble is None else n_ensemble, folds


def planned(preset: str, rows: int, epochs: int | None, n_ensemble: int, n_folds: int, seed: int) -> Plan:
    """Plan the training of members on ``rows`` rows each; without chosen epochs, few rows have more."""
    size = min(rows, next((size for most, size in BATCHES.items() if rows <= most), LARGEST_BATCH))
    least = PRESETS[preset]
    by_preset = min(max(least.epochs, -(-least.steps // (rows // size))), MOST_EPOCHS)
    return Plan(by_preset if epochs is None else epochs, n_ensemble, n_folds, size, seed)


def read_plan(who: str, given: Mapping[str, Any]) -> Plan:
    """Return a plan that was passed back."""
    *names, last = Plan._fields
    if given.keys() - {last} != set(names):
        raise ValueError(sentence(who, f"a plan with {', '.join(names)}", f"{list(given)}", "pass plan_"))
    counts: dict[str, Any] = {
        name: check_integer(who, name, given[name], minimum=int(name != "seed")) for name in names
    }
    try:
        counts[last] = [[index(member), index(step), index(steps)] for member, step, steps in given.get(last, ())]
    except (TypeError, ValueError):
        raise ValueError(
            sentence(who, f"three integers in each entry of {last}", f"{given[last]!r}", "pass plan_")
        ) from None
    return Plan(**counts)
