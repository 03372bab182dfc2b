"""scikit-learn: ``partial_fit``, an epoch a call."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule._support.checks import Array

from ..grid import MOMENTUM, NotOffered, Problem
from .contract import Predictor


class ScikitLearn:
    """``MLPClassifier`` or ``MLPRegressor`` with our first parameters."""

    def __init__(self, problem: Problem) -> None:
        row = self.row = problem.row
        lacks = {"dropout": row.dropout, "batch norm": row.batch_norm, "GELU": row.activation == "gelu"}
        lacks = {"dropout": row.dropout, "batch norm": row.batch_norm, "GELU": row.activation == "gelu"}
        for what, used in lacks.items():
            if used:
                raise NotOffered(f"has no {what}")
        self.x, self.y = problem.x, problem.y.ravel() if row.regression else problem.y
        self.model = self._make(problem)

    def _make(self, problem: Problem) -> Any:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        row = self.row
        model = (MLPRegressor if row.regression else MLPClassifier)(
            hidden_layer_sizes=row.sizes[1:-1],
            solver="adam" if row.optimizer == "adam" else "sgd",
            alpha=0.0,
            batch_size=row.batch,
            learning_rate_init=row.learning_rate,
            momentum=MOMENTUM,
            nesterovs_momentum=False,
            shuffle=not row.full_batch,
        )
        model.partial_fit(self.x, self.y, **({} if row.regression else {"classes": np.arange(row.sizes[-1])}))
        for (W, b), coef, intercept in zip(problem.weights, model.coefs_, model.intercepts_, strict=True):
            coef[:], intercept[:] = W, b
        del model._optimizer  # that call made the arrays; with our parameters another training begins
        return model

    def train(self, passes: int) -> None:
        """A call for each epoch."""
        for _ in range(passes * self.row.epochs):
            self.model.partial_fit(self.x, self.y)

    def train_in_order(self) -> None:
        """Without the shuffle."""
        shuffle, self.model.shuffle = self.model.shuffle, False
        self.train(1)
        self.model.shuffle = shuffle

    def outputs(self) -> Array:
        """Logarithms of the probabilities, which are logits too."""
        if self.row.regression:
            return np.asarray(self.model.predict(self.x)).reshape(len(self.x), -1)
        return np.asarray(np.log(self.model.predict_proba(self.x)))


contestant = ScikitLearn


def predictor(problem: Problem, x: Array) -> Predictor:
    """``predict_proba``, with its checks."""
    model = ScikitLearn(problem).model
    return Predictor(lambda: model.predict_proba(x), probabilities=True)
