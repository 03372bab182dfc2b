"""What all ranks of a training must have in common, checked at its start, and kept in common from epoch to epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import Array, is_sparse, sentence
from ..distributed.serial import RankError, Serial
from .engine import Parts
from .settings import settings_of
from .state import TrainingState, arrays_of

SOME = 64  # rows of the data that are compared


def check_ranks(communicator: Serial, state: TrainingState, data: list[Any]) -> None:
    """Raise, on every rank the same, if they would not train the same model on the same rows in the same order."""
    if communicator.size == 1:
        return
    from .. import __version__

    model, position = state.model, state.position
    remedy = {
        "version of chainrule": "install the same",
        "network": "build it with the same arguments, and with rng=0",
        "data": "load the same rows in the same order",
        "seed": "pass the same rng, such as 0",
        "checkpoint": "resume from the same file",
        "settings": "pass the same arguments",
    }
    mine = {
        "version of chainrule": __version__,
        "network": _digest(model.config(), *[array for _, array in arrays_of(model)]),
        "data": _digest([], *map(_some, data)),
        "seed": _digest(state.generators),
        "checkpoint": _digest([position.epoch, position.steps], *state.optimizer.state.values()),
        "settings": _digest(settings_of(state.trainer)),
    }
    told = communicator.allgather(mine)
    for rank, theirs in enumerate(told):
        for what, digest in told[0].items():
            if theirs[what] != digest:
                got = f"another on rank {rank} than on rank 0"
                raise RankError(sentence("fit", f"the same {what} on every rank", got, remedy[what]))


def keep_in_step(parts: Parts, epochs: int = 1) -> int:
    """Return how many epochs rank 0 begins, and draw its random numbers: a user's layer may have drawn others here."""
    generators = parts.model.rng, parts.rng
    if parts.communicator.size == 1:
        return epochs
    epochs, states = parts.communicator.agree((epochs, [rng.bit_generator.state for rng in generators]))[0]
    for rng, state in zip(generators, states, strict=True):
        rng.bit_generator.state = state
    return epochs


def _some(array: Any) -> Array:
    """Return some rows, and how many there are."""
    if array is None:
        return np.zeros(0)
    rows = np.linspace(0, array.shape[0] - 1, SOME).astype(np.intp)
    some = array[rows].toarray() if is_sparse(array) else array[rows]
    return np.append(some.ravel(), array.shape[0])


def _digest(facts: Any, *arrays: Array) -> str:
    import json  # needed by several ranks alone, like the next
    from hashlib import sha256

    digest = sha256(json.dumps(facts, default=repr).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
