"""What a fit says that diverged, did not converge, or never learned."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import scipy.sparse as sp
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning

import chainrule as cr

X, Y = load_iris(return_X_y=True)
X_DIABETES, Y_DIABETES = load_diabetes(return_X_y=True)
WIDE = X * [1, 1, 1e200, 1]
SETTINGS = dict(hidden_layer_sizes=(8,), random_state=0)
THEIRS = (
    r"Solver produced non-finite parameter weights\. The input data may contain large values and need to be "
    r"preprocessed\. "
)
COLUMN = r"olumn 2 of X goes from 1e\+200 to 6\.9e\+200: standardise X \(scale=True\)"


def message_of(model, x=X, y=Y, **arguments):
    """The one warning that a fit gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y, **arguments)
    (warning,) = caught
    assert warning.category is ConvergenceWarning
    return str(warning.message)


# ---- divergence


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_wide_column_is_named(solver, early_stopping):
    model = cr.MLPRegressor(solver=solver, early_stopping=early_stopping, **SETTINGS)
    with pytest.raises(cr.DivergenceError, match=THEIRS + ".*C" + COLUMN):
        model.fit(WIDE, Y)


def test_a_wide_column_has_the_name_of_the_frame():
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pd.DataFrame(WIDE, columns=["a", "b", "area", "d"])
    with pytest.raises(cr.DivergenceError, match=r"Column 'area' of X goes from 1e\+200 to 6\.9e\+200: standardise X"):
        cr.MLPRegressor(**SETTINGS).fit(frame, Y)


def test_a_wide_column_of_sparse_rows_is_named():
    with pytest.raises(cr.DivergenceError, match="C" + COLUMN):
        cr.MLPRegressor(**SETTINGS).fit(sp.csr_matrix(WIDE), Y)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_wide_targets_are_named(solver):
    with pytest.raises(cr.DivergenceError, match=r"he target y goes from 2\.5e\+201 to 3\.46e\+202: standardise y"):
        cr.MLPRegressor(solver=solver, **SETTINGS).fit(X_DIABETES, 1e200 * Y_DIABETES)


def test_a_column_of_a_million_in_sgd():
    with pytest.raises(
        cr.DivergenceError, match=THEIRS + r".*Column 5 of X.*e\+07: standardise X.*lower learning_rate_init"
    ):
        cr.MLPRegressor(solver="sgd", activation="identity", **SETTINGS).fit(X_DIABETES * [1e8] + 1e6, Y_DIABETES)


def test_a_huge_learning_rate_is_named():
    with pytest.raises(cr.DivergenceError, match=THEIRS + r".*Lower learning_rate_init=1e\+10\.$"):
        cr.MLPRegressor(solver="sgd", activation="identity", learning_rate_init=1e10, **SETTINGS).fit(X, Y)


def test_what_is_scaled_is_not_to_be_scaled():
    model = cr.MLPRegressor(solver="sgd", activation="identity", learning_rate_init=1e10, scale=True, **SETTINGS)
    with pytest.raises(cr.DivergenceError) as found:
        model.fit(1e6 * X, 1e6 * Y)
    assert "goes from" not in str(found.value)


def test_it_is_a_value_error_as_in_scikit_learn():
    with pytest.raises(ValueError, match=r"^Solver produced non-finite parameter weights"):
        cr.MLPRegressor(**SETTINGS).fit(WIDE, Y)


def test_partial_fit_says_it_too():
    with pytest.raises(cr.DivergenceError, match="C" + COLUMN):
        cr.MLPRegressor(**SETTINGS).partial_fit(WIDE, Y)


def test_a_divergence_after_good_epochs_returns_to_the_best_of_them():
    class Burst(cr.Callback):
        def on_epoch_end(self, trainer, row):
            if trainer.epoch == 5:
                trainer.optimizer.learning_rate = 1e300

    model = cr.MLPRegressor(
        early_stopping=True, scale=True, solver="sgd", activation="identity", callbacks=[Burst()], **SETTINGS
    )
    held_out = dict(X_val=X_DIABETES[:99], y_val=Y_DIABETES[:99])
    message = message_of(model, X_DIABETES[99:], Y_DIABETES[99:], **held_out)
    assert message.startswith("Solver produced non-finite parameter weights")
    assert model.score(*held_out.values()) == pytest.approx(model.best_validation_score_, rel=1e-12)
    assert np.isnan(model.validation_scores_[-1])


# ---- no convergence

NOT_YET = "Stochastic Optimizer: Maximum iterations (%d) reached and the optimization hasn't converged yet. "


@pytest.mark.parametrize("epochs", [5, 30])
def test_a_loss_that_falls_says_how_fast(epochs):
    model = cr.MLPClassifier(max_iter=epochs, **SETTINGS)
    message = message_of(model)
    assert message.startswith(NOT_YET % epochs + "The loss still falls by ")
    assert message.endswith(" % per epoch: raise max_iter.")
    told = float(message.split("falls by ")[1].split(" %")[0]) / 100
    first, last = model.loss_curve_[max(0, epochs - 11)], model.loss_curve_[-1]
    assert told == pytest.approx(1 - (last / first) ** (1 / min(epochs - 1, 10)), rel=0.2)


def test_one_epoch_says_nothing_of_the_loss():
    assert message_of(cr.MLPClassifier(max_iter=1, **SETTINGS)) == NOT_YET % 1 + "Raise max_iter, or tol."


def test_a_fit_that_never_learned_says_so():
    message = message_of(
        cr.MLPClassifier(learning_rate_init=1e-7, max_iter=30, tol=0.0, n_iter_no_change=50, **SETTINGS)
    )
    assert "The loss has hardly fallen at all: standardise X (scale=True), or raise learning_rate_init." in message


def test_a_loss_that_rises_says_so():
    settings = dict(solver="sgd", learning_rate_init=10, max_iter=50, n_iter_no_change=99)
    message = message_of(cr.MLPClassifier(**settings, **SETTINGS))
    assert re.search(r"The loss has risen from 3.82 to \S+: lower learning_rate_init, or standardise X", message)


def test_a_loss_that_stands_still_says_so():
    class Freeze(cr.Callback):
        def on_train_begin(self, trainer):
            self.start = trainer.model.parameters.vector.copy()

        def on_batch_end(self, trainer, loss):
            trainer.model.parameters.vector[:] = self.start

    model = cr.MLPClassifier(max_iter=15, n_iter_no_change=99, shuffle=False, callbacks=[Freeze()], **SETTINGS)
    message = message_of(model)
    assert "The loss stands still: raise tol; or, if it is too high, the units may all be saturated or dead" in message


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (cr.MLPClassifier(learning_rate_init=1e-9, **SETTINGS), Y),
        (cr.MLPClassifier(learning_rate_init=1e-9, **SETTINGS), Y == 1),
        (cr.MLPClassifier(learning_rate_init=1e-9, **SETTINGS), np.column_stack([Y == 0, Y == 1]).astype(int)),
        *[
            (cr.MLPRegressor(loss, learning_rate_init=1e-9, **SETTINGS), 1.0 + Y)
            for loss in ("squared_error", "absolute_error", "huber", "log_cosh", "poisson")
        ],
    ],
    ids=["classes", "two classes", "labels", "squared_error", "absolute_error", "huber", "log_cosh", "poisson"],
)
@pytest.mark.parametrize("weight", [None, np.linspace(0, 2, len(Y))], ids=["", "weights"])
def test_a_fit_that_ends_and_knows_no_more_than_a_constant_says_so(model, y, weight):
    message = message_of(model, y=y, sample_weight=weight)
    assert message.startswith("Stochastic Optimizer: The network has learned nothing: its loss ends at ")
    assert message.endswith("Try a higher or a lower learning_rate_init.")


def test_a_fit_that_learned_nothing_says_what_was_wide():
    message = message_of(cr.MLPRegressor(solver="sgd", random_state=0), X_DIABETES, 1e5 * Y_DIABETES)
    assert "The network has learned nothing" in message
    assert "The target y goes from 2.5e+06 to 3.46e+07: standardise y (scale=True does), or divide it; try" in message


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (cr.MLPClassifier(learning_rate_init=0.01, max_iter=2000, tol=1e-3, **SETTINGS), Y),
        (cr.MLPRegressor(learning_rate_init=0.01, max_iter=2000, tol=1e-3, **SETTINGS), Y),
        (cr.MLPClassifier(learning_rate_init=0.01, max_iter=2000, tol=1e-3, alpha=50.0, **SETTINGS), Y),
        (cr.MLPClassifier(learning_rate_init=1e-9, **SETTINGS), np.zeros(len(Y))),
        (cr.MLPRegressor("quantile", learning_rate_init=1e-9, **SETTINGS), Y),
        (cr.MLPRegressor(learning_rate_init=1e-9, **SETTINGS), np.ones(len(Y))),
    ],
    ids=["classifier", "regressor", "large alpha", "one class", "quantiles", "one number"],
)
def test_a_fit_that_learned_or_had_nothing_to_learn_does_not_complain(model, y):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(X, y)
    assert said == []


def test_a_loss_that_leaps_says_so():
    message = message_of(
        cr.MLPClassifier(learning_rate_init=1.0, batch_size=8, max_iter=60, n_iter_no_change=99, **SETTINGS)
    )
    assert "The loss oscillates: lower learning_rate_init, or raise batch_size or tol." in message


@pytest.mark.parametrize(
    "settings",
    [dict(tol=0.01, learning_rate_init=0.02), dict(max_iter=1, solver="lbfgs", tol=1e9)],
    ids=["adam", "lbfgs"],
)
def test_a_fit_that_converged_says_nothing(settings):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        cr.MLPClassifier(**SETTINGS | settings).fit(X, Y)
        for _ in range(3):
            cr.MLPClassifier(max_iter=1, **SETTINGS).partial_fit(X, Y, classes=[0, 1, 2])
    assert said == []


def test_lbfgs_says_what_scikit_learn_says():
    assert "lbfgs failed to converge after 2 iteration(s)" in message_of(
        cr.MLPClassifier(solver="lbfgs", max_iter=2, **SETTINGS)
    )


def test_a_batch_larger_than_the_data_is_told():
    with pytest.warns(UserWarning, match="Got `batch_size` less than 1 or larger than sample size"):
        cr.MLPClassifier(batch_size=151, tol=0.01, max_iter=2000, learning_rate_init=0.02, **SETTINGS).fit(X, Y)


def test_partial_fit_of_single_rows_compares_no_constant_with_the_network():
    model = cr.MLPClassifier(tol=1.0, **SETTINGS)
    for row in range(30):
        model.partial_fit(X[row : row + 1], Y[row : row + 1], classes=[0, 1, 2])
    assert len(model.loss_curve_) == 30
