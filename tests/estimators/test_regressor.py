"""What the regressor does beyond scikit-learn's: its losses, scaled targets, several at once, predicted spread."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import chainrule as cr

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_diabetes(return_X_y=True)
BOTH = np.column_stack([Y, 400 - Y])
SETTINGS = dict(hidden_layer_sizes=(8,), max_iter=20, random_state=0, shuffle=False, tol=0.0)
LOSSES = {
    "squared_error": cr.HalfSquaredError(),
    "poisson": cr.PoissonNLL(),
    "absolute_error": cr.AbsoluteError(),
    "huber": cr.Huber(),
    "log_cosh": cr.LogCosh(),
    "quantile": cr.Quantile(),
    "gaussian_nll": cr.GaussianNLL(),
}


def regressor(**settings):
    return cr.MLPRegressor(**SETTINGS | settings)


def assert_same(first, second, tolerance=1e-9):
    for one, other in zip(first.coefs_ + first.intercepts_, second.coefs_ + second.intercepts_, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def constant(loss, y, **settings):
    """What is predicted where X says nothing."""
    settings = dict(hidden_layer_sizes=(), solver="lbfgs", alpha=0.0, tol=1e-9, max_iter=2000) | settings
    model = cr.MLPRegressor(loss, random_state=0, **settings).fit(np.ones((len(y), 1)), y)
    return model, np.ravel(model.predict([[1.0]]))


# ---- weights


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "gaussian_nll"])
def test_weight_2_is_the_row_twice_and_weight_0_no_row(solver, loss):
    weight = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)
    rows = np.repeat(np.arange(len(X)), weight.astype(int))
    weighted = regressor(loss=loss, solver=solver, batch_size=len(X), scale=True).fit(X, Y, weight)
    repeated = regressor(loss=loss, solver=solver, batch_size=len(rows), scale=True).fit(X[rows], Y[rows])
    assert_same(weighted, repeated, 1e-7)


# ---- losses


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("targets", [Y, BOTH], ids=["one target", "two targets"])
@pytest.mark.parametrize("scaled", [False, True], ids=["", "scale"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_goes_by_name_and_as_object(name, scaled, targets, solver):
    settings = dict(solver=solver, scale=scaled, tol=1e-3)
    by_name = regressor(loss=name, **settings).fit(X, targets)
    as_object = regressor(loss=LOSSES[name], **settings).fit(X, targets)
    assert_same(by_name, as_object, 0)
    shape = (*targets.shape, 3) if name == "quantile" else targets.shape
    assert by_name.predict(X).shape == shape
    assert np.isfinite(by_name.predict(X)).all()
    assert by_name.n_outputs_ == (1 if targets.ndim == 1 else 2)
    assert np.isfinite(by_name.score(X, targets))


@pytest.mark.parametrize("name", ["squared_error", "poisson", "absolute_error", "huber", "log_cosh"])
@pytest.mark.parametrize("targets", [Y, BOTH], ids=["one target", "two targets"])
def test_each_loss_learns(name, targets):
    model = regressor(loss=name, scale=True, solver="lbfgs", max_iter=100, tol=1e-3).fit(X, targets / 100)
    assert model.score(X, targets / 100) > 0.4


def test_absolute_error_finds_the_median_and_squared_error_the_mean():
    y = np.array([0.0, 1.0, 2.0, 3.0, 100.0])
    assert constant("squared_error", y)[1] == pytest.approx([y.mean()], abs=1e-4)
    adam = dict(solver="adam", learning_rate_init=0.02, max_iter=1000, n_iter_no_change=1000)
    assert constant("absolute_error", y, **adam)[1] == pytest.approx([np.median(y)], abs=0.1)


def test_poisson_predicts_the_mean_and_nothing_negative():
    y = np.random.default_rng(0).poisson(3.0, 500)
    assert constant("poisson", y)[1] == pytest.approx([y.mean()], rel=1e-4)
    counts = np.random.default_rng(0).poisson(np.exp(20 * X[:, 2]))
    model = regressor(loss="poisson", solver="lbfgs", alpha=0.0, max_iter=500).fit(X, counts)
    assert (model.predict(10 * X - 5) > 0).all()
    assert model.predict(X).mean() == pytest.approx(counts.mean(), rel=1e-3)
    assert model.out_activation_ == "exp"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_poisson_predicts_no_infinity(dtype):
    model = regressor(loss="poisson").fit(X.astype(dtype), Y)
    assert np.isfinite(model.predict((1e6 * X).astype(dtype))).all()


def test_counts_are_not_negative():
    with pytest.raises(ValueError, match="PoissonNLL expects counts y that are not negative, got -346"):
        regressor(loss="poisson").fit(X, -Y)


@pytest.fixture(scope="module")
def noisy():
    """y = sin 3x + noise whose spread grows with x; the x, the y, the spread."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (4000, 1))
    spread = 0.2 * np.exp(x[:, 0])
    return x, 5 + 100 * (np.sin(3 * x[:, 0]) + spread * rng.normal(size=len(x))), 100 * spread


FIT = dict(
    hidden_layer_sizes=(32,), activation="tanh", scale=True, max_iter=60, learning_rate_init=0.01, schedule="cosine"
)


def test_quantiles_cover_what_they_say(noisy):
    x, y, _ = noisy
    levels = (0.05, 0.5, 0.9)
    model = cr.MLPRegressor(cr.Quantile(levels), random_state=0, **FIT).fit(x, y)
    below = (y[:, None] < model.predict(x)).mean(axis=0)
    np.testing.assert_allclose(below, levels, atol=0.03)
    assert model.score(x, y) == r2_score(y, model.predict(x)[:, 1])  # that of the median
    narrow, wide = (np.diff(model.predict([[at]])[0][[0, 2]])[0] for at in (-0.8, 0.8))
    assert wide > 2 * narrow


def test_the_predicted_spread_is_the_true_one(noisy):
    x, y, spread = noisy
    model = cr.MLPRegressor("gaussian_nll", random_state=0, **FIT).fit(x, y)
    mean, std = model.predict(x, return_std=True)
    assert mean.shape == std.shape == y.shape
    assert np.corrcoef(std, spread)[0, 1] > 0.97
    assert np.median(std / spread) == pytest.approx(1, abs=0.05)
    assert ((y - mean) / std).std() == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(mean, model.predict(x))


def test_the_spread_of_two_targets_has_their_units(noisy):
    x, y, spread = noisy
    _, std = (
        cr.MLPRegressor("gaussian_nll", random_state=0, **FIT)
        .fit(x, np.column_stack([y, -y / 10]))
        .predict(x, return_std=True)
    )
    np.testing.assert_allclose(np.median(std / spread[:, None], axis=0), [1, 0.1], rtol=0.1)


def test_only_one_loss_predicts_a_spread():
    with pytest.raises(ValueError, match=r"predict\(return_std=True\) expects loss=\"gaussian_nll\", got loss='huber'"):
        regressor(loss="huber").fit(X, Y).predict(X, return_std=True)


def test_a_loss_of_ones_own():
    class Asymmetric(cr.losses.Loss):
        """Too little costs four times what too much does."""

        def terms(self, z, y):
            r = z - y
            factor = np.where(r < 0, 4.0, 1.0)
            return factor * r**2 / 2, factor * r

    y = np.arange(11.0)
    assert constant(Asymmetric(), y)[1] > constant("squared_error", y)[1] + 1


# ---- scaled inside


@pytest.mark.parametrize("targets", [Y, BOTH], ids=["one target", "two targets"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_scale_is_a_pipeline_with_two_scalers(targets, solver):
    inner = make_pipeline(StandardScaler(), regressor(solver=solver))
    outer = TransformedTargetRegressor(inner, transformer=StandardScaler()).fit(X, targets)
    inside = regressor(solver=solver, scale=True).fit(X, targets)
    np.testing.assert_allclose(inside.predict(X), outer.predict(X), rtol=1e-9)


def test_scale_leaves_counts_as_they_are():
    outer = make_pipeline(StandardScaler(), regressor(loss="poisson")).fit(X, Y)
    inside = regressor(loss="poisson", scale=True).fit(X, Y)
    np.testing.assert_allclose(inside.predict(X), outer.predict(X), rtol=1e-9)


def test_scale_stays_float32_and_takes_constant_columns():
    wide = np.column_stack([X, np.full(len(X), 1e6)]).astype(np.float32)
    model = regressor(scale=True).fit(wide, Y)
    assert model.predict(wide).dtype == np.float32
    assert {array.dtype for array in model.coefs_} == {np.dtype(np.float32)}


def test_scale_makes_far_away_data_learnable():
    far = dict(max_iter=100, solver="lbfgs", tol=1e-3)
    model = regressor(scale=True, **far).fit(1e4 * X + 1e6, 1e6 * Y + 1e8)
    assert model.score(1e4 * X + 1e6, 1e6 * Y + 1e8) > 0.45 > DummyRegressor().fit(X, Y).score(X, Y)


# ---- odd y


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.where(Y > 300, np.nan, Y), "Input y contains NaN"),
        (np.where(Y > 300, np.inf, Y), "Input y contains infinity"),
        (Y[:-1], "inconsistent numbers of samples"),
        (
            np.full(len(Y), "a"),
            "MLPRegressor expects y to be an array of numbers, got dtype <U1; encode text as numbers",
        ),
        (Y[:, None, None], "dim 3"),
    ],
    ids=["NaN", "infinity", "too short", "strings", "three dimensions"],
)
def test_y_that_is_no_number_is_refused(y, words):
    with pytest.raises((ValueError, TypeError), match=words):
        regressor().fit(X, y)


def test_y_too_large_for_float32_is_refused():
    with pytest.raises(
        ValueError, match=r"MLPRegressor expects numbers in y that float32 can hold, .* at row 0 \(442 in total"
    ):
        regressor(scale=True).fit(X.astype(np.float32), 1e200 * Y)


def test_a_later_part_has_as_many_targets():
    model = regressor().partial_fit(X, Y)
    with pytest.raises(ValueError, match="MLPRegressor expects 1 targets, as before, got 2"):
        model.partial_fit(X, BOTH)
    with pytest.raises(ValueError, match="MLPRegressor expects 1 targets, as before, got 2"):
        regressor().fit(X, Y, X_val=X, y_val=BOTH)


def test_a_loss_for_classes_is_refused():
    with pytest.raises(ValueError, match="CrossEntropy expects"):
        regressor(loss=cr.CrossEntropy()).fit(X, Y)
    with pytest.raises(ValueError, match="The 'loss' parameter of MLPRegressor must be"):
        regressor(loss="hubert").fit(X, Y)


def test_outputs_that_overflow_are_told():
    model = regressor().fit(X, Y)
    model.coefs_[0] = np.full_like(model.coefs_[0], 1e200)
    model.coefs_[1] = np.full_like(model.coefs_[1], 1e200)
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(ValueError, match=r"MLPRegressor expects finite outputs of its network, got \[.*\] for row"),
    ):
        model.predict(np.abs(X))
