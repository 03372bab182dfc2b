"""Warnings that point at the user's line: the first that is neither ours nor of a library between us."""

from __future__ import annotations

import sys
import warnings

#: Packages whose functions call ours for the user, as ``Pipeline.fit`` does.
BETWEEN = {"chainrule", "sklearn", "joblib", "contextlib", "functools", "concurrent", "threading"}


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """``warnings.warn`` with the stack level that it takes. (``skip_file_prefixes`` came with Python 3.12.)"""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
