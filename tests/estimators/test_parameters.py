"""The constructor's parameters: what each makes of the network, and which values and data are refused, and how."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import sklearn.neural_network as theirs
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.utils._param_validation import InvalidParameterError

import chainrule as cr
from chainrule.layers.activations import ACTIVATIONS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
ESTIMATORS = cr.MLPClassifier, cr.MLPRegressor
SETTINGS = dict(hidden_layer_sizes=(8,), max_iter=5, random_state=0)


# ---- the network


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("name", sorted(ACTIVATIONS.keys() - {"softmax"}))
def test_every_activation_learns(name, solver):
    settings = dict(solver=solver, activation=name, scale=True, learning_rate_init=0.02, max_iter=150)
    model = cr.MLPClassifier(**SETTINGS | settings).fit(X, Y)
    assert model.score(X, Y) > 0.9
    np.testing.assert_array_equal(model.coefs_[0], clone(model).fit(X, Y).coefs_[0])


@pytest.mark.parametrize(("name", "ours"), [("logistic", "sigmoid"), ("identity", "identity"), ("tanh", "tanh")])
def test_the_names_of_scikit_learn_are_our_activations(name, ours):
    model = cr.MLPClassifier(activation=name, **SETTINGS).fit(X, Y)
    z = X
    for index, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        z = z @ W + b
        if index == 0 and ours != "identity":
            z = getattr(cr.ops, ours)(z)
    np.testing.assert_allclose(model.model_.predict(X), z, rtol=1e-9)


def test_each_hidden_layer_may_have_its_own_activation():
    leaky = cr.LeakyReLU(0.3)
    model = cr.MLPClassifier((5, 6, 7), activation=["tanh", leaky, leaky], max_iter=5, random_state=0).fit(X, Y)
    hidden = np.tanh(X @ model.coefs_[0] + model.intercepts_[0])
    for W, b in zip(model.coefs_[1:3], model.intercepts_[1:3], strict=True):
        hidden = hidden @ W + b
        hidden = np.where(hidden > 0, hidden, 0.3 * hidden)
    np.testing.assert_allclose(model.model_.predict(X), hidden @ model.coefs_[3] + model.intercepts_[3], rtol=1e-9)
    assert clone(model).fit(X, Y).model_ is not model.model_
    model.fit(X, Y)  # the objects may serve again


@pytest.mark.parametrize(
    ("sizes", "shapes"), [((), [(4, 3)]), (5, [(4, 5), (5, 3)]), (np.array([2, 3]), [(4, 2), (2, 3), (3, 3)])]
)
def test_hidden_layer_sizes_are_a_number_or_several_or_none(sizes, shapes):
    model = cr.MLPClassifier(sizes, max_iter=2).fit(X, Y)
    assert [W.shape for W in model.coefs_] == shapes
    assert model.n_layers_ == len(shapes) + 1


# ---- values that are refused: in fit, and not before

BAD = {
    "hidden_layer_sizes": [None, "100", -1, 0],
    "activation": ["rulu", None, 3],
    "solver": ["newton", None],
    "alpha": [-1, "1"],
    "batch_size": [0, "all", 1.5],
    "learning_rate": ["fast"],
    "learning_rate_init": [0, -1],
    "max_iter": [0, 1.5],
    "shuffle": ["yes"],
    "random_state": [1.5],
    "tol": [-1],
    "momentum": [1.0, -0.1],
    "early_stopping": ["yes"],
    "validation_fraction": [1.0, -0.1],
    "beta_1": [1.0],
    "epsilon": [0],
    "n_iter_no_change": [0, 1.5],
    "dropout": [1, -0.1, "0.1"],
    "input_dropout": [1.0],
    "normalization": ["group", True],
    "optimizer": ["adamx", cr.AdamW, 3],
    "schedule": ["linear", 3],
    "weight_decay": [-1],
    "max_norm": [0, "2"],
    "average": [0, 1, 1.5],
    "scale": ["X", None],
    "scoring": ["acuracy", 3],
    "callbacks": [cr.callbacks.MaxNorm(1), "x"],
}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_value_that_is_not_allowed_is_named_in_fit(estimator, name, value):
    model = estimator(**{name: value})
    assert model.get_params()[name] is value
    with pytest.raises(InvalidParameterError) as found:
        model.fit(X, Y)
    assert f"The '{name}' parameter of {estimator.__name__} must be" in str(found.value)
    assert f"Got {value!r} instead." in str(found.value)


def test_every_parameter_of_scikit_learn_is_there_with_its_default():
    for ours, other in zip(ESTIMATORS, (theirs.MLPClassifier, theirs.MLPRegressor), strict=True):
        defaults = other().get_params()
        assert {name: ours().get_params()[name] for name in defaults} == defaults
        assert list(ours._parameter_constraints) != []
        assert ours._parameter_constraints.keys() == ours().get_params().keys()


WRONG = [
    (dict(hidden_layer_sizes=(10.5,)), TypeError, r"integers in hidden_layer_sizes, got \[10.5\]"),
    (dict(hidden_layer_sizes=([10],)), TypeError, r"integers in hidden_layer_sizes, got \[\[10\]\]"),
    (dict(hidden_layer_sizes=("10",)), TypeError, r"integers in hidden_layer_sizes, got \['10'\]"),
    (dict(hidden_layer_sizes=(10, 0)), ValueError, r"hidden_layer_sizes must be > 0, got \[10, 0\]"),
    (dict(activation=["relu"]), ValueError, r"one activation for each of 2 hidden layers, got 1: \['relu'\]"),
    (dict(activation=["relu", "rulu"]), ValueError, r"the name of an activation, got 'rulu' \(did you mean 'relu'\?\)"),
    (dict(activation=["relu", None]), TypeError, 'by name or as objects, got .*; write "identity" for none'),
    (dict(callbacks=[cr.callbacks.MaxNorm]), TypeError, "chainrule.Callback objects in callbacks, got <class"),
    (
        dict(schedule=cr.schedules.WarmupCosine),
        TypeError,
        r"a schedule object, got the class WarmupCosine; write WarmupCosine\(",
    ),
    (dict(learning_rate="adaptive", schedule="cosine"), ValueError, "one rule for the learning rate"),
    (dict(learning_rate="invscaling", optimizer="adamw"), ValueError, "one rule for the learning rate"),
    (dict(optimizer=cr.AdamW(), schedule="cosine"), ValueError, "an optimizer that is complete, got schedule='cosine'"),
    (dict(optimizer=cr.AdamW(), weight_decay=0.1), ValueError, "an optimizer that is complete, got weight_decay=0.1"),
]


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("values", "error", "words"), WRONG, ids=[str(values) for values, _, _ in WRONG])
def test_values_that_contradict_each_other_are_refused_in_a_sentence(estimator, values, error, words):
    model = estimator(**dict(hidden_layer_sizes=(10, 10)) | values)
    with pytest.raises(error, match=words):
        model.fit(X, Y)


FOR_STEPS = [
    *[dict(dropout=0.1), dict(input_dropout=0.1), dict(max_norm=1.0), dict(average=0.9), dict(optimizer="adamw")],
    *[dict(schedule="cosine"), dict(weight_decay=0.1), dict(callbacks=[cr.Callback()]), dict(normalization="batch")],
]


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("values", FOR_STEPS, ids=lambda values: next(iter(values)))
def test_lbfgs_has_no_steps_to_change(estimator, values):
    who = re.escape(
        f'{estimator.__name__}(solver="lbfgs") expects the exact loss of all rows, got {next(iter(values))}'
    )
    with pytest.raises(ValueError, match=who + r'.*use solver="adam" or "sgd"'):
        estimator(solver="lbfgs", **values).fit(X, Y)


def test_lbfgs_takes_what_says_nothing_and_what_has_no_steps():
    settings = dict(dropout=0, callbacks=[], weight_decay=0.0, average=None, normalization="layer", early_stopping=True)
    model = cr.MLPClassifier((8,), solver="lbfgs", scale=True, random_state=0, **settings).fit(X, Y)
    assert model.score(X, Y) > 0.97
    with pytest.raises(ValueError, match='solver "adam" or "sgd" for X_val, got \'lbfgs\''):
        model.fit(X, Y, X_val=X, y_val=Y)
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'"):
        model.partial_fit(X, Y)


# ---- data that are refused

ROWS = [
    (np.where(X > 7, np.nan, X), "Input X contains NaN"),
    (np.where(X > 7, np.inf, X), "Input X contains infinity"),
    (X[:, 0], "Expected 2D array, got 1D array instead"),
    (X[:, :, None], "Found array with dim 3"),
    (X[:0], "Found array with 0 sample"),
    (X[:, :0], "Found array with 0 feature"),
    (np.full((150, 2), "a"), "got text, a at row 0, column 0; encode it as numbers first"),
    (X + 1j, "Complex data not supported"),
    (X[:9], "inconsistent numbers of samples"),
    ([[1.0, 2.0], [3.0]], "got rows of different lengths; pass rows of as many numbers each"),
]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("rows", "words"), ROWS, ids=[words for _, words in ROWS])
def test_rows_that_are_none_are_refused(estimator, rows, words, method):
    known = dict(classes=[0, 1, 2]) if method == "partial_fit" and estimator is cr.MLPClassifier else {}
    with pytest.raises(ValueError, match=words):
        getattr(estimator(**SETTINGS), method)(rows, Y[: len(rows)] if len(rows) in (0, 2) else Y, **known)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("rows", "words"), [*ROWS[:8], (X[:, :3], "X has 3 features, but MLP.* is expecting 4")])
def test_rows_to_predict_that_are_none_are_refused(estimator, rows, words):
    model = estimator(**SETTINGS).fit(X, Y)
    with pytest.raises(ValueError, match=words):
        model.predict(rows)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.zeros(150), "at least one non-zero number|sample_weight above 0|is above 0"),
        (np.full(150, -1.0), "Negative values in data passed to `sample_weight`"),
        (np.full(150, np.nan), "Input sample_weight contains NaN"),
        (np.ones(149), "sample_weight.shape == "),
        (np.ones((150, 1)), "Sample weights must be 1D array or scalar"),
    ],
    ids=["zeros", "negative", "NaN", "too short", "a column"],
)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_weights_that_are_none_are_refused(estimator, weight, words, solver):
    with pytest.raises(ValueError, match=words):
        estimator(solver=solver, **SETTINGS).fit(X, Y, weight)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_nothing_is_there_before_fit(estimator):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError, match=f"This {estimator.__name__} instance is not fitted yet"):
        estimator().predict(X)
    assert not hasattr(estimator(), "coefs_")


# ---- weights that are given


def test_weights_may_be_read_and_given():
    model = cr.MLPClassifier(**SETTINGS).fit(X, Y)
    model.coefs_ = [np.full_like(W, 0.5) for W in model.coefs_]
    model.intercepts_[1] = [1.0, 2.0, 3.0]
    model.intercepts_[:1] = [np.zeros(8)]
    z = np.maximum(X @ np.full((4, 8), 0.5), 0) @ np.full((8, 3), 0.5) + [1.0, 2.0, 3.0]
    np.testing.assert_allclose(model.model_.predict(X), z, rtol=1e-12)


def test_weights_of_another_shape_are_refused_in_a_sentence():
    model = cr.MLPClassifier(**SETTINGS).fit(X, Y)
    before = [W.copy() for W in model.coefs_]
    with pytest.raises(ValueError, match=r"coefs_ and intercepts_ expects an array of shape \(4, 8\), got \(8, 4\)"):
        model.coefs_ = [model.coefs_[0].T, model.coefs_[1]]
    with pytest.raises(ValueError, match="MLPClassifier expects 2 arrays, one for each layer of weights, got 1"):
        model.coefs_ = [np.zeros((4, 8))]
    with pytest.raises(ValueError, match=r"an array of shape \(3,\), got \(\)"):
        model.intercepts_[1] = 0.0
    with pytest.raises(TypeError, match="numbers"):
        model.intercepts_[1] = ["a", "b", "c"]
    for W, kept in zip(model.coefs_, before, strict=True):
        np.testing.assert_array_equal(W, kept)
