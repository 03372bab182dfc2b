"""What the reader wrote, called with care: every way in which it can fail becomes one sentence about it."""

from __future__ import annotations

import copy
import inspect
import linecache
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from .._support.checks import Array
from .._support.text import printable
from .problem import Problem


class Fault(Exception):  # noqa: N818  (it is a finding, and no error of ours)
    """The answer cannot be judged; the message says why, in words for the reader."""


class Answer:
    """The reader's function of a problem; calling it returns its arrays by their names."""

    def __init__(self, problem: Problem, function: Callable[..., Any]) -> None:
        self.problem, self.function, self.names = problem, function, problem.names
        try:
            inspect.signature(function).bind(*problem.asked_of)
        except TypeError as error:
            raise Fault(f"it must take {problem.signature}: {error}") from None
        except ValueError:  # of a function in C, whose parameters nobody knows
            pass

    def __call__(self, values: dict[str, Any]) -> dict[str, Array]:
        """Return the arrays for these inputs, which stay as they are."""
        given = {name: copy.copy(values[name]) for name in self.problem.asked_of}
        try:
            returned = self.function(*given.values())
        except Exception as error:
            shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in given.items() if np.ndim(value))
            raise Fault(f"it raises {type(error).__name__}: {error}{self._line(error)}; given {shapes}") from None
        for name, array in given.items():
            if not np.array_equal(array, values[name]):
                raise Fault(f"it changes {name} in place; others still need it: compute a new array")
        return self._named(returned)

    def _named(self, returned: Any) -> dict[str, Array]:
        wanted = ", ".join(self.names)
        if returned is None:
            raise Fault(f"it returns None; end it with: return {wanted}")
        several = returned if isinstance(returned, (tuple, list)) else (returned,)
        if len(several) != len(self.names):
            count = f"{len(several)} value{'s' * (len(several) != 1)}"
            raise Fault(f"it returns {count}, expected {len(self.names)}: return {wanted}")
        found = {}
        for name, value in zip(self.names, several, strict=True):
            try:
                array = np.asarray(value)
            except ValueError:  # of lists of different lengths
                array = np.asarray(None)
            if array.dtype.kind not in "fiub":
                raise Fault(f"{name} is no array of numbers, but a {type(value).__name__}")
            found[name] = array.astype(np.float64)
        return found

    def _line(self, error: Exception) -> str:
        """Where the reader's own file last was when it happened: `` (line 3: dx = dy @ W)``."""
        file = getattr(getattr(self.function, "__code__", None), "co_filename", None)
        lines = [number for frame, number in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
        if not lines:
            return ""
        code = linecache.getline(str(file), lines[-1]).strip()
        return f" (line {lines[-1]}{': ' if code else ''}{printable(code, 100)})"
