"""Model files whose header says whatever a test wants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

import chainrule as cr

LINEAR = {"type": "Linear", "in_features": 2, "out_features": 3}
ARRAYS = {"0.W": np.zeros((2, 3), np.float32), "0.b": np.zeros(3, np.float32)}


def write(path: Path, facts: Any, arrays: dict[str, Any] | None = None) -> Path:
    """A well-formed safetensors file whose header says ``facts``."""
    text = facts if isinstance(facts, str) else json.dumps(facts)
    save_file(arrays or {}, path, metadata={"chainrule": text})
    return path


def facts(*layers: Any, **changes: Any) -> dict[str, Any]:
    return {"format": 1, "model": {"layers": list(layers), "dtype": "float32"}, "metadata": {}} | changes


def assert_refused_or_built(path: Path) -> None:
    """A sentence that names the file, and no other exception, or a model whose arrays are all there."""
    try:
        outcome: Any = cr.load(path)
    except ValueError as error:
        outcome = str(error)
    if isinstance(outcome, str):
        assert str(path) in outcome
    else:
        assert outcome.parameters.vector.size == sum(array.size for array in outcome.parameters.values())
