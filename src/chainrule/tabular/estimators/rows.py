"""Training rows, validation rows, and their weights."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import check_non_negative

from ..._support.checks import Array, sentence


def weights_of(who: str, name: str, weight: Any, count: int) -> Array | None:
    """Convert sample weights to float64 (N,); a single number applies to all rows."""
    if weight is None:
        return None
    if isinstance(weight, Number):
        weight = np.full(count, weight)
    found: Array = check_array(weight, ensure_2d=False, dtype=np.float64, input_name=name)
    if found.shape != (count,):
        raise ValueError(sentence(who, f"{name} of shape ({count},), one for each row", f"{found.shape}"))
    check_non_negative(found, f"`{name}`")
    if not found.any():
        raise ValueError(sentence(who, f"a {name} that is not zero", "zeros alone"))
    return found


def set_aside(labels: Array | None, count: int, fraction: float, rng: np.random.Generator) -> Array:
    """Choose validation rows: a random share, stratified by label, that leaves each label at least one row."""
    order = rng.permutation(count)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    passed = np.floor(np.arange(count + 1) * fraction + rng.random())
    chosen = np.zeros(count, bool)
    chosen[order] = np.diff(passed) > 0
    if labels is not None:
        chosen[order[np.unique(labels[order], return_index=True)[1]]] = False
    elif chosen.all():
        chosen[order[0]] = False
    return chosen
