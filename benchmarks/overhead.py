"""What it costs to watch, keep and checkpoint a training: its epochs with callbacks beside its epochs without."""

from __future__ import annotations

import io
import tempfile
import time
from typing import Any

from chainrule.training.callbacks import Callback, EarlyStopping, Progress, Training
from chainrule.training.checkpoint import Checkpoint
from chainrule.training.trainer import Trainer

from .grid import Problem, Row, make_loss, make_model, make_optimizer, make_problem
from .timing import PAUSE, Pairs

ROW = Row((784, 128, 10), 128, steps=469)  # an epoch of as many rows as MNIST has
EPOCHS = 6  # of each side in a round: the first checkpoint takes memory that the others find
WATCHED = "History, Progress, Checkpoint after each epoch, EarlyStopping"


class Clock(Callback):
    """The seconds of the epochs, each with all that is done at its end; first in the list, it is also the last told."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_epoch_begin(self, trainer: Training) -> None:
        """Look at the clock."""
        self.times.append(time.perf_counter())

    def on_train_end(self, trainer: Training) -> None:
        """And once more."""
        self.times.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """Of an epoch."""
        return (self.times[-1] - self.times[0]) / (len(self.times) - 1)


def train(problem: Problem, *callbacks: Callback) -> float:
    """Seconds of an epoch with these callbacks."""
    clock, row = Clock(), problem.row
    model, optimizer = make_model(row), make_optimizer(row)
    trainer = Trainer(model, make_loss(row), optimizer, batch_size=row.batch, callbacks=[clock, *callbacks])
    trainer.fit(problem.x, problem.y, epochs=EPOCHS, verbose=0)
    return clock.seconds


def watched(problem: Problem) -> float:
    """With what people use."""
    with tempfile.TemporaryDirectory() as folder:
        stopping = EarlyStopping("loss", patience=EPOCHS)
        return train(problem, Progress(file=io.StringIO()), Checkpoint(folder), stopping)


def measure(rounds: int, row: Row = ROW) -> dict[str, Any]:
    """Both in turn, as JSON values; who goes first alternates. A History is always kept."""
    problem, pairs = make_problem(row), Pairs()
    sides = [(train, pairs.ours), (watched, pairs.theirs)]
    for side, _ in sides:
        side(problem)  # and all is loaded
    for count in range(rounds):
        for side, taken in sides[:: 1 if count % 2 == 0 else -1]:
            time.sleep(PAUSE)
            taken.append(side(problem))
    return {"row": row.name, "watched": WATCHED} | pairs.summary()
