"""What the classifier does beyond scikit-learn's: weights of classes, smoothed labels, and its words when y is odd."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale
from sklearn.utils.class_weight import compute_sample_weight

import chainrule as cr

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["a", "b", "c"])
SETTINGS = dict(hidden_layer_sizes=(8,), max_iter=15, random_state=0, shuffle=False, tol=0.0)
SOLVERS = pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])


def assert_same(first, second, tolerance=1e-9):
    for one, other in zip(first.coefs_ + first.intercepts_, second.coefs_ + second.intercepts_, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def classifier(**settings):
    return cr.MLPClassifier(**SETTINGS | settings)


# ---- sample weights


@SOLVERS
def test_weight_2_is_the_row_twice_and_weight_0_no_row(solver):
    weight = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)
    rows = np.repeat(np.arange(len(X)), weight.astype(int))
    weighted = classifier(solver=solver, batch_size=len(X), scale=True).fit(X, Y, weight)
    repeated = classifier(solver=solver, batch_size=len(rows), scale=True).fit(X[rows], Y[rows])
    assert_same(weighted, repeated)
    assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-9)


@SOLVERS
def test_weights_matter(solver):
    weight = np.random.default_rng(0).uniform(0, 3, len(X))
    different = classifier(solver=solver).fit(X, Y, weight).coefs_[0] - classifier(solver=solver).fit(X, Y).coefs_[0]
    assert np.abs(different).max() > 1e-4


# ---- class weights


@SOLVERS
@pytest.mark.parametrize("class_weight", [{0: 1, 1: 5, 2: 0.5}, {1: 3.0}, "balanced"], ids=str)
def test_class_weights_are_sample_weights(solver, class_weight):
    rows = np.r_[0:50, 50:70, 100:110]  # 50, 20 and 10 of a class
    own = np.random.default_rng(0).uniform(0.5, 2, len(rows))
    if class_weight == "balanced":
        counts = np.bincount(Y[rows], own)
        by_class = (counts.mean() / counts)[Y[rows]]
    else:
        by_class = np.array([class_weight.get(label, 1) for label in Y[rows]])
    weighted = classifier(solver=solver, class_weight=class_weight).fit(X[rows], Y[rows], own)
    assert_same(weighted, classifier(solver=solver).fit(X[rows], Y[rows], own * by_class))


@pytest.mark.parametrize("labels", [Y[:120], Y[:80]], ids=["three classes", "two classes"])
def test_balanced_is_what_scikit_learn_means_by_it(labels):
    names, rows = NAMES[labels], X[: len(labels)]
    weighted = classifier(class_weight="balanced").fit(rows, names)
    assert_same(weighted, classifier().fit(rows, names, compute_sample_weight("balanced", names)))


def test_balanced_of_several_labels_is_what_scikit_learn_means_by_it():
    labels = np.column_stack([Y == 0, (Y == 1) | (X[:, 0] > 6.5)]).astype(int)
    weighted = classifier(class_weight="balanced").fit(X, labels)
    assert_same(weighted, classifier().fit(X, labels, compute_sample_weight("balanced", labels)))


def test_balanced_counts_all_parts_so_far():
    parts = [np.r_[0:40, 50:60], np.r_[60:100, 100:150], np.r_[40:50]]
    balanced, by_hand = classifier(class_weight="balanced"), classifier()
    counts = np.zeros(3)
    for rows in parts:
        balanced.partial_fit(X[rows], Y[rows], classes=[0, 1, 2])
        counts += np.bincount(Y[rows], minlength=3)
        weight = counts[counts > 0].mean() / np.maximum(counts, 1)
        by_hand.partial_fit(X[rows], Y[rows], weight[Y[rows]], classes=[0, 1, 2])
        assert_same(balanced, by_hand)
    balanced.fit(X, Y)
    assert_same(balanced, classifier().fit(X, Y))  # a new fit has forgotten them


def test_balanced_may_begin_between_two_parts():
    late = classifier(class_weight="balanced").fit(X, Y)  # whose counts are forgotten
    late.set_params(class_weight=None).fit(X, Y).set_params(class_weight="balanced")
    late.partial_fit(X[:120], Y[:120])
    weight = compute_sample_weight("balanced", Y[:120])
    assert_same(late, classifier().fit(X, Y).partial_fit(X[:120], Y[:120], weight))


def test_class_weights_hold_where_a_part_lacks_a_class():
    given = {"a": 2.0, "b": 1.0, "c": 0.5}
    rows = Y != 1
    part = classifier(class_weight=given).partial_fit(X[rows], NAMES[Y[rows]], classes=NAMES)
    weight = np.array([2.0, 1.0, 0.5])[Y[rows]]
    assert_same(part, classifier().partial_fit(X[rows], NAMES[Y[rows]], weight, classes=NAMES))
    whole = classifier(class_weight=given).fit(X, NAMES[Y], X_val=X[rows], y_val=NAMES[Y[rows]])
    assert len(whole.validation_loss_curve_) == 15


def imbalanced_cancer():
    """Real, with one malignant tumour to each ten benign ones in training; two columns, in which they overlap."""
    data, labels = load_breast_cancer(return_X_y=True)
    data = data[:, [1, 4]]
    train, test, y_train, y_test = train_test_split(scale(data), labels, test_size=0.5, random_state=0, stratify=labels)
    benign, malignant = np.flatnonzero(y_train == 1), np.flatnonzero(y_train == 0)
    rows = np.r_[benign, malignant[: len(benign) // 10]]
    return train[rows], y_train[rows], test, y_test


def test_balanced_raises_the_balanced_accuracy():
    X_train, y_train, X_test, y_test = imbalanced_cancer()

    def mean_score(class_weight):
        return np.mean(
            [
                balanced_accuracy_score(
                    y_test,
                    cr.MLPClassifier((16,), learning_rate_init=0.02, class_weight=class_weight, random_state=seed)
                    .fit(X_train, y_train)
                    .predict(X_test),
                )
                for seed in range(3)
            ]
        )

    assert mean_score("balanced") > mean_score(None) + 0.05


def test_balanced_raises_the_balanced_accuracy_on_rare_wines(data_dir):
    table = np.loadtxt(data_dir / "wine-quality" / "winequality-white.csv", delimiter=",")
    labels = (table[:, -1] >= 8).astype(int)  # the best wines, a few in a hundred
    scores = {None: [], "balanced": []}
    for seed in range(3):
        X_train, X_test, y_train, y_test = train_test_split(
            table[:, :-1], labels, test_size=0.3, random_state=seed, stratify=labels
        )
        for class_weight, found in scores.items():
            model = cr.MLPClassifier((64,), scale=True, max_iter=60, class_weight=class_weight, random_state=seed)
            found.append(balanced_accuracy_score(y_test, model.fit(X_train, y_train).predict(X_test)))
    assert min(scores["balanced"]) > max(scores[None]) + 0.05


@pytest.mark.parametrize(
    ("class_weight", "words"),
    [
        ({0: 1, 7: 1}, r"expects classes among \[0, 1, 2\], got \[7\]"),
        ({0: -1}, r"weights that are finite and not negative, got \[-1.0, 1.0, 1.0\]"),
        ({0: np.nan}, "weights that are finite and not negative"),
        ([{0: 1}], "a dict from class to weight, or 'balanced', got a list"),
        ({0: 0, 1: 0, 2: 0}, "above 0"),
        ("auto", "The 'class_weight' parameter of MLPClassifier must be"),
    ],
    ids=str,
)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_class_weights_that_make_no_sense_are_refused(class_weight, words, solver):
    with pytest.raises(ValueError, match=words):
        classifier(solver=solver, class_weight=class_weight).fit(X, Y)


# ---- smoothed labels


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_smoothed_labels_are_what_is_learned(classes, smoothing):
    counts = np.array([30, 50, 20])[:classes]
    labels = np.repeat(np.arange(classes), counts)
    ones = np.ones((len(labels), 1))
    model = cr.MLPClassifier((), solver="lbfgs", alpha=0.0, label_smoothing=smoothing, tol=1e-9, random_state=0)
    probability = model.fit(ones, labels).predict_proba([[1.0]])[0]
    shares = counts / counts.sum()
    np.testing.assert_allclose(probability, shares * (1 - smoothing) + smoothing / classes, atol=1e-5)


def test_smoothed_labels_of_several_at_once():
    labels = np.column_stack([np.arange(10) < 3, np.arange(10) < 8]).astype(int)
    model = cr.MLPClassifier((), solver="lbfgs", alpha=0.0, label_smoothing=0.2, tol=1e-9, random_state=0)
    np.testing.assert_allclose(
        model.fit(np.ones((10, 1)), labels).predict_proba([[1.0]])[0], [0.3 * 0.8 + 0.1, 0.8 * 0.8 + 0.1], atol=1e-5
    )


# ---- predictions and odd y


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_probabilities_are_numbers_however_sure_the_network_is(dtype):
    model = classifier(solver="lbfgs", max_iter=50).fit(X.astype(dtype), Y)
    assert np.isfinite(model.predict_log_proba((1e6 * X).astype(dtype))).all()
    np.testing.assert_allclose(model.predict_proba((1e6 * X).astype(dtype)).sum(axis=1), 1, rtol=1e-6)


def test_one_class_has_one_column():
    model = classifier(max_iter=3).fit(X, np.full(len(X), "same"))
    assert model.predict_proba(X[:5]) == pytest.approx(np.ones((5, 1)), rel=1e-15)
    assert set(model.predict(X)) == {"same"}


def test_labels_of_a_later_part_must_be_known():
    model = classifier().partial_fit(X[:60], NAMES[Y[:60]], classes=["a", "b"])
    with pytest.raises(ValueError, match=r"`y` has classes not in `self\.classes_`"):
        model.partial_fit(X, NAMES[Y])
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        classifier().partial_fit(X, Y)
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        model.partial_fit(X[:60], NAMES[Y[:60]], classes=["a", "c"])


def test_validation_labels_must_be_known_and_of_the_same_kind():
    with pytest.raises(ValueError, match=r"`y` has classes not in `self\.classes_`"):
        classifier().fit(X[:100], Y[:100], X_val=X, y_val=Y)
    with pytest.raises(ValueError, match=r"y as before, zeros and ones \(N, K\), got labels \(N,\)"):
        classifier().fit(X, np.eye(3, dtype=int)[Y], X_val=X, y_val=Y)
    with pytest.raises(ValueError, match=r"y as before, labels \(N,\), got zeros and ones"):
        classifier().fit(X, Y, X_val=X, y_val=np.eye(3, dtype=int)[Y])


def test_a_warm_start_has_the_same_classes():
    model = classifier(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="where `y` has the same classes as in the previous call to fit"):
        model.fit(X[:100], Y[:100])


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (X[:, 0], "Unknown label type: continuous"),
        (Y[:-1], "inconsistent numbers of samples"),
        (np.where(Y == 0, np.nan, Y), "Input y contains NaN"),
        (np.column_stack([Y, Y]), "Multioutput target data is not supported"),
    ],
    ids=["numbers", "too short", "NaN", "several columns"],
)
def test_y_that_is_no_label_is_refused(y, words):
    with pytest.raises(ValueError, match=words):
        classifier().fit(X, y)
