"""Runs whose checkpoints of format 1 lie in ``corpus/checkpoints``, with the weights that they ended with.

The files were written by version 0.1.0 of November 2026, the last of format 1, with

    PYTHONPATH=src python tests/old_checkpoints.py
    CHAINRULE_KERNELS=numpy PYTHONPATH=src python tests/old_checkpoints.py
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import chainrule as cr

CORPUS = Path(__file__).with_name("corpus") / "checkpoints"
RNG = np.random.default_rng(0)
X, LABELS, WEIGHT = RNG.normal(size=(100, 6)), RNG.integers(0, 3, 100), RNG.uniform(0.5, 2, 100)
EPOCHS = 12


class StopAt(cr.Callback):
    """The power fails after so many steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_pause(self, trainer: cr.Trainer) -> None:
        if trainer.step >= self.step:
            raise MemoryError


def noisy(folder: Path, *more: cr.Callback) -> cr.Trainer:
    """Dropout, running statistics, a metric, and callbacks that remember arrays and lists."""
    layers = [cr.Linear(6, 8, "relu"), cr.BatchNorm(8), cr.Dropout(0.3), cr.Linear(8, 3)]
    callbacks = [
        cr.callbacks.WeightAverage(0.9),
        cr.callbacks.EarlyStopping(patience=50),
        cr.callbacks.TerminateOnDivergence(),
    ]
    callbacks = [cr.callbacks.Checkpoint(folder, seconds=1e-9, keep=1, monitor="loss"), *callbacks, *more]
    optimizer = cr.Adam(cr.schedules.OneCycle(0.01))
    model = cr.Sequential(layers, rng=0)
    return cr.Trainer(model, "cross_entropy", optimizer, 16, metrics=["accuracy"], callbacks=callbacks, rng=1)


def patient(folder: Path, *more: cr.Callback) -> cr.Trainer:
    """A schedule that remembers the best loss."""
    optimizer = cr.SGD(cr.schedules.ReduceOnPlateau(0.5, factor=0.5, patience=1), momentum=0.9)
    callbacks = [cr.callbacks.Checkpoint(folder, keep=1), *more]
    return cr.Trainer(cr.MLP([6, 8, 3], rng=0), "cross_entropy", optimizer, 16, callbacks=callbacks, rng=1)


#: Each run, and the step after which it stopped: 7 are an epoch.
RUNS: dict[str, tuple[Callable[..., cr.Trainer], int]] = {
    "within an epoch": (noisy, 31),
    "after an epoch": (noisy, 56),
    "plateau": (patient, 42),
}


def train(trainer: cr.Trainer) -> cr.Trainer:
    trainer.fit(X, LABELS, WEIGHT, validation=(X[:30], LABELS[:30]), epochs=EPOCHS, verbose=0)
    return trainer


def write() -> None:
    """Break each run off, keep its last checkpoint, and note the weights and the record of a run that was not."""
    from chainrule.ops.fused import KERNELS
    from chainrule.training import compiled

    compiled.CALL_SECONDS = 1e-9  # so that there is a pause after every step
    for name, (make, step) in RUNS.items():
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            try:
                train(make(folder / "broken", StopAt(step)))
            except MemoryError:
                pass
            whole = train(make(folder / "whole"))
            place = CORPUS / f"{name}-{KERNELS}".replace(" ", "-")
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(folder / "broken", place)
            np.savez(place / "end.npz", weights=whole.model.parameters.vector, loss=whole.history["loss"])


if __name__ == "__main__":
    write()
