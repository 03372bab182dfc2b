"""Clocks that a test sets, for its own thread alone: threads that earlier tests left, of joblib say, read them too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest


def set_clock(patch: pytest.MonkeyPatch, clock: Callable[[], float], *names: str) -> None:
    """Let this thread read ``clock`` as ``time.monotonic`` and the like; others keep theirs."""
    own = threading.get_ident()
    for name in names:
        real = getattr(time, name)
        patch.setattr(time, name, lambda real=real: clock() if threading.get_ident() == own else real())
