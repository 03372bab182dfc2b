"""The workspace that carries a batch from a layer's forward to its backward."""

from __future__ import annotations

import numpy as np

from .._support.checks import Array


class Workspace(dict[str, Array]):
    """What one layer remembers of a batch from forward to backward, in arrays reused from step to step.

    Parameters
    ----------
    training : bool
        Whether dropout, noise and batch statistics are on.
    rng : numpy.random.Generator
        Source of randomness for the layers that need one.

    Notes
    -----
    A layer stores what it needs by name, ``work["x"] = x``, and gets its arrays from :meth:`array`. A model opens one
    workspace for training and keeps it. Each prediction uses its own, so concurrent predictions share nothing.
    """

    def __init__(self, training: bool, rng: np.random.Generator) -> None:
        super().__init__()
        self.training = training
        self.rng = rng
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
            self._children[index] = Workspace(self.training, self.rng)
        return self._children[index]
