"""What an optimizer is set to and given: groups and numbers, and vectors, gradients and states that fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from .._support.checks import Array, called_elsewhere, check_integer, check_name, check_number, sentence
from .._support.settings import ABOVE_ZERO, Checks, optional
from ..parameters import Parameters

Groups: TypeAlias = Mapping[str, Mapping[str, float]]
Run: TypeAlias = tuple[int, int, float, float]  # start and stop in the vector, factors on η and on η λ

BLOCK_BYTES = 131_072  # a block of the weights, of the gradient, of the state and the scratch stay in a core's cache
FACTORS = ("learning_rate_factor", "weight_decay_factor")


def check_groups(who: str, name: str, groups: Any) -> Groups:
    """The groups as they are; an error unless each pattern names factors that exist, with values of at least 0."""
    if not isinstance(groups, Mapping) or not all(isinstance(factors, Mapping) for factors in groups.values()):
        example = 'groups={"*.b": {"weight_decay_factor": 0.0}}'
        raise TypeError(sentence(who, "groups as a dict of dicts", repr(groups), f"for instance {example}"))
    for pattern, factors in groups.items():
        for factor, value in factors.items():
            check_name(f"{who} groups[{pattern!r}]", "a factor", factor, FACTORS)
            check_number(f"{who} groups[{pattern!r}]", factor, value, minimum=0.0)
    return groups


def resolve_groups(who: str, groups: Groups, parameters: Parameters) -> list[Run]:
    """For each parameter its place in the vector and its factors."""
    check_groups(who, "groups", groups)  # once more: a dict may have been changed in place
    rate, decay = dict.fromkeys(parameters, 1.0), dict.fromkeys(parameters, 1.0)
    for pattern, factors in groups.items():
        for name in _matching(who, pattern, parameters):
            rate[name] *= factors.get("learning_rate_factor", 1.0)
            decay[name] *= factors.get("weight_decay_factor", 1.0)
    return [(part.start, part.stop, rate[name], rate[name] * decay[name]) for name, part in parameters.slices.items()]


def merge(runs: list[Run]) -> list[Run]:
    """The same runs, neighbours of equal factors in one."""
    merged: list[Run] = []
    for start, stop, rate, shrink in runs:
        if merged and merged[-1][2:] == (rate, shrink):
            start = merged.pop()[0]
        merged.append((start, stop, rate, shrink))
    return merged


def divide(run: Run, itemsize: int) -> list[tuple[slice, float, float]]:
    """The slices, short enough for the cache, that make up a run, each with the run's factors."""
    start, stop, rate, shrink = run
    length = BLOCK_BYTES // itemsize
    return [(slice(i, min(i + length, stop)), rate, shrink) for i in range(start, stop, length)]


def _matching(who: str, pattern: str, parameters: Parameters) -> list[str]:
    import difflib  # few have groups
    from fnmatch import fnmatchcase

    names = list(parameters.shapes)
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        near = difflib.get_close_matches(pattern, names, n=1, cutoff=0.0)
        remedy = (f"did you mean {near[0]!r}? " if near else "") + "names: " + ", ".join(names)
        raise ValueError(sentence(f"{who} groups", "a pattern that matches a parameter's name", repr(pattern), remedy))
    return found


# --- vectors, gradients and states --------------------------------------------------------------------------------


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


# --- settings -----------------------------------------------------------------------------------------------------


called_elsewhere({"lr": "learning_rate"})


def check_rate(who: str, name: str, rate: Any) -> Any:
    """A number of at least 0, or a schedule as it is."""
    if callable(rate) and not isinstance(rate, type):
        return rate
    return check_number(who, name, rate, minimum=0.0)


def check_betas(who: str, name: str, betas: Any) -> tuple[float, float]:
    """The pair as floats; an error unless both are in [0, 1)."""
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise TypeError(sentence(who, "betas as a pair", repr(betas), "for instance betas=(0.9, 0.999)"))
    first, second = (check_number(who, "each of betas", beta, minimum=0.0, below=1.0) for beta in betas)
    return first, second


def check_coefficients(optimizer: Any) -> None:
    """Raise unless a subclass that has coefficients of its own gives as many as the rule takes that it has not."""
    cls: Any = type(optimizer)
    owner: Any = next(one for one in cls.__mro__ if "direction" in vars(one))
    if cls.coefficients is not owner.coefficients:
        expected, got = (len(one.coefficients(optimizer, 1, 1.0)) for one in (owner, cls))
        if expected != got:
            heir = next(one for one in cls.__mro__ if one.coefficients is owner.coefficients)
            words = f"to give {expected} numbers, as {heir.__name__}.direction takes"
            raise ValueError(sentence(f"{cls.__name__}.coefficients", words, str(got)))


COMMON: Checks = {
    "learning_rate": check_rate,
    "weight_decay": check_rate,
    "clip_norm": optional(ABOVE_ZERO),
    "clip_value": optional(ABOVE_ZERO),
    "groups": optional(check_groups),
    "total_steps": optional(partial(check_integer, minimum=0)),
}
