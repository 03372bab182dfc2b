"""Convert networks from and to PyTorch, Keras, scikit-learn and ONNX. Each module loads on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .estimators import from_sklearn, to_sklearn
    from .persistence.keras import load_keras_weights
    from .persistence.onnx.estimator import register_skl2onnx
    from .persistence.onnx.runtime import onnx_inputs
    from .persistence.pytorch import load_state_dict, state_dict

_LAZY = {
    "from_sklearn": "estimators",
    "load_keras_weights": "persistence.keras",
    "load_state_dict": "persistence.pytorch",
    "onnx_inputs": "persistence.onnx.runtime",
    "register_skl2onnx": "persistence.onnx.estimator",
    "state_dict": "persistence.pytorch",
    "to_sklearn": "estimators",
}

__all__ = [
    "from_sklearn",
    "load_keras_weights",
    "load_state_dict",
    "onnx_inputs",
    "register_skl2onnx",
    "state_dict",
    "to_sklearn",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __package__), name)
    raise AttributeError(f"module 'chainrule.convert' has no attribute {name!r}")
