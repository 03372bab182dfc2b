"""The program of an estimator, from X to the answer, computes what the estimator predicts."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from scipy.sparse import csr_matrix

import chainrule as cr
from chainrule.estimators.bridges import decoding, program_of_estimator
from chainrule.layers.program import run

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)) * [1, 1000, 0.01, 5] + [0, 1e5, 3, -2000]
SCORE = ((X - X.mean(axis=0)) / X.std(axis=0)) @ [1, -1, 2, 0.5]
TWO = np.stack([SCORE, 1e4 - 30 * SCORE], axis=1)
SETTINGS = dict(hidden_layer_sizes=(9,), max_iter=5, random_state=0, batch_size=20)
LABELS = {
    "two": np.where(SCORE > 0, "yes", "no"),
    "three": np.digitize(SCORE, [-1, 1]),
    "several": np.stack([SCORE > 0, SCORE > 1], axis=1) * 1,
}
LOSSES = {
    "squared": "squared_error",
    "poisson": "poisson",
    "spread": "gaussian_nll",
    "quantiles": cr.Quantile([0.1, 0.5, 0.9]),
}


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("labels", LABELS)
def test_probabilities(labels: str, scale: bool, normalization: str | None) -> None:
    x = X if scale else X / 1000
    fitted = cr.MLPClassifier(**SETTINGS, scale=scale, normalization=normalization).fit(x, LABELS[labels])
    program = program_of_estimator("a test", fitted)
    np.testing.assert_allclose(run(program, x), fitted.predict_proba(x), rtol=1e-9, atol=1e-12)
    assert len(decoding(fitted)) == 1


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("y", [SCORE, TWO], ids=["one target", "two targets"])
@pytest.mark.parametrize("loss", LOSSES)
def test_numbers(loss: str, y: np.ndarray, scale: bool) -> None:
    x = X if scale else X / 1000
    y = np.exp(SCORE / 3) if loss == "poisson" else y
    fitted = cr.MLPRegressor(**SETTINGS, scale=scale, loss=LOSSES[loss]).fit(x, y)
    found = run(program_of_estimator("a test", fitted), x)
    expected = fitted.predict(x, return_std=True) if loss == "spread" else (fitted.predict(x),)
    np.testing.assert_allclose(found, np.hstack([one.reshape(len(x), -1) for one in expected]), rtol=1e-9, atol=1e-9)


def test_columns_that_were_scaled_without_their_mean() -> None:
    fitted = cr.MLPRegressor(**SETTINGS, scale=True).fit(csr_matrix(X), SCORE)
    program = program_of_estimator("a test", fitted)
    assert program[0].op == "scale"
    np.testing.assert_allclose(run(program, X)[:, 0], fitted.predict(X), rtol=1e-9)


def test_an_activation_without_a_program_is_named() -> None:
    class Silent(cr.Tanh):
        def apply(self, x, out):
            return np.sin(x, out=out)

    fitted = cr.MLPRegressor(**SETTINGS, activation=Silent()).fit(X / 1000, SCORE)
    for bridge in (lambda model: program_of_estimator("to_sklearn", model), cr.convert.to_sklearn):
        with pytest.raises(ValueError, match=r"to_sklearn expects layers that .*, got Silent\(\); give it program\(\)"):
            bridge(fitted)
