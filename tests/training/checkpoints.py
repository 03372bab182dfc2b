"""Trainings that write checkpoints, and what it means that two of them have ended alike."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from custom import Plain

RNG = np.random.default_rng(0)
X = RNG.normal(size=(203, 6))
Y = RNG.integers(0, 3, 203)
WEIGHT = RNG.uniform(0.5, 2, 203)


class StopAfter(cr.Callback):
    """The power fails after so many steps."""

    def __init__(self, steps):
        self.left = steps

    def on_pause(self, trainer):
        if trainer.optimizer.state["step"] >= self.left:
            raise MemoryError


def trainer(folder, *more, plain=False, optimizer=None, width=16, **arguments):
    layers = [cr.Linear(6, width, "relu"), cr.BatchNorm(width), cr.Dropout(0.3), cr.Linear(width, 3)]
    model = cr.Sequential([*layers, Plain()] if plain else layers, rng=0)
    optimizer = cr.Adam(cr.schedules.OneCycle(0.01)) if optimizer is None else optimizer
    callbacks = [
        cr.callbacks.Checkpoint(folder, **arguments),
        cr.callbacks.WeightAverage(0.9),
        cr.callbacks.EarlyStopping(patience=50),
    ]
    return cr.Trainer(model, "cross_entropy", optimizer, batch_size=16, callbacks=[*callbacks, *more], rng=1)


def fit(trainer, epochs=6):
    return trainer.fit(X, Y, WEIGHT, validation=(X[:50], Y[:50]), epochs=epochs, verbose=0)


def assert_equal(mine, expected):
    np.testing.assert_array_equal(mine.model.parameters.vector, expected.model.parameters.vector)
    for name, array in expected.model.buffers.items():
        np.testing.assert_array_equal(mine.model.buffers[name], array)
    for name, array in expected.optimizer.state.items():
        np.testing.assert_array_equal(mine.optimizer.state[name], array)
    for column in set(expected.history.columns) - {"seconds"}:
        assert mine.history[column] == expected.history[column], column
