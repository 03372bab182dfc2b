"""What each column contributed: the parts add up to the difference, and are those of a linear model by hand."""

from __future__ import annotations

import copy
from functools import cache

import numpy as np
import pytest

import chainrule as cr

inspection = pytest.importorskip("sklearn.inspection", reason="scikit-learn is not installed")
pd = pytest.importorskip("pandas", reason="pandas is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
N = 80
TREES = pd.DataFrame(
    {
        "height": RNG.uniform(2, 40, N),
        "kind": RNG.choice(["oak", "fir", "elm"], N, p=[0.6, 0.2, 0.2]),
        "town": RNG.choice([f"town {k}" for k in range(11)], N),
        "planted": pd.Timestamp("2001-01-01") + pd.to_timedelta(RNG.integers(0, 6000, N), "D"),
        "felled": RNG.choice(["yes", "no"], N),
        "note": [" ".join(RNG.choice(["tall", "old tree", "by the river", "cut"], 5)) + f" {k}" for k in range(N)],
    }
)
TREES.loc[::7, "height"] = np.nan
PRICE = 3 * TREES.height.fillna(30) + 20 * (TREES.kind == "oak") + RNG.normal(0, 1, N)
LABEL = np.where(PRICE.median() < PRICE, "dear", "cheap")
X, FEW = RNG.normal(size=(60, 4)), dict(hidden_layer_sizes=(8,), max_iter=30, learning_rate_init=0.05, random_state=0)
EFFORT = dict(max_epochs=6, random_state=0)


SIZE = X @ [1.0, -2.0, 0.5, 0.0]
#: An estimator of each kind, its rows and answers.
KINDS = {
    "table, classes": lambda: (cr.TabularClassifier(**EFFORT), TREES, LABEL),
    "table, labels": lambda: (cr.TabularClassifier(**EFFORT), TREES, np.stack([PRICE > 60, PRICE > 90], 1) * 1),
    "table, numbers": lambda: (cr.TabularRegressor(**EFFORT), TREES, PRICE),
    "table, quantiles": lambda: (cr.TabularRegressor(quantiles=(0.1, 0.5, 0.9), **EFFORT), TREES, PRICE),
    "two classes": lambda: (cr.MLPClassifier(**FEW), X, SIZE > 0),
    "three classes": lambda: (cr.MLPClassifier(**FEW), X, np.digitize(SIZE, [-1, 1])),
    "labels": lambda: (cr.MLPClassifier(**FEW), X, np.stack([SIZE > 0, SIZE > 1], 1) * 1),
    "numbers": lambda: (cr.MLPRegressor(activation="tanh", scale=True, **FEW), X, SIZE * 100 + 3),
    "numbers as they are": lambda: (cr.MLPRegressor(**FEW), X, SIZE),
    "counts": lambda: (cr.MLPRegressor(loss="poisson", **FEW), X, RNG.poisson(3, 60).astype(float)),
    "mean and deviation": lambda: (cr.MLPRegressor(loss="gaussian_nll", **FEW), X, SIZE),
    "quantiles": lambda: (cr.MLPRegressor(loss=cr.Quantile((0.2, 0.5)), **FEW), X, SIZE),
}


@cache
def fitted(name: str) -> tuple[object, object, object]:
    model, x, y = KINDS[name]()
    return model.fit(x, y), x, y


def answers(model: object, x: object) -> np.ndarray:
    """What the contributions explain, from the public predictions: log-odds of the likeliest class, or a number."""
    if hasattr(model, "predict_proba"):
        p = np.asarray(model.predict_proba(x))
        best = p.max(axis=1)
        return np.log(best) - np.log1p(-best)
    found = np.asarray(model.predict(x))
    return found[:, 1] if found.ndim == 2 else found


@pytest.mark.parametrize("name", KINDS)
def test_they_add_up_to_the_difference_from_the_baseline(name: str) -> None:
    model, x, y = fitted(name)
    rows = x.iloc[:3] if hasattr(x, "iloc") else x[:3]
    found = cr.explain(model, rows, baseline=x).contributions
    assert (found.error <= 0.01).all()
    np.testing.assert_allclose(found.values.sum(axis=1), found.end - found.start, rtol=0.01)
    end = np.clip(found.end, model.low_, model.high_) if hasattr(model, "low_") else found.end  # as predict does
    np.testing.assert_allclose(end, answers(model, rows), rtol=2e-3, atol=2e-3)
    one = x.iloc[[1]] if hasattr(x, "iloc") else x[1]
    single = cr.explain(model, one, y[1], baseline=x)
    np.testing.assert_allclose(single.contributions.values[0], found.values[1])
    assert single.loss is not None
    assert single.steps[-1].outputs.shape[0] == 1
    assert found.columns == tuple(x.columns if hasattr(x, "columns") else ["x0", "x1", "x2", "x3"])


def test_of_a_linear_model_they_are_its_coefficients_times_the_steps() -> None:
    model = cr.MLPRegressor(hidden_layer_sizes=(3,), activation="identity", max_iter=5, random_state=0)
    model.fit(X, X @ [1.0, -2.0, 0.5, 0.0] * 50 + 7)
    slope = np.array([model.predict(np.eye(4)[[k]])[0] - model.predict(np.zeros((1, 4)))[0] for k in range(4)])
    found = cr.explain(model, X[5], baseline=X[9]).contributions
    np.testing.assert_allclose(found.values[0], slope * (X[5] - X[9]), rtol=1e-4, atol=1e-4)
    assert found.origin == "the given row"


def test_a_column_that_says_what_the_baseline_says_contributes_nothing() -> None:
    model, x, _ = fitted("table, numbers")
    row, other = x.iloc[[3]].copy(), x.iloc[[4]]
    for name in ("town", "planted", "height", "note"):
        row[name] = other[name].values
    found = cr.explain(model, row, baseline=other).contributions
    by_name = dict(zip(found.columns, found.values[0], strict=True))
    assert {name for name, value in by_name.items() if value == 0} >= {"town", "planted", "height", "note"}
    assert found.cells[2] == found.baseline[2] == other.town.item()


def test_a_gap_and_its_indicator_are_one_column() -> None:
    model, x, _ = fitted("table, numbers")
    cells = {cell.column: cell for cell in cr.explain(model, x.iloc[[7]]).cells}
    assert cells["height"].value == "missing"
    assert cells["height"].features == ("height", "height is missing")
    assert cells["planted"].features[-1] == "planted (weekday, cos)"
    assert cells["town"].features == ("code of town",)
    encoded = model.encoder_.transform(x.iloc[[7]])
    numbers = np.concatenate([cell.numbers for cell in cells.values() if cell.column != "town"])
    np.testing.assert_array_equal(np.sort(numbers), np.sort(encoded.numbers[0]))
    assert cells["town"].numbers.tolist() == encoded.codes[0].tolist()


def test_the_baseline_of_several_rows_is_their_typical_row() -> None:
    model, x, _ = fitted("table, classes")
    found = cr.explain(model, x.iloc[[1]], baseline=x).contributions
    said = dict(zip(found.columns, found.baseline, strict=True))
    assert said["kind"] == "oak"
    assert said["felled"] == x.felled.mode()[0]
    present = x.height.dropna().sort_values()
    assert float(said["height"]) == pytest.approx(present.iloc[(len(present) - 1) // 2])
    assert said["town"] == x.town.mode()[0]


def test_without_a_baseline_the_estimator_knows_one_from_training() -> None:
    model, x, _ = fitted("table, classes")
    found = cr.explain(model, x.iloc[[1]]).contributions
    said = dict(zip(found.columns, found.baseline, strict=True))
    assert said["kind"] == said["town"] == "no known category"
    assert abs(float(said["height"]) - x.height.median()) < 5
    assert found.error[0] <= 0.01
    model, x, _ = fitted("numbers")
    found = cr.explain(model, x[0]).contributions
    assert found.origin == "the mean of each column in training"
    np.testing.assert_allclose(np.array(found.baseline, float), x.mean(axis=0), rtol=1e-4, atol=1e-5)


def test_several_rows_with_answers_stand_beside_permutation_importances() -> None:
    model, x, y = fitted("three classes")
    found = cr.explain(model, x, y)
    assert found.steps == ()
    expected = inspection.permutation_importance(model, x, y, n_repeats=5, random_state=0).importances_mean
    np.testing.assert_allclose(found.contributions.importance, expected, atol=0.15)
    assert found.contributions.importance.argmax() == np.abs(found.contributions.values).mean(axis=0).argmax() == 1
    assert "fall of the accuracy" in str(found)
    model, x, y = fitted("table, numbers")
    importance = cr.explain(model, x, y).contributions.importance
    assert importance.shape == (6,)
    assert np.isfinite(importance).all()


@pytest.mark.parametrize("name", ["table, classes", "table, numbers"])
def test_permutation_importances_of_scikit_learn_agree(name: str) -> None:
    model, x, y = fitted(name)
    scoring = "accuracy" if name == "table, classes" else "neg_root_mean_squared_error"
    expected = inspection.permutation_importance(model, x, y, scoring=scoring, n_repeats=5, random_state=0)
    found = cr.explain(model, x, y).contributions.importance
    np.testing.assert_allclose(found, expected.importances_mean, atol=3 * expected.importances_std.max() + 1e-9)
    assert found.argmax() == expected.importances_mean.argmax()


@pytest.mark.parametrize("name", ["labels", "quantiles"])
def test_of_several_answers_for_a_row_there_are_no_importances(name: str) -> None:
    model, x, y = fitted(name)
    found = cr.explain(model, x, y).contributions
    assert found.importance is None
    assert (found.error <= 0.01).all()


def test_of_many_rows_a_hundred_are_explained() -> None:
    model, x, _ = fitted("numbers")
    found = cr.explain(model, np.tile(x, (4, 1)))
    assert len(found.contributions.values) == len(found.contributions.rows) == 100
    assert found.contributions.rows[[0, -1]].tolist() == [0, 239]
    assert found.conditions == "240 rows; contributions of 100 of them"


def test_a_row_is_read_in_every_form() -> None:
    model, x, _ = fitted("table, numbers")
    expected = cr.explain(model, x.iloc[[2]]).contributions.values
    for row in (x.iloc[2], x.iloc[2].to_dict(), {name: [value] for name, value in x.iloc[2].items()}):
        np.testing.assert_allclose(cr.explain(model, row).contributions.values, expected)
    model, x, _ = fitted("numbers")
    expected = cr.explain(model, x[2:3]).contributions.values
    for row in (x[2], x[2].tolist(), [x[2].tolist()]):
        np.testing.assert_allclose(cr.explain(model, row).contributions.values, expected)


def test_what_does_not_fit_is_refused_in_a_sentence() -> None:
    model, x, y = fitted("table, classes")
    with pytest.raises(ValueError, match="no loss beside an estimator"):
        cr.explain(model, x.iloc[[0]], y[0], loss="cross_entropy")
    with pytest.raises(ValueError, match="as many values in y"):
        cr.explain(model, x.iloc[:3], y[:2])
    with pytest.raises(ValueError, match="the column 'height'"):
        cr.explain(model, x.iloc[[0]].drop(columns="height"))
    for thing in (None, "row", 3):
        with pytest.raises(TypeError, match="explain expects a row or rows, got"):
            cr.explain(model, thing)
    with pytest.raises(ValueError, match="before fit; call fit first"):
        cr.explain(cr.TabularClassifier(), x)
    with pytest.raises(ValueError, match=r"a baseline of shape \(N, 4\), got \(60, 3\)"):
        cr.explain(fitted("numbers")[0], X[0], baseline=X[:, :3])
    with pytest.raises(ValueError, match="a baseline of at least one row, got none"):
        cr.explain(model, x.iloc[[0]], baseline=x.iloc[:0])
    for kind, strange in (("table, classes", 3), ("two classes", "maybe"), ("three classes", np.nan)):
        model, x, _ = fitted(kind)
        with pytest.raises(ValueError, match=r"explain expects y among the classes .*, got "):
            cr.explain(model, x.iloc[[0]] if hasattr(x, "iloc") else x[0], strange)


def test_those_of_an_average_are_the_averages_of_its_members() -> None:
    """Members read the same codes, each in tables of its own."""
    model, x, _ = fitted("table, numbers")
    one, both = model.model_, copy.copy(model)
    other = copy.deepcopy(one)
    other.parameters.vector[:] *= 0.9
    each = []
    for network in (one, other, cr.Sequential([cr.Members([one, other])])):
        both.model_ = network
        each.append(cr.explain(both, x[:3], baseline=x).contributions.values)
    np.testing.assert_allclose(each[2], (each[0] + each[1]) / 2, rtol=0.05, atol=0.05)
