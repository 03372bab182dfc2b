"""Signals at random moments: afterwards the process is as it was, and model and optimizer agree.

Nothing here depends on how fast the machine is. A training has no end of its own: a signal ends it, sent once a hook
has counted so many steps. What the interrupted training left is compared, bit by bit, with a twin that takes the same
number of steps without a signal.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.runtime.threads import blas_libraries

if os.name == "nt":
    pytest.skip("Windows has no such signals", allow_module_level=True)

ENDLESS = 10**9
SAMPLE, ALL = 12, 200
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(96, 12)).astype("f4"), RNG.integers(0, 3, 96)
MANY = np.tile(X, (400, 1))


class LateError(Exception):
    """Of a timeout."""


def raises(number: int, frame: Any) -> None:
    raise LateError


class Asked:
    """A handler that does not raise: the callback :class:`Sender` then ends the training."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, number: int, frame: Any) -> None:
        self.count += 1


class Sender(cr.Callback):
    """Has a signal sent once ``after`` steps are counted, at a moment that is drawn."""

    def __init__(self, send: Callable[[], None], after: int, hook: str) -> None:
        self.send, self.after, self.hook, self.sent = send, after, hook, False
        self.asked = Asked()
        if hook == "on_batch_end":  # else the compiled engine may take many steps at once
            self.on_batch_end = self._count  # type: ignore[method-assign]

    def _count(self, trainer: Any, loss: float = 0.0) -> None:
        if trainer.step >= self.after and not self.sent:
            self.sent = True
            self.send()

    def on_epoch_begin(self, trainer: Any) -> None:
        self._count(trainer)
        trainer.stop = trainer.stop or self.asked.count > 0


class StopAt(cr.Callback):
    """Ends a training after so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        if int(trainer.optimizer.state["step"]) == self.steps:
            raise KeyboardInterrupt
