"""Data sources, batches, splits and augmentation. Each name loads on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .augmentation import MixUp, RandomDistortion
    from .batches import split
    from .named import load_named, read_idx
    from .sources import stream

    read_table: Any

# The readers of files import parts of the standard library that training on arrays does not need.
_LAZY = {
    "MixUp": "augmentation",
    "RandomDistortion": "augmentation",
    "load_named": "named",
    "read_idx": "named",
    "read_table": ".tabular.reading",  # found here beside the other readers; nothing of data needs it
    "split": "batches",
    "stream": "sources",
}

__all__ = ["MixUp", "RandomDistortion", "load_named", "read_idx", "read_table", "split", "stream"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module 'chainrule.data' has no attribute {name!r}")
