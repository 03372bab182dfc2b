"""What a training learns does not depend on the clock, which may stand still, run fast or run slowly."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

X = np.random.default_rng(0).normal(size=(200, 3))


def watched(folder: Path) -> cr.Trainer:
    """With every callback that looks at a clock."""
    callbacks = [
        cr.callbacks.Checkpoint(folder, seconds=5.0),
        cr.callbacks.TimeLimit(1e9),
        cr.callbacks.Progress(),
        cr.callbacks.EarlyStopping("loss"),
    ]
    return cr.Trainer(cr.MLP([3, 8, 1], dropout=0.2, rng=0), "squared_error", batch_size=8, callbacks=callbacks)


def alone(folder: Path) -> cr.Trainer:
    """Where nobody looks, many epochs are trained in one call."""
    return cr.Trainer(cr.MLP([3, 8, 1], dropout=0.2, rng=0), "squared_error", batch_size=8)


@pytest.mark.parametrize("make", [watched, alone])
@pytest.mark.parametrize("speed", [0.0, 0.1, 10.0])
def test_training_does_not_depend_on_the_clock(make, speed: float, tmp_path: Path, monkeypatch) -> None:
    def history_and_weights() -> tuple[cr.callbacks.History, np.ndarray]:
        trainer = make(tmp_path)
        return trainer.fit(X, X[:, :1], epochs=30, verbose=0), trainer.model.parameters.vector

    history, expected = history_and_weights()
    for name in ("perf_counter", "monotonic"):
        real = getattr(time, name)
        monkeypatch.setattr(time, name, lambda real=real: speed * real())
    other, found = history_and_weights()
    assert other["loss"] == history["loss"]
    np.testing.assert_array_equal(found, expected)
