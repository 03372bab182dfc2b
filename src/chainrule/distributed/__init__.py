"""Training on several processes, each with its own rows of every batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .serial import RankError, Serial

if TYPE_CHECKING:
    from .mpi import MPI

__all__ = ["MPI", "RankError", "Serial"]


def __getattr__(name: str) -> Any:
    if name != "MPI":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .mpi import MPI  # only where it is needed: `import chainrule` loads the rest

    return MPI
