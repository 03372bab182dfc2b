"""The description of a table's encoder as version 0.1.0 wrote it into model files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def described(columns: Mapping[str, Sequence[Any]], target: str) -> dict[str, Any]:
    """Numbers by mean and deviation, words in sorted order; a target of words is classes."""
    y = columns[target]
    classes = sorted(set(y)) if isinstance(y[0], str) else []
    scaling = {"mean": 0.0, "scale": 1.0} if classes else _numbers(y)
    return {
        "format": 1,
        "task": "classification" if classes else "regression",
        "dtype": "float32",
        "target": {"name": target, "classes": classes, **scaling},
        "inputs": [{"name": name, **_rule(cells)} for name, cells in columns.items() if name != target],
    }


def _rule(cells: Sequence[Any]) -> dict[str, Any]:
    return {"values": sorted(set(cells))} if isinstance(cells[0], str) else _numbers(cells)


def _numbers(cells: Sequence[Any]) -> dict[str, Any]:
    return {"mean": float(np.mean(cells)), "scale": float(np.std(cells))}
