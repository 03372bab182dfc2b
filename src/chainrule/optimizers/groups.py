"""Parameter groups: factors on the learning rate and the weight decay, chosen by the names of parameters."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TypeAlias

import numpy as np

from .._checks import Array, check_name, check_number, sentence
from ..parameters import Parameters

Groups: TypeAlias = Mapping[str, Mapping[str, float]]

FACTORS = ("learning_rate_factor", "weight_decay_factor")


def check_groups(who: str, groups: Groups) -> None:
    """Raise unless each pattern names factors that exist, with values of at least 0."""
    if not isinstance(groups, Mapping) or not all(isinstance(factors, Mapping) for factors in groups.values()):
        example = 'groups={"*.b": {"weight_decay_factor": 0.0}}'
        raise TypeError(sentence(who, "groups as a dict of dicts", repr(groups), f"for instance {example}"))
    for pattern, factors in groups.items():
        for name, value in factors.items():
            check_name(f"{who} groups[{pattern!r}]", "a factor", name, FACTORS)
            check_number(f"{who} groups[{pattern!r}]", name, value, minimum=0.0)


def resolve_groups(who: str, groups: Groups, parameters: Parameters) -> tuple[Array | None, Array | None]:
    """For each element the factor on its learning rate and on its decay η λ; None where all are 1."""
    rate, decay = np.ones_like(parameters.vector), np.ones_like(parameters.vector)
    for pattern, factors in groups.items():
        for name in _matching(who, pattern, parameters):
            rate[parameters.slices[name]] *= factors.get("learning_rate_factor", 1.0)
            decay[parameters.slices[name]] *= factors.get("weight_decay_factor", 1.0)
    decay *= rate
    return (None if np.all(rate == 1) else rate), (None if np.all(decay == 1) else decay)


def _matching(who: str, pattern: str, parameters: Parameters) -> list[str]:
    names = list(parameters.shapes)
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        near = difflib.get_close_matches(pattern, names, n=1, cutoff=0.0)
        remedy = (f"did you mean {near[0]!r}? " if near else "") + "names: " + ", ".join(names)
        raise ValueError(sentence(f"{who} groups", "a pattern that matches a parameter's name", repr(pattern), remedy))
    return found
