"""Warnings that point at the user's line: the first that is neither ours nor of a library between us."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

#: Packages whose functions call ours for the user, as ``Pipeline.fit`` does.
BETWEEN = {
    "chainrule", "sklearn", "joblib", "contextlib", "functools", "concurrent", "threading", "multiprocessing", "runpy"
}  # fmt: skip


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """``warnings.warn`` with the stack level that it takes. (``skip_file_prefixes`` came with Python 3.12.)"""
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while frame is not None and _package(frame) in BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=2 if frame is None else level)  # a worker has no line of the user's


def _package(frame: FrameType) -> str:
    """That of the code; of what ``python -m`` runs, too."""
    spec = frame.f_globals.get("__spec__")
    name: str = getattr(spec, "name", None) or frame.f_globals.get("__name__", "")
    return name.split(".")[0]
