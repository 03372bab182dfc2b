"""The ranks of a training: processes with the same model, each of which takes its own rows of every batch.

    gradient = Σᵣ gradient of the rows of rank r

Every rank computes the same sum and takes the same step, so that parameters are equal everywhere, bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import Array
from .._support.errors import DivergenceError, StopTraining


class RankError(ValueError):
    """The ranks cannot train together: one of them has failed, or they differ."""


class Serial:
    """The communicator of a process that trains alone; those of several ranks inherit from it.

    Attributes
    ----------
    rank : int
        Number of this process, from 0.
    size : int
        Number of processes.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> gradient = np.ones(3)
    >>> cr.distributed.Serial().allreduce(gradient)
    >>> gradient
    array([1., 1., 1.])
    """

    rank = 0
    size = 1
    threads = 0  # of each rank; 0 for all that there are
    _left = False  # whether a rank has left the training

    def allreduce(self, *arrays: Array) -> None:
        """Replace each array by its sum over all ranks, whose bits are the same on every rank.

        Parameters
        ----------
        *arrays : contiguous arrays
            Of the same shapes on every rank.
        """

    def allgather(self, fact: Any) -> list[Any]:
        """Collect a fact from each rank.

        Parameters
        ----------
        fact : object
            What this rank states.

        Returns
        -------
        list
            What each rank stated, in order.
        """
        return [fact]

    def room(self, like: Array) -> Array:
        """Return an array of this shape that :meth:`allreduce` sums fastest: it may be ``like`` itself.

        Parameters
        ----------
        like : array (P,)
            The array.

        Returns
        -------
        array (P,)
            The same one until another shape or dtype is asked for.
        """
        return like

    def rows(self, count: int) -> slice:
        """Return which of ``count`` rows are those of this rank: all, where there are fewer than ranks.

        Parameters
        ----------
        count : int
            Number of rows.

        Returns
        -------
        slice
            The rows.
        """
        if count < self.size:
            return slice(0, count)
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def whole(self, part: Array, count: int) -> Array:
        """Put the rows of all ranks together.

        Parameters
        ----------
        part : array
            What this rank has for :meth:`rows` of ``count``.
        count : int
            Number of rows.

        Returns
        -------
        array
            ``count`` rows, the same on every rank.
        """
        if len(part) == count:
            return part
        room = np.zeros((count, *part.shape[1:]), part.dtype)
        room[self.rows(count)] = part
        self.allreduce(room)
        return room

    def agree(self, fact: Any = None) -> list[Any]:
        """Do what :meth:`allgather` does, between two steps of a training, which any rank may have left.

        Parameters
        ----------
        fact : object
            What this rank states.

        Returns
        -------
        list
            What each rank stated, in order.

        Raises
        ------
        StopTraining
            If a rank has called :meth:`leave` instead.
        """
        if self.size == 1:
            return [fact]
        told = self.allgather((fact, None))
        for rank, (_, reason) in enumerate(told):
            if reason is not None:
                self._left = True
                raise StopTraining(f"rank {rank} stopped: {reason}")
        return [fact for fact, _ in told]

    def answer(self) -> None:
        """Answer ranks that wait for this one, in the middle of work that takes long without an exchange.

        Raises
        ------
        RankError
            If another rank has failed.
        """

    def leave(self, reason: str) -> None:
        """Let the other ranks stop training where this one does.

        Parameters
        ----------
        reason : str
            Why.
        """
        if self.size > 1 and not self._left:
            self._left = True
            self.allgather((None, reason))

    def __enter__(self) -> Serial:
        """Begin a fit."""
        self._left = False
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """End it on all ranks, or on none: an error that the others do not have yet is reported to them."""
        if error is None:
            self.allgather(None)
        elif not isinstance(error, (DivergenceError, RankError)):
            self._report(f"{type(error).__name__}: {error}".rstrip("."))

    def _report(self, text: str) -> None:
        """Let the other ranks raise a RankError where they wait for this one."""


SERIAL = Serial()
