"""What rounding could do to a training: the same one, each number of it disturbed by about a unit in the last place.

How far such trainings end from the undisturbed one is how far a right implementation may end from it. Only a jump would
be no measure: where a derivative or a sign jumps between the disturbed trainings, nothing can be compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
CLEAR = 50  # so many times farther from a jump than it moves must a number be


class Rounding:
    """Multiplies by 1 ± ``unit`` at random, where there is a unit, and keeps all numbers that stand before a jump."""

    def __init__(self, unit: float = 0.0, seed: int = 0) -> None:
        self.unit, self.rng = unit, np.random.default_rng(seed)
        self.kinks: list[Array] = []

    def __call__(self, values: Any) -> Any:
        if not self.unit:
            return values
        return values * (1 + self.unit * self.rng.uniform(-1, 1, np.shape(values)))

    def kink(self, distances: Array) -> Array:
        """Remember how far these numbers are from where something jumps."""
        self.kinks.append(np.array(distances))
        return distances


def clear_of_kinks(exact: Rounding, disturbed: list[Rounding]) -> bool:
    """Whether no number could have come to the other side of its jump; 0 that stays 0 is no matter of rounding."""
    for index, distances in enumerate(exact.kinks):
        moved = np.max([np.abs(one.kinks[index] - distances) for one in disturbed], axis=0)
        near = np.abs(distances) <= CLEAR * moved.max(initial=0)
        if (near & ~((distances == 0) & (moved == 0))).any():
            return False
    return True
