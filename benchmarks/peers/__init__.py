"""The contestants, one file each: how each library is used at its best for the same work.

A module has ``contestant(problem)`` if it trains and ``predictor(problem, x)`` if it predicts, as ``contract.py`` says
what they are; it imports its library there and not before.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import TypeVar

from chainrule._support.checks import Array

from ..grid import NotOffered, Problem
from .contract import Contestant, Predictor

__all__ = ["FLOOR", "INSTALL", "PEERS", "Contestant", "Peer", "Predictor", "admit"]

INSTALL = "make bench-peers"
T = TypeVar("T")


@dataclass(frozen=True)
class Peer:
    """One that we compare with: its key in files and options, its name in tables, the modules that it needs."""

    key: str
    name: str
    needs: tuple[str, ...]

    @property
    def installed(self) -> bool:
        """Whether it can be imported."""
        return all(find_spec(module) is not None for module in self.needs)

    @property
    def module(self) -> ModuleType:
        """The file that says how it trains and predicts."""
        return importlib.import_module(f"{__name__}.{self.key}")

    @property
    def trains(self) -> bool:
        """Whether it does more than predict."""
        return hasattr(self.module, "contestant")

    def contestant(self, problem: Problem) -> Contestant:
        """It, ready to train this row."""
        made: Contestant = self.module.contestant(problem)
        return made

    def predictor(self, problem: Problem, x: Array) -> Predictor:
        """It, ready to predict for these rows by the row's network with its first parameters."""
        made: Predictor = self.module.predictor(problem, x)
        return made


FLOOR = Peer("floor", "the products alone", ("numpy",))
PEERS = {
    peer.key: peer
    for peer in (
        FLOOR,
        Peer("scikit_learn", "scikit-learn", ("sklearn",)),
        Peer("pytorch", "PyTorch eager", ("torch",)),
        Peer("pytorch_compile", "PyTorch compiled", ("torch",)),
        Peer("jax_scan", "JAX compiled", ("jax",)),
        Peer("onnx_runtime", "ONNX Runtime", ("onnx", "onnxruntime")),
    )
}


def admit(peers: Iterable[Peer], prepare: Callable[[Peer], T]) -> tuple[dict[str, T], dict[str, str]]:
    """What ``prepare`` makes of each peer, and why some are left out."""
    ready: dict[str, T] = {}
    left_out: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other libraries, about themselves
        for peer in peers:
            try:
                ready[peer.key] = prepare(peer)
            except NotOffered as reason:
                left_out[peer.key] = str(reason)
            except Exception as error:  # no compiler, no memory: whatever it is, the others can still be compared
                lines = str(error).strip().splitlines() or [""]
                left_out[peer.key] = f"{type(error).__name__}: {lines[0]}"
    return ready, left_out
