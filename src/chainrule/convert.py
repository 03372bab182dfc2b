"""Networks from and to other libraries: PyTorch, Keras, scikit-learn, skl2onnx. Each loads on first touch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .estimators import from_sklearn, to_sklearn
    from .persistence.keras import load_keras_weights
    from .persistence.onnx.converters import register_skl2onnx
    from .persistence.pytorch import load_state_dict, state_dict

_LAZY = {
    "from_sklearn": "estimators",
    "load_keras_weights": "persistence.keras",
    "load_state_dict": "persistence.pytorch",
    "register_skl2onnx": "persistence.onnx.converters",
    "state_dict": "persistence.pytorch",
    "to_sklearn": "estimators",
}

__all__ = ["from_sklearn", "load_keras_weights", "load_state_dict", "register_skl2onnx", "state_dict", "to_sklearn"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __package__), name)
    raise AttributeError(f"module 'chainrule.convert' has no attribute {name!r}")
