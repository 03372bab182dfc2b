"""What all ranks of a training have in common, and which rows of a stream each of them reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from zlib import crc32

import numpy as np

from .._support.checks import Array, is_sparse, sentence
from ..data.streams import Piece
from ..distributed.serial import RankError, Serial
from ..ops.fused import KERNELS
from .engine import Parts
from .inputs import Data
from .settings import differences, in_code, settings_of, written
from .state import TrainingState, arrays_of

ARRAYS = ("x", "y", "sample_weight", "lengths of groups")
REMEDIES = {
    "version of chainrule": "install the same",
    "kernels": "install the same, or set CHAINRULE_KERNELS=numpy on every rank",
    "network": "build it with the same arguments, and with rng=0",
    "data": "load the same rows in the same order",
    "seed": "pass the same rng, such as 0",
    "checkpoint": "resume from the same file",
    "settings": "pass the same arguments",
}


def check_ranks(communicator: Serial, state: TrainingState, **data: Any) -> None:
    """Raise, on every rank the same, if they would not train the same model on the same rows in the same order.

    This is the first exchange of a fit: which others follow may depend on all that is compared here.
    """
    if communicator.size == 1:
        return
    from .. import __version__

    weights = {name: _described(array) for name, array in arrays_of(state.model)}
    optimizer = {f"optimizer.{name}": _described(np.asarray(array)) for name, array in state.optimizer.state.items()}
    told = communicator.allgather(
        {
            "version of chainrule": __version__,
            "kernels": KERNELS,
            "network": {"model": state.model.config()} | weights,
            "data": dict(_each_described(data)),
            "seed": f"random numbers of checksum {crc32(repr(state.generators).encode()):08x}",
            "checkpoint": {"epoch": state.position.epoch, "step": state.position.steps} | optimizer,
            "settings": settings_of(state.trainer) | {"metrics": list(state.trainer.metrics)},
        }
    )
    for rank, theirs in enumerate(told):
        for path, here, there in differences(told[0], theirs, ""):
            if written(here) != written(there):  # two NaNs differ
                _, what, *place = path.split(".", 2)
                got = " ".join([*map(in_code, place), f"{_text(here)} on rank 0, {_text(there)} on rank {rank}"])
                raise RankError(sentence("fit", f"the same {what} on every rank", got, REMEDIES[what]))


def keep_in_step(parts: Parts, epochs: int = 1) -> int:
    """Return how many epochs begin, and draw the random numbers of rank 0: a user's layer may have drawn others here.

    Raise, on every rank the same, if a callback or another processor has changed the parameters of one of them.
    """
    generators, communicator = (parts.model.rng, parts.rng), parts.communicator
    if communicator.size == 1:
        return epochs
    vector = parts.model.parameters.vector
    bits = int(np.bitwise_xor.reduce(vector.view(f"u{vector.itemsize}")))
    told = communicator.agree((epochs, bits, [rng.bit_generator.state for rng in generators]))
    for rank, (_, theirs, _) in enumerate(told):
        if theirs != told[0][1]:
            remedy = "let callbacks change the same on every rank, and run all ranks on processors of one kind"
            got = f"others on rank {rank} than on rank 0"
            raise RankError(sentence("fit", "the same parameters on every rank after the same steps", got, remedy))
    for rng, state in zip(generators, told[0][2], strict=True):
        rng.bit_generator.state = state
    return min(int(epochs) for epochs, *_ in told)


def _each_described(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Describe arrays; of a stream, its first rows and the lengths of its groups, because each rank reads others."""
    for name, given in data.items():
        arrays = given if given is None or isinstance(given, tuple) else (*given.probe, given.lengths)
        for kind, array in zip(ARRAYS, arrays or (), strict=False):
            if array is not None:
                yield f"{name} {kind}", _described(array)


def _described(array: Any) -> str:
    """Describe an array so that another one has another description."""
    checksum = 0
    for part in (array.data, array.indices, array.indptr) if is_sparse(array) else (array,):
        checksum = crc32(np.ascontiguousarray(part).data, checksum)
    return f"{array.dtype} {array.shape}, checksum {checksum:08x}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else written(value)


class Shares:
    """Which of the ``rows`` of a window each rank reads, in batches of ``size`` rows, at least one for each rank.

    window   part of rank 0 | part of rank 1 | ... | a last batch of fewer rows than ranks, which all read
    batch    share of rank 0, share of rank 1, ...          each the next rows of its part, which is permuted
    """

    def __init__(self, communicator: Serial, rows: int, size: int) -> None:
        self._communicator, self._rows = communicator, rows
        ranks = np.arange(communicator.size + 1)
        self._batches, last = divmod(rows, size)
        self._common = last if last < communicator.size else 0
        self._each = np.diff(size * ranks // communicator.size)
        counts = self._batches * self._each + np.diff((last - self._common) * ranks // communicator.size)
        self._starts = np.append(0, np.cumsum(counts))

    def order(self, seed: int, window: int) -> Array:
        """Return the order in which all ranks together take the rows."""
        full, last = [], []
        for rank, (start, stop) in enumerate(zip(self._starts, self._starts[1:], strict=False)):
            part = start + np.random.default_rng([seed, window + 1, rank]).permutation(stop - start)
            many = self._batches * self._each[rank]
            full.append(part[:many].reshape(self._batches, -1))
            last.append(part[many:])
        return np.concatenate([np.hstack(full).ravel(), *last, np.arange(self._starts[-1], self._rows)])

    def pieces(self, window: list[Piece]) -> list[Piece]:
        """Return what this rank reads of the pieces of the window."""
        return [piece for start, stop in self._ranges() for piece in _within(window, start, stop)]

    def whole(self, own: Data, rows: int) -> Data:
        """Put the rows of this rank in their places: elsewhere x has zeros, y and the weights those of others."""
        arrays: list[Array | None] = []
        for given in own:
            array = None if given is None else np.zeros((rows, *given.shape[1:]), given.dtype)
            if array is not None and given is not None:
                (start, stop), common = self._ranges()
                array[start:stop] = given[: stop - start]
                if arrays:
                    self._communicator.allreduce(array)
                array[slice(*common)] = given[stop - start :]
            arrays.append(array)
        x, y, weight = arrays
        return x, y, weight  # type: ignore[return-value]  # x and y are arrays

    def _ranges(self) -> list[tuple[int, int]]:
        rank, end = self._communicator.rank, int(self._starts[-1])
        return [(int(self._starts[rank]), int(self._starts[rank + 1])), (end, end + self._common)]


def _within(pieces: list[Piece], start: int, stop: int) -> list[Piece]:
    """Return the pieces of the rows from ``start`` to before ``stop`` among these."""
    found, first = [], 0
    for piece in pieces:
        low, high = max(start - first, 0), min(stop - first, piece.stop - piece.start)
        if low < high:
            found.append(Piece(piece.group, piece.start + low, piece.start + high))
        first += piece.stop - piece.start
    return found
