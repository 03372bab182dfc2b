"""The contestants, one file each: how each library is used at its best for the same training.

Each module has ``contestant(problem)``, which makes a :class:`Contestant`; it imports its library there and not before.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Protocol

from ..._checks import Array
from ..grid import Problem

INSTALL = "pip install 'chainrule[bench]'"


class Contestant(Protocol):
    """A library in the middle of training one row."""

    def train(self, passes: int) -> None:
        """Train for some passes, the batches drawn anew for each epoch: this is what is timed."""

    def train_in_order(self) -> None:
        """One pass over the batches in the order of the rows."""

    def outputs(self) -> Array:
        """The outputs for all the data, by the network as it stands; logits where the row has classes."""


@dataclass(frozen=True)
class Peer:
    """One that we compare with: its key in files and options, its name in tables, the module that it needs."""

    key: str
    name: str
    needs: str

    @property
    def installed(self) -> bool:
        """Whether it can be imported."""
        return find_spec(self.needs) is not None

    @property
    def module(self) -> ModuleType:
        """The file that says how it trains and predicts."""
        return importlib.import_module(f"{__name__}.{self.key}")

    def contestant(self, problem: Problem) -> Contestant:
        """It, ready to train this row."""
        made: Contestant = self.module.contestant(problem)
        return made


FLOOR = Peer("floor", "the products alone", "numpy")
PEERS = {
    peer.key: peer
    for peer in (
        FLOOR,
        Peer("scikit_learn", "scikit-learn", "sklearn"),
        Peer("pytorch", "PyTorch, eager", "torch"),
        Peer("pytorch_compile", "PyTorch, compiled", "torch"),
        Peer("jax_scan", "JAX, scan", "jax"),
    )
}
