"""A call of partial_fit that repeats the one before it: the same numbers and errors, and far fewer calls of Python."""

from __future__ import annotations

import copy
import pickle
import weakref

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
import chainrule as cr
from chainrule.ops.fused import compiled
from effort import calls
from estimators.small import CLASSES, X_DIABETES, Y_DIABETES, X, Y, assert_same, classifier, regressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
NAMES = np.array(["setosa", "versicolor", "virginica"])
LONG_WAY = {"callbacks": [cr.Callback()]}  # a callback is notified of every step
SETTINGS = [
    dict(),
    dict(solver="sgd", learning_rate="invscaling"),
    dict(solver="sgd", learning_rate="adaptive", n_iter_no_change=2, tol=0.1),
    dict(optimizer="adamw", schedule="cosine", max_iter=40),
    dict(schedule="reduce_on_plateau"),
    dict(dropout=0.3, hidden_layer_sizes=(8, 5)),
    dict(alpha=0.1, activation=("tanh",)),
    dict(shuffle=False),
    dict(label_smoothing=0.1),
    dict(scale=True),
    dict(max_norm=1.0),
    dict(average=0.9),
]


def assert_equal(one, other):
    assert_same(one, other)
    assert one.loss_curve_ == other.loss_curve_
    assert (one.n_iter_, one.t_, one.best_loss_) == (other.n_iter_, other.t_, other.best_loss_)
    assert one._no_improvement_count == other._no_improvement_count


def both_ways(make, calls, **settings):
    """Make the same calls of one estimator, and of one that takes the long way each time."""
    models = make(**settings), make(**settings | LONG_WAY)
    for model in models:
        for call in calls:
            call(model)
    assert_equal(*models)
    return models[0]


def rows_of(x, y, size=1, count=12, **others):
    return [
        lambda model, part=slice(start, start + size): model.partial_fit(x[part], y[part], **others)
        for start in range(0, size * count, size)
    ]


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_labels_give_the_same_numbers(settings, size):
    both_ways(classifier, rows_of(X, Y, size, classes=CLASSES), **settings)


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("settings", [dict(), dict(loss="huber"), dict(loss="gaussian_nll"), dict(scale=True)], ids=str)
def test_numbers_give_the_same_numbers(settings, size):
    both_ways(regressor, rows_of(X_DIABETES, Y_DIABETES / 100, size), **settings)


@pytest.mark.parametrize(
    ("x", "y", "classes"),
    [
        (X.astype(np.float32), Y, CLASSES),
        (X, NAMES[Y], NAMES),
        (X, Y > 0, [False, True]),
        (X, Y.astype(float), [0.0, 1.0, 2.0]),
        (X.tolist(), Y.tolist(), [2, 1, 0]),
        (X.tolist(), list(Y), CLASSES),
        (np.asfortranarray(X), np.repeat(Y, 2)[::2], CLASSES),
        (X[:, :2].astype(int), Y, CLASSES),
        (X, np.eye(3, dtype=int)[Y], [0, 1, 2]),
    ],
)
def test_rows_in_any_form_give_the_same_numbers(x, y, classes):
    both_ways(classifier, rows_of(x, y, 2, classes=classes))


def test_another_number_of_rows_or_weights_in_between_change_nothing():
    calls = [*rows_of(X, Y, 3, 4, classes=CLASSES), *rows_of(X, Y, 5, 3), *rows_of(X, Y, 1, 3)]
    calls += [lambda model: model.partial_fit(X[:1], Y[:1], [2.0]), *rows_of(X, Y, 1, 3)]
    calls += [lambda model: model.partial_fit(X[:1], Y[:1], X_val=X, y_val=Y), *rows_of(X, Y, 1, 3)]
    calls += [lambda model: setattr(model.model_.layers[0], "l2", 3.0), *rows_of(X, Y, 1, 3)]
    calls += [lambda model: model.partial_fit(X=X[:1], y=Y[:1]), *rows_of(X, Y, 50, 3)]
    model = both_ways(classifier, calls)  # asserts that both take the same steps
    assert model.t_ > len(calls)  # and that they learned from the rows


@pytest.mark.parametrize("random_state", [0, np.random.RandomState(3)], ids=str)
def test_the_rows_of_a_batch_are_drawn_in_the_same_order(random_state):
    models = [classifier(random_state=copy.deepcopy(random_state), **settings) for settings in ({}, LONG_WAY)]
    for model in models:
        for call in rows_of(X, Y, 9, classes=CLASSES):
            call(model)
    assert_equal(*models)
    if not isinstance(random_state, int):
        assert models[0].random_state.randint(2**31) == models[1].random_state.randint(2**31)


def change_of(**parameters):
    return lambda model: model.set_params(**parameters)


@pytest.mark.parametrize(
    "change",
    [
        change_of(alpha=1.0),
        change_of(learning_rate_init=0.1),
        change_of(solver="sgd"),
        change_of(shuffle=False),
        change_of(n_iter_no_change=1),
        lambda model: model.coefs_[0].fill(0.1),
        lambda model: setattr(model.model_.layers[0], "activation", "tanh"),
        lambda model: setattr(model._optimizer, "clip_norm", 1e-3),
        lambda model: setattr(model._optimizer, "learning_rate", 0.3),
        lambda model: setattr(model._optimizer, "state", {}),
        lambda model: setattr(model, "n_iter_", 100),
        lambda model: model.fit(X, Y),
    ],
)
def test_whatever_changes_in_between_takes_effect(change):
    calls = rows_of(X, Y, 1, 4, classes=CLASSES)
    changed = both_ways(classifier, [*calls, change, *calls, *calls])
    unchanged = both_ways(classifier, [*calls, *calls, *calls])
    assert pickle.dumps(vars(changed)) != pickle.dumps(vars(unchanged))


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X[:1], [3], "has classes not in"),
        (X[:1], [True], None),
        (X[:1] * np.nan, Y[:1], "contains NaN"),
        (X[:1, :3], Y[:1], "3 features"),
        (X[0], Y[:1], "2D array"),
        ([[1.0, 2.0, 3.0, "a"]], [0], "text"),
        ([[1.0], [2.0, 3.0]], [0], "different lengths"),
        (X[:1], Y[:2], "inconsistent"),
        (0 * X[:1] + 1.7e308, Y[:1], "non-finite"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_the_same_words(x, y, words):
    messages = []
    for settings in ({}, LONG_WAY):
        model = classifier(**settings)
        for call in rows_of(X, Y, 1, 3, classes=CLASSES):
            call(model)
        before, curve = pickle.dumps(model.coefs_), list(model.loss_curve_)
        try:
            model.partial_fit(x, y)
        except (TypeError, ValueError) as error:
            messages.append(f"{type(error).__name__}: {error}")
            assert (pickle.dumps(model.coefs_), model.loss_curve_) == (before, curve)
        for call in rows_of(X, Y, 1, 3):
            call(model)
    assert len(set(messages)) == (words is not None)
    assert all(words in message for message in messages)


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_trains_by_itself(twin_of):
    model = classifier()
    calls = rows_of(X, Y, classes=CLASSES)
    for call in calls:
        call(model)
    twin = twin_of(model)
    before = [array.copy() for array in twin.coefs_]
    for call in calls:
        call(model)
    np.testing.assert_array_equal(before[0], twin.coefs_[0])
    for call in calls:
        call(twin)
    assert_equal(model, twin)


def test_rows_and_estimator_go_with_their_last_reference():
    model, x, y = regressor(), X_DIABETES[:1].copy(), Y_DIABETES[:1].copy()
    for _ in range(3):
        model.partial_fit(x, y)
    known = [weakref.ref(thing) for thing in (x, y, model)]
    del x, y, model
    assert [reference() for reference in known] == [None] * 3


@pytest.mark.skipif(compiled is None, reason="there are no compiled kernels")
@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize(
    ("make", "x", "y", "others"), [(classifier, X, Y, {"classes": CLASSES}), (regressor, X_DIABETES, Y_DIABETES, {})]
)
def test_a_repeated_call_makes_a_tenth_of_the_calls(make, x, y, others, size):
    model = make()
    first, *middle, last = rows_of(x, y, size, **others)
    most = calls(lambda: first(model))
    for call in middle:
        call(model)
    assert calls(lambda: last(model)) < most / 10
