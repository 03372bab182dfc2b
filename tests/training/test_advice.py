"""After a training that learned nothing from columns out of scale, fit says so, with numbers and a remedy."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 5))
WIDE = X * [1, 1, 1e5, 1, 1] + [0, 0, 3e5, 0, 0]
NUMBERS, LABELS = X[:, :2] @ RNG.normal(size=(2, 1)), (X[:, 0] > 0).astype(int)
COLUMN = r"column 2 of x has a spread of \S+, the median column \S+: standardise x"
SAYS = rf"^fit expects a network that learns something, got a loss of (\S+), where a constant has (\S+); {COLUMN}\.$"


def regression(*layers: cr.Layer, **settings: Any) -> cr.Trainer:
    made = [*layers, cr.Linear(5, 16, "tanh"), cr.Linear(16, 1)]
    return cr.Trainer(cr.Sequential(made, rng=0), **{"loss": "squared_error", "optimizer": cr.Adam(1e-4)} | settings)


def classification(outputs: int, loss: Any) -> cr.Trainer:
    return cr.Trainer(cr.MLP([5, 16, outputs], "tanh", rng=0), loss, cr.Adam(1e-4))


def said(fit: Callable[[], Any]) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit()
    return caught


CASES: dict[str, tuple[Callable[[], cr.Trainer], np.ndarray]] = {
    "squares": (regression, NUMBERS),
    "absolute": (lambda: regression(loss="absolute_error"), NUMBERS),
    "classes": (lambda: classification(2, "cross_entropy"), LABELS),
    "soft classes": (lambda: classification(2, "cross_entropy"), np.eye(2)[LABELS]),
    "one logit": (lambda: classification(1, "binary_cross_entropy"), LABELS[:, None]),
    "dropout in front": (lambda: regression(cr.Dropout(0.1)), NUMBERS),
}


@pytest.mark.parametrize("case", CASES)
def test_who_forgot_to_scale_is_told_at_the_line_of_fit(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, y = CASES[case]
    one = make()
    (warning,) = said(lambda: one.fit(WIDE, y, epochs=2))
    found = re.match(SAYS, str(warning.message))
    assert found, warning.message
    assert warning.filename == __file__
    assert float(found[1]) == pytest.approx(one.evaluate(WIDE, y)["loss"], rel=0.01)
    assert float(found[1]) >= float(found[2])


def test_the_constant_is_right() -> None:
    (warning,) = said(lambda: regression().fit(WIDE, NUMBERS, epochs=1))
    found = re.match(SAYS, str(warning.message))
    assert found
    assert float(found[2]) == pytest.approx(NUMBERS.var(), rel=0.01)


def test_targets_out_of_scale_are_named() -> None:
    (warning,) = said(lambda: regression().fit(X, 1e4 * NUMBERS, epochs=1))
    says = r"; y has a spread of \S+: standardise y, or its errors outgrow every weight\.$"
    assert re.search(says, str(warning.message))


def interrupted() -> Any:
    class Stop(cr.Callback):
        def on_epoch_end(self, trainer: Any, row: Any) -> None:
            raise KeyboardInterrupt

    return regression(callbacks=[Stop()]).fit(WIDE, NUMBERS)


def own(z: Any, y: Any, weight: Any) -> Any:
    return cr.SquaredError()(z, y, weight)


class Mine(cr.SquaredError):
    """A loss of the user's."""


SILENT: dict[str, Callable[[], Any]] = {
    "verbose=0": lambda: regression().fit(WIDE, NUMBERS, epochs=2, verbose=0),
    "standardised": lambda: regression().fit(X, NUMBERS, epochs=1),
    "nothing to learn": lambda: regression().fit(X, RNG.normal(size=(400, 1)), epochs=2),
    "learned nevertheless": lambda: regression(optimizer=cr.Adam(0.05)).fit(X * [1, 1, 101, 1, 1], NUMBERS, epochs=60),
    "batch normalisation": lambda: regression(cr.BatchNorm(5)).fit(WIDE, NUMBERS, epochs=1),
    "layer normalisation": lambda: regression(cr.LayerNorm(5)).fit(WIDE, NUMBERS, epochs=1),
    "a learned scale": lambda: regression(cr.Scale(5)).fit(WIDE, NUMBERS, epochs=1),
    "interrupted": interrupted,
    "a loss of one's own": lambda: regression(loss=own).fit(WIDE, NUMBERS, epochs=1),
    "a class of one's own": lambda: regression(loss=Mine()).fit(WIDE, NUMBERS, epochs=1),
    "a loss whose constant is unknown": lambda: regression(loss=cr.Quantile((0.5,))).fit(WIDE, NUMBERS, epochs=1),
    "probabilities": lambda: cr.Trainer(cr.MLP([5, 2], softmax=True, rng=0), cr.CrossEntropy(from_logits=False)).fit(
        WIDE, LABELS, epochs=1
    ),
    "one class": lambda: classification(2, "cross_entropy").fit(WIDE, LABELS * 0, epochs=1),
    "a constant to predict": lambda: regression().fit(WIDE, NUMBERS * 0, epochs=1),
    "no epoch left": lambda: classification(2, "cross_entropy").fit(WIDE[:1], LABELS[:1], epochs=1),
}


@pytest.mark.parametrize("case", SILENT)
def test_nothing_is_said_where_it_could_be_wrong(case: str) -> None:
    assert said(SILENT[case]) == []


def test_weights_count() -> None:
    weight = (LABELS == 1).astype(float)
    assert said(lambda: classification(2, "cross_entropy").fit(WIDE, LABELS, weight, epochs=1)) == []
    (warning,) = said(lambda: classification(2, "cross_entropy").fit(WIDE, LABELS, 1 + 3 * weight, epochs=1))
    assert re.match(SAYS, str(warning.message))


def test_sparse_rows_are_left_alone() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    assert said(lambda: regression().fit(sparse.csr_matrix(WIDE), NUMBERS, epochs=1)) == []


def test_an_estimator_speaks_for_itself() -> None:
    pytest.importorskip("sklearn")
    caught = said(lambda: cr.MLPClassifier((4,), max_iter=2, verbose=True).fit(WIDE, LABELS))
    assert not any("fit expects" in str(one.message) for one in caught)
