"""A training in another thread that halts in its first epoch, so that a test can do something else meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import chainrule as cr

HANGS = 600  # seconds, after which a test fails that would never end


class Gate(cr.Callback):
    """Holds training in its first epoch until it is opened."""

    def __init__(self) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()

    def on_epoch_begin(self, trainer: Any) -> None:
        self._reached.set()
        assert self._opened.wait(HANGS)

    @contextmanager
    def holding(self, fit: Callable[[], Any]) -> Iterator[None]:
        """Inside, ``fit`` is in its first epoch; at the end of the block it goes to its own."""
        thread = threading.Thread(target=fit)
        thread.start()
        try:
            assert self._reached.wait(HANGS)
            yield
        finally:
            self._opened.set()
            thread.join()
