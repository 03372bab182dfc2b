"""The workspace that carries a batch from a layer's forward to its backward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .._support.checks import Array
from ..distributed.serial import SERIAL, Serial


class Shard:
    """Which ``rows`` of a batch this process has: all, or those of its rank, from number ``first``."""

    def __init__(self) -> None:
        self.communicator: Serial = SERIAL
        self.first, self.rows = 0, 1

    @contextmanager
    def of(self, communicator: Serial, rows: int) -> Iterator[slice]:
        """Let the layers have the rows of this rank, of a batch of ``rows``, until the end of the block."""
        own = communicator.rows(rows)
        self.communicator, self.first, self.rows = communicator, own.start, own.stop - own.start
        try:
            yield own
        finally:
            self.communicator, self.first, self.rows = SERIAL, 0, 1

    def entries_before(self, x: Array) -> int:
        """Return how many entries of the batch come before those of x."""
        return self.first * (x.size // self.rows) if self.first else 0


class Workspace(dict[str, Array]):
    """What one layer remembers of a batch from forward to backward, in arrays reused from step to step.

    Parameters
    ----------
    training : bool
        Whether dropout, noise and batch statistics are on.
    rng : numpy.random.Generator
        Source of randomness for the layers that need one.
    shard : Shard, optional
        Which rows of the batch these are, for layers that need the whole of it or the number of a row.

    Notes
    -----
    A layer stores what it needs by name, ``work["x"] = x``, and gets its arrays from :meth:`array`. A model opens one
    workspace for training and keeps it. Each prediction uses its own, so concurrent predictions share nothing.
    """

    def __init__(self, training: bool, rng: np.random.Generator, shard: Shard | None = None) -> None:
        super().__init__()
        self.training = training
        self.rng = rng
        self.shard = Shard() if shard is None else shard
        self._arrays: dict[str, Array] = {}
        self._children: dict[int, Workspace] = {}

    def array(self, name: str, like: Array, width: int | None = None) -> Array:
        """Return an uninitialised array, which reuses the same memory at each step.

        Parameters
        ----------
        name : str
            Name of the array in this workspace.
        like : array
            An array with the wanted number of rows and dtype.
        width : int, optional
            Length of a row; by default rows have the shape of those of ``like``.

        Returns
        -------
        array
            The array; its memory grows if a batch is longer than those before.
        """
        shape = like.shape if width is None else (like.shape[0], width)
        room = self._arrays.get(name)
        if room is not None and room.shape == shape and room.dtype == like.dtype:
            return room
        if room is None or len(room) < shape[0] or room.shape[1:] != shape[1:] or room.dtype != like.dtype:
            room = self._arrays[name] = np.empty(shape, like.dtype)
        return room[: shape[0]]

    def forget(self) -> None:
        """Drop all references to the batch; the memory for the next one stays."""
        self.clear()
        for child in self._children.values():
            child.forget()

    def child(self, index: int) -> Workspace:
        """Return the workspace of a layer inside this one.

        Parameters
        ----------
        index : int
            Position of the inner layer.

        Returns
        -------
        Workspace
            The same one at each call.
        """
        if index not in self._children:
            self._children[index] = Workspace(self.training, self.rng, self.shard)
        return self._children[index]
