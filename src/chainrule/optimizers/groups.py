"""Parameter groups: factors on the learning rate and the weight decay, chosen by the names of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from .._support.checks import check_name, check_number, sentence
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
