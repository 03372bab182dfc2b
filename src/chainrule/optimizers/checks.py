"""What an optimizer is given: vectors, gradients and states that fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .._support.checks import Array, check_integer, sentence

NEEDS_SETUP = "call optimizer.setup(model.parameters) first"


def check_vector(who: str, vector: Any) -> None:
    """Raise unless it is a flat array of float32 or float64 that can be written."""
    _check_array(who, "vector", vector)
    if vector.dtype not in (np.float32, np.float64):
        raise TypeError(sentence(who, "a vector of float32 or float64", str(vector.dtype), "convert it first"))
    if vector.ndim != 1 or not vector.flags.writeable:
        got = f"shape {vector.shape}" if vector.ndim != 1 else "a read-only one"
        raise ValueError(sentence(who, "a flat vector that can be written", got))


def check_gradient(who: str, gradient: Any, vector: Array) -> None:
    """Raise unless it is an array of the vector's shape and dtype."""
    _check_array(who, "gradient", gradient)
    if gradient.shape != vector.shape or gradient.dtype != vector.dtype:
        expected = f"a gradient of shape {vector.shape} and dtype {vector.dtype}, as the vector has"
        raise ValueError(sentence(who, expected, f"{gradient.shape} and {gradient.dtype}"))


def check_state_fits(who: str, state: Mapping[str, Array], slots: Iterable[str], vector: Array) -> None:
    """Raise unless a state, if there is one, has the slots and is of the vector's shape and dtype."""
    if state and state.keys() != {"step", *slots}:
        expected = "the state of its present parameters: " + ", ".join(["step", *slots])
        raise ValueError(sentence(who, expected, ", ".join(state), "assign optimizer.state = {} to start afresh"))
    for name, array in state.items():
        if name == "step":
            count_of(who, state)
            continue
        if not isinstance(array, np.ndarray):
            raise TypeError(sentence(who, f"state[{name!r}] as an array", type(array).__name__))
        if array.shape != vector.shape or array.dtype != vector.dtype:
            expected = f"a vector of shape {array.shape} and dtype {array.dtype}, as state[{name!r}] has"
            got = f"{vector.shape} and {vector.dtype}"
            raise ValueError(sentence(who, expected, got, "use a new optimizer for another model"))


def own_state(state: dict[str, Array], vector: Array) -> None:
    """Put a copy in the place of each array of the state that steps may not write.

    That is one which is read-only, as joblib maps them, or scattered, or shares its memory with the parameters or with
    another array of the state. The state fits the vector.
    """
    seen = [vector]
    for name, array in state.items():
        if name == "step":
            if not (isinstance(array, np.ndarray) and array.dtype == np.int64 and array.ndim == 0 and _is_own(array)):
                state[name] = np.array(count_of("an optimizer", state), np.int64)
        elif not _is_own(array) or any(np.may_share_memory(array, other) for other in seen):
            state[name] = np.array(array, order="C")
        seen.append(state[name])


def _is_own(array: Array) -> bool:
    return type(array) is np.ndarray and array.flags.carray


def count_of(who: str, state: Mapping[str, Any]) -> int:
    """The number of steps that a state counts; 0 of an empty one."""
    count = state.get("step", 0)
    if isinstance(count, np.ndarray) and count.ndim == 0:
        count = count.item()
    return count if type(count) is int and count >= 0 else check_integer(who, "step", count, minimum=0)


def copy_state(who: str, state: Mapping[str, Array], slots: Iterable[str]) -> dict[str, Array]:
    """A copy of a state, which is empty or has these slots and ``"step"``."""
    names = sorted(["step", *slots])
    if state and sorted(state) != names:
        raise ValueError(sentence(who, "the arrays " + ", ".join(names), ", ".join(sorted(state)) or "none"))
    copy = {name: np.array(state[name], order="C") for name in state}
    shapes = {name: (array.shape, array.dtype) for name, array in copy.items() if name != "step"}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape, _ in shapes.values()):
        raise ValueError(sentence(who, "flat arrays of one size and dtype", repr(shapes)))
    if copy:
        if copy["step"].ndim != 0:
            raise ValueError(sentence(who, "step as a 0-d array", f"shape {copy['step'].shape}"))
        copy["step"] = np.array(count_of(who, copy), np.int64)
    return copy


def _check_array(who: str, what: str, array: Any) -> None:
    if not isinstance(array, np.ndarray):
        remedy = "pass model.parameters.vector and model.gradients.vector"
        raise TypeError(sentence(who, f"{what} as a NumPy array", type(array).__name__, remedy))
