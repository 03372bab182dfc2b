"""Ours: always ``Trainer.fit``."""

from __future__ import annotations

from chainrule._support.checks import Array
from chainrule.training.trainer import Trainer

from ..grid import Problem, make_loss, make_model, make_optimizer
from .contract import Predictor


class Ours:
    """The model and its trainer."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        row = problem.row
        self.model = make_model(row)
        self.trainer = Trainer(self.model, make_loss(row), make_optimizer(row), batch_size=row.batch)

    def train(self, passes: int) -> None:
        """Epochs as anyone would train them."""
        self.trainer.fit(self.problem.x, self.problem.y, epochs=passes * self.problem.row.epochs, verbose=0)

    def train_in_order(self) -> None:
        """Each batch as an epoch of its own: the optimizer continues from call to call."""
        x, y = self.problem.x, self.problem.y
        for part in self.problem.batches:
            self.trainer.fit(x[part], y[part], epochs=1, verbose=0)

    def outputs(self) -> Array:
        """By ``predict``."""
        return self.model.predict(self.problem.x)


contestant = Ours


def predictor(problem: Problem, x: Array) -> Predictor:
    """``predict``, with its checks."""
    model = make_model(problem.row)
    return Predictor(lambda: model.predict(x))
