"""The table of a report says what scikit-learn says, for every kind of model, and what does not fit is refused."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.reporting.tables import percent

oracle = pytest.importorskip("sklearn.metrics")


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("probabilities", [False, True])
def test_classes_are_scored_as_in_scikit_learn(rows, probabilities) -> None:
    x, y = rows
    model = cr.MLP([4, 8, 3], softmax=probabilities, rng=0, dtype="float64")
    p = model.predict(x) if probabilities else softmax(model.predict(x))
    found = cr.report(model, x, y)
    said = p.argmax(axis=1)
    assert found.scores == pytest.approx(
        {
            "accuracy": oracle.accuracy_score(y, said),
            "balanced_accuracy": oracle.balanced_accuracy_score(y, said),
            "f1_score": oracle.f1_score(y, said, average="macro"),
            "roc_auc_score": oracle.roc_auc_score(y, p, multi_class="ovr"),
            "log_loss": oracle.log_loss(y, p),
            "expected_calibration_error": cr.metrics.expected_calibration_error(y, p, from_logits=False),
        }
    )
    precision, recall, f1, support = oracle.precision_recall_fscore_support(y, said, zero_division=np.nan)
    for row, *expected in zip(found.classes, precision, recall, f1, support, strict=True):
        values = [np.nan if v is None else v for v in (row.precision, row.recall, row.f1, row.rows)]
        assert values == pytest.approx(expected, nan_ok=True)


def test_a_guess_by_the_shares_of_the_classes_stands_beside(rows) -> None:
    x, y = rows
    shares = np.bincount(y) / len(y)
    guess = cr.report(cr.MLP([4, 3], rng=0), x, y).baseline
    assert guess["accuracy"] == pytest.approx(shares.max())
    assert guess["log_loss"] == pytest.approx(-shares @ np.log(shares))
    assert (guess["roc_auc_score"], guess["balanced_accuracy"]) == (0.5, pytest.approx(1 / 3))


def test_numbers_are_scored_as_in_scikit_learn(rows) -> None:
    x, _ = rows
    y = x @ [1.0, 2.0, 0.0, 0.0]
    model = cr.MLP([4, 1], rng=0, dtype="float64")
    found = cr.report(model, x, y)
    z = model.predict(x)[:, 0]
    assert found.scores == pytest.approx(
        {
            "r2_score": oracle.r2_score(y, z),
            "mean_absolute_error": oracle.mean_absolute_error(y, z),
            "root_mean_squared_error": oracle.root_mean_squared_error(y, z),
        }
    )
    assert (found.classes, found.baseline["r2_score"]) == ([], pytest.approx(0))
    assert found.baseline["root_mean_squared_error"] == pytest.approx(y.std())


@pytest.mark.parametrize("sigmoid", [False, True])
@pytest.mark.parametrize("as_column", [False, True])
def test_one_output_is_two_classes_where_the_loss_says_so(rows, sigmoid, as_column) -> None:
    x, y = rows
    y = np.minimum(y, 1)
    model = cr.MLP([4, 1], output_activation="sigmoid" if sigmoid else None, rng=0, dtype="float64")
    trainer = cr.Trainer(model, cr.BinaryCrossEntropy(from_logits=not sigmoid))
    found = cr.report(trainer, x, y[:, None] if as_column else y, class_names=["no", "yes"])
    z = model.predict(x)[:, 0]
    assert found.scores["roc_auc_score"] == pytest.approx(oracle.roc_auc_score(y, z))
    assert found.scores["log_loss"] == pytest.approx(oracle.log_loss(y, z if sigmoid else 1 / (1 + np.exp(-z))))
    assert [row.name for row in found.classes] == ["no", "yes"]


def test_soft_labels_count_by_their_largest(rows) -> None:
    x, y = rows
    trainer = cr.Trainer(cr.MLP([4, 3], rng=0), "cross_entropy")
    assert cr.report(trainer, x, np.eye(3)[y]).scores == cr.report(trainer, x, y).scores


def test_a_fitted_estimator_may_have_labels_of_text(rows) -> None:
    x, y = rows
    words = np.array(["few", "many", "most"])[y]
    model = cr.MLPClassifier((8,), max_iter=3, random_state=0, early_stopping=False)
    with pytest.warns(UserWarning, match="."):
        model.fit(x, words)
    found = cr.report(model, x, words)
    assert found.scores["accuracy"] == pytest.approx(model.score(x, words))
    assert found.scores["log_loss"] == pytest.approx(oracle.log_loss(words, model.predict_proba(x)), rel=1e-5)
    assert [row.name for row in found.classes] == ["few", "many", "most"]


def test_an_estimator_of_scikit_learn_is_a_model_too(rows) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = rows
    assert cr.report(linear.LinearRegression().fit(x, y), x, y).scores["r2_score"] > 0.3


def test_text_has_a_line_for_each_score_and_each_class(rows) -> None:
    x, y = rows
    y[y == 2] = 1
    found = cr.report(cr.MLP([4, 3], rng=0), x, y)
    lines = str(found).splitlines()
    assert lines[0].split() == ["80", "rows", "model", "guess"]
    assert lines[1].split() == ["Accuracy", f"{100 * found.scores['accuracy']:.2f}", "%", *lines[1].split()[-2:]]
    assert lines[-4].split() == ["class", "rows", "recall", "precision", "F1"]
    assert lines[-1].split()[:3] == ["2", "0", "–"]
    assert repr(found) == str(found)


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100.00 %"), (0.99999, "99.99 %"), (0.5, "50.00 %"), (0.0, "0.00 %"), (None, "–")]
)
def test_no_share_below_1_is_written_as_100(share, text) -> None:
    assert percent(share) == text


def test_scores_that_the_rows_do_not_allow_are_left_out(rows) -> None:
    x, _ = rows
    assert "roc_auc_score" not in cr.report(cr.MLP([4, 3], rng=0), x, np.zeros(80, int)).scores
    one = cr.report(cr.MLP([4, 1], rng=0), x[:1], np.ones(1))
    assert list(one.scores) == ["mean_absolute_error", "root_mean_squared_error"]


@pytest.mark.parametrize(
    ("model", "y", "more", "says"),
    [
        (cr.MLP([4, 3], rng=0), np.array([0, 3]), {}, r"labels among 0, 1, 2 \(3 classes\), got 3"),
        (cr.MLP([4, 3], rng=0), np.array([0, 1, 2]), {}, "as many rows in x as in y, at least one, got 2 and 3"),
        (cr.MLP([4, 3], rng=0), np.array([0, 1]), {"class_names": "ab"}, "3 class_names, one per class, got 2"),
        (cr.MLP([4, 2], rng=0), np.array([0.5, 1.5]), {}, r"the model's outputs of shape \(2, 1\)"),
        (cr.MLP([4, 1], rng=0), np.array([0.5, np.nan]), {}, "finite numbers in y"),
        (cr.MLP([4, 1], rng=0), np.ones(2), {"feature_names": ["a"]}, "4 feature_names, one per input, got 1"),
        (cr.MLP([4, 1], rng=0), np.ones(2), {"image_shape": (2, 3)}, "image_shape .* of 4 pixels"),
        (cr.MLP([4, 1], rng=0), np.ones(2), {"rows": {"a": [1]}}, r"2 values in rows\['a'\], got 1"),
        (cr.Trainer(cr.MLP([4, 2], rng=0), "binary_cross_entropy"), np.ones((2, 2)), {}, "exclusive classes"),
    ],
)
def test_what_does_not_fit_is_refused(model, y, more, says) -> None:
    with pytest.raises(ValueError, match=f"report expects .*{says}"):
        cr.report(model, np.ones((2, 4)), y, **more)


def test_other_things_than_models_are_refused() -> None:
    with pytest.raises(TypeError, match="report expects a Trainer, a Sequential model or a fitted estimator, got int"):
        cr.report(3, np.ones((2, 4)), np.ones(2))


def test_inputs_of_one_name_are_shuffled_together(rng) -> None:
    permutation = pytest.importorskip("chainrule.reporting.tables").permutation
    kind = rng.integers(3, size=300)
    x = np.column_stack([rng.normal(size=300), np.eye(3)[kind], rng.normal(size=300)])
    y = 2.0 * kind + x[:, 0]

    class Exact:
        def predict(self, x):
            assert set(x[:, 1:4].sum(axis=1)) == {1.0}  # a row is of one kind, also after the shuffle
            return x[:, 1:4] @ [0.0, 2.0, 4.0] + x[:, 0]

    answers = cr.report(Exact(), x, y).answers
    columns, falls = permutation(answers, ["a", "kind", "kind", "kind", "unused"])
    assert columns == ["a", "kind", "unused"]
    mean = falls.mean(axis=1)
    assert mean == pytest.approx([np.sqrt(2), np.sqrt(2) * y.std(ddof=0), 0], rel=0.15)
    assert (falls[2] == 0).all()
    assert mean[1] > mean[0]
