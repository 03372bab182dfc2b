"""Trainings whose record other tools are to read, however they ended and were resumed."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from training.small import At

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)


class PowerFails(cr.Callback):
    """Raises after all callbacks have been notified of the end of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_pause(self, trainer):
        if len(trainer.history) == self.epoch:
            raise MemoryError


class Adds(cr.Callback):
    """Adds a column from some epoch on."""

    def __init__(self, name="distance", first=3):
        self.name, self.first = name, first

    def on_epoch_end(self, trainer, row):
        if trainer.epoch >= self.first:
            row[self.name] = trainer.epoch / 8


def make(*callbacks, **arguments):
    arguments = {"batch_size": 16, "rng": 1} | arguments
    return cr.Trainer(cr.MLP([3, 4, 2], rng=0), "cross_entropy", cr.Adam(0.01), callbacks=callbacks, **arguments)


def fit(*callbacks, epochs=4, validation=(X, Y), trainer=None, **arguments):
    return (trainer or make(*callbacks, **arguments)).fit(X, Y, validation=validation, epochs=epochs, verbose=0)


def broken_and_resumed(folder, log, every=2):
    """A training whose power fails after epoch 5, and which resumes from the checkpoint of epoch 4."""
    arguments = {"metrics": ["accuracy"]}
    with pytest.raises(MemoryError):
        fit(cr.callbacks.Checkpoint(folder, every=every), log(), PowerFails(5), epochs=8, **arguments)
    again = make(cr.callbacks.Checkpoint(folder, every=every), log(), **arguments).resume(folder)
    return fit(trainer=again, epochs=8)


ENDINGS = pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "KILLED"), (RuntimeError("own trouble"), "FAILED")]
)


def fit_until(log, epoch, error):
    """Training that breaks off in this epoch; the error is heard unless it is an interruption."""

    def break_off(trainer, row):
        raise error

    if isinstance(error, KeyboardInterrupt):
        fit(log, At(epoch, break_off))
    else:
        with pytest.raises(RuntimeError, match="own trouble"):
            fit(log, At(epoch, break_off))


def not_begun(epochs):
    class NotBegun(cr.Callback):
        def on_epoch_begin(self, trainer):
            epochs.append(trainer.epoch)

    return NotBegun()
