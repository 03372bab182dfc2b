"""Small estimators and the sets they learn."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

import chainrule as cr

X, Y = load_iris(return_X_y=True)
X_CANCER, Y_CANCER = load_breast_cancer(return_X_y=True)
X_DIABETES, Y_DIABETES = load_diabetes(return_X_y=True)
X_FIT, X_VAL, Y_FIT, Y_VAL = train_test_split(scale(X_CANCER) + 1, Y_CANCER, test_size=0.3, random_state=0)
SETTINGS = dict(hidden_layer_sizes=(8,), max_iter=10, random_state=0)
CLASSES = np.unique(Y)


def classifier(**settings):
    return cr.MLPClassifier(**SETTINGS | settings)


def regressor(**settings):
    return cr.MLPRegressor(**SETTINGS | settings)


def weights(model):
    return [array.copy() for array in model.coefs_ + model.intercepts_]


def assert_same(first, second, tolerance=0.0):
    for one, other in zip(weights(first), weights(second), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


class Diary(cr.Callback):
    """Keeps what the network's parameters were after each step."""

    def __init__(self, stop_at=None, interrupt_at=None):
        self.steps, self.epochs, self.stop_at, self.interrupt_at = [], 0, stop_at, interrupt_at

    def on_batch_end(self, trainer, loss):
        self.steps.append(trainer.model.parameters.vector.copy())

    def on_epoch_end(self, trainer, row):
        self.epochs += 1
        if self.epochs == self.interrupt_at:
            raise KeyboardInterrupt
        trainer.stop = self.epochs == self.stop_at
