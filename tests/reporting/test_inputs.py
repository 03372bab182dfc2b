"""A report asks every kind of model with rows as it takes them, and reads y in whatever shape and holder it comes."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import chainrule as cr
from chainrule.reporting.tables import permutation

X, Y = load_iris(return_X_y=True)
D, T = load_diabetes(return_X_y=True)
WORDS = np.array(["u", "v", "w"])[Y]
SETTINGS = {"hidden_layer_sizes": (4,), "max_iter": 30, "learning_rate_init": 0.03, "random_state": 0}


def fitted(estimator, x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(x, y)


def table(library):
    frames = pytest.importorskip(library)
    return frames.DataFrame({name: X[:, k] for k, name in enumerate("abcd")} | {"kind": ["p", "q"] * 75})


CLASSIFIER = cr.MLPClassifier(**SETTINGS)
COLUMNS = ColumnTransformer([("n", StandardScaler(), list("abcd")), ("k", OneHotEncoder(), ["kind"])])


# ---- y


def trainer(outputs=3):
    made = cr.Trainer(cr.MLP([4, 8, outputs], rng=0), "cross_entropy", cr.Adam(0.03))
    made.fit(X, Y, epochs=20, verbose=0)
    return made


HOLDERS = {
    "column": lambda y: y[:, None],
    "list": lambda y: y.tolist(),
    "list of lists": lambda y: y[:, None].tolist(),
    "objects": lambda y: y.astype(object),
    "column of objects": lambda y: y.astype(object)[:, None],
    "Series": lambda y: pytest.importorskip("pandas").Series(y, index=range(900, 900 + len(y))),
    "frame of one column": lambda y: pytest.importorskip("pandas").DataFrame({"y": y}),
    "categorical": lambda y: pytest.importorskip("pandas").Series(y).astype("category"),
    "nullable": lambda y: pytest.importorskip("pandas").Series(y).convert_dtypes(),
    "polars": lambda y: pytest.importorskip("polars").Series(y),
    "polars frame": lambda y: pytest.importorskip("polars").DataFrame({"y": y}),
    "nothing masked": lambda y: np.ma.array(y, mask=False),
    "strided": lambda y: np.repeat(y, 2)[::2],
}
MODELS = {
    "classifier": lambda: (fitted(CLASSIFIER, X, Y), X, Y),
    "classifier of text": lambda: (fitted(cr.MLPClassifier(**SETTINGS), X, WORDS), X, WORDS),
    "classifier of truth": lambda: (fitted(cr.MLPClassifier(**SETTINGS), X, Y == 0), X, Y == 0),
    "Trainer": lambda: (trainer(), X, Y),
    "Trainer on whole floats": lambda: (trainer(), X, Y.astype(float)),
    "network": lambda: (trainer().model, X, Y),
    "regressor": lambda: (fitted(cr.MLPRegressor(scale=True, **SETTINGS), D, T), D, T),
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("model", MODELS)
def test_y_means_the_same_in_every_shape_and_holder(model, holder):
    made, x, y = MODELS[model]()
    if model == "classifier of text" and holder == "nothing masked":
        pytest.skip("a masked array of text is no array of numbers")
    assert cr.report(made, x, HOLDERS[holder](y)).scores == cr.report(made, x, y).scores


def test_shares_of_the_classes_count_by_the_largest_and_must_sum_to_1():
    made = trainer()
    right = cr.report(made, X, Y).scores
    assert cr.report(made, X, np.eye(3)[Y]).scores == right
    assert cr.report(made, X, 0.9 * np.eye(3)[Y] + 0.1 / 3).scores == right
    for wrong in (np.eye(3)[Y] * 2, np.ones((150, 3)), np.eye(4)[Y], -np.eye(3)[Y]):
        with pytest.raises(ValueError, match=r"report expects labels \(N,\), or a probability for each of 3 classes"):
            cr.report(made, X, wrong)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (Y + 0.5, "labels among 0, 1, 2 .* got 0.5"),
        (np.where(Y == 2, np.nan, Y), "labels among .* got nan"),
        (np.where(Y == 2, None, Y), "labels among .* got None"),
        (WORDS, "labels among .* got 'u'"),
        (np.datetime64("2020-01-01") + Y.astype("m8[D]"), "labels among .* got datetime"),
        (Y * 1j, "labels among .* got "),
        (np.ma.array(Y, mask=Y == 1), "labels among .* got nan"),
        (Y[:, None, None], r"y of a label or a number for each row, got shape \(150, 1, 1\)"),
        (3, "y of a label or a number for each row, got 3"),
    ],
)
def test_what_is_no_label_is_refused(y, says):
    for made in (trainer(), fitted(CLASSIFIER, X, Y)):
        with pytest.raises((ValueError, TypeError), match=f"report expects {says}"):
            cr.report(made, X, y)


def test_one_row_has_the_scores_that_one_row_allows():
    made = fitted(CLASSIFIER, X, Y)
    found = cr.report(made, X[:1], Y[:1])
    assert found.scores["accuracy"] in (0, 1)
    assert "roc_auc_score" not in found.scores
    assert "r2_score" not in cr.report(fitted(cr.MLPRegressor(**SETTINGS), D, T), D[:1], T[:1]).scores
    assert str(found).startswith("1 rows")


# ---- x


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_pipeline_is_asked_with_the_frame_and_warns_of_nothing(library, tmp_path):
    frame = table(library)
    whole = fitted(make_pipeline(COLUMNS, CLASSIFIER), frame, Y)
    found = cr.report(whole, frame, Y)
    assert found.scores["accuracy"] == whole.score(frame, Y)
    names, falls = permutation(found.answers, found.details.feature_names)
    assert names == [*"abcd", "kind"]
    assert falls[:4].mean() > falls[4].mean()  # the kind says nothing of the flower
    assert frame.equals(table(library))
    pytest.importorskip("matplotlib")
    found.save(tmp_path / "report.html")
    assert "kind" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_columns_of_a_frame_are_shuffled_as_those_of_an_array():
    frame = pytest.importorskip("pandas").DataFrame(X, columns=list("abcd"))
    named, plain = fitted(CLASSIFIER, frame, Y), fitted(cr.MLPClassifier(**SETTINGS), X, Y)
    falls = [permutation(cr.report(*asked, Y).answers, list("abcd"))[1] for asked in ((named, frame), (plain, X))]
    np.testing.assert_array_equal(*falls)


@pytest.mark.parametrize("library", ["dict", "pandas", "polars", "pyarrow"])
def test_a_table_model_is_asked_with_whatever_it_was_fitted_to(library, tmp_path):
    columns = {name: X[:, k] for k, name in enumerate("abcd")} | {"kind": np.array(["p", "q"] * 75, object)}
    frames = None if library == "dict" else pytest.importorskip(library)
    frame = columns if frames is None else (frames.table if library == "pyarrow" else frames.DataFrame)(columns)
    model = cr.TabularClassifier(max_epochs=3, random_state=0).fit(frame, WORDS)
    found = cr.report(model, frame, WORDS)
    assert found.scores["accuracy"] == model.score(frame, WORDS)
    assert permutation(found.answers, found.details.feature_names)[0] == [*"abcd", "kind"]
    pytest.importorskip("matplotlib")
    found.save(tmp_path / "report.html")
    assert "kind" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_frame_that_is_not_collected_is_refused():
    lazy = table("polars").lazy()
    model = cr.TabularClassifier(max_epochs=1, random_state=0).fit(lazy.collect(), WORDS)
    with pytest.raises(
        TypeError, match=r"report expects x to be an array or a frame, got a LazyFrame; call collect\(\)"
    ):
        cr.report(model, lazy, WORDS)


def test_rows_of_a_table_model_are_encoded_once_to_the_same_importances():
    frame = table("pandas").assign(
        word=np.array(list("uvwxyzabcdefghi") * 10), day=[f"2024-01-0{d}" for d in range(1, 7)] * 25
    )
    model = cr.TabularClassifier(max_epochs=3, random_state=0).fit(frame, WORDS)
    assert model.encoder_.code_names  # some columns are codes
    calls, encode = [], model.encoder_.matrix
    model.encoder_.matrix = lambda *given: (calls.append(given), encode(*given))[1]
    answers = cr.report(model, frame, WORDS).answers
    once, falls = permutation(answers, list(frame.columns))
    assert len(calls) == 2  # for the report, and for all importances
    each = permutation(dataclasses.replace(answers, encode=None), list(frame.columns))
    assert len(calls) > 2 * len(frame.columns)
    assert once == each[0]
    np.testing.assert_array_equal(falls, each[1])
    assert (falls != 0).any(axis=1).sum() > 3


OF_FRAMES = {
    "search": lambda: GridSearchCV(make_pipeline(COLUMNS, CLASSIFIER), {"mlpclassifier__alpha": [0.1, 1e-4]}, cv=2),
    "calibrated": lambda: CalibratedClassifierCV(make_pipeline(COLUMNS, CLASSIFIER), cv=2),
    "calibrated search": lambda: CalibratedClassifierCV(
        GridSearchCV(make_pipeline(COLUMNS, CLASSIFIER), {}, cv=2), cv=2
    ),
}


@pytest.mark.parametrize("kind", OF_FRAMES)
def test_what_wraps_a_pipeline_is_a_model_too(kind):
    frame = table("pandas")
    made = fitted(OF_FRAMES[kind](), frame, WORDS)
    assert cr.report(made, frame, WORDS).scores["accuracy"] == pytest.approx(made.score(frame, WORDS))


def test_regressors_that_wrap_ours_are_models_too():
    network = cr.MLPRegressor(scale=True, **SETTINGS)
    frame = pytest.importorskip("pandas").DataFrame(D).rename(columns=str)
    for made in (
        TransformedTargetRegressor(network, func=np.log, inverse_func=np.exp),
        GridSearchCV(network, {}, cv=2),
    ):
        fitted(made, frame, T)
        assert cr.report(made, frame, T).scores["r2_score"] == pytest.approx(made.score(frame, T))
    several = fitted(MultiOutputRegressor(network), frame, np.column_stack([T, -T]))
    found = cr.report(several, frame, np.column_stack([T, -T]))
    assert found.scores["r2_score"] == pytest.approx(several.score(frame, np.column_stack([T, -T])))


def test_an_estimator_takes_rows_in_its_own_way():
    """Gaps that it fills, objects that it encodes, texts that it counts."""
    gaps = np.where(X > 7, np.nan, X)
    filling = fitted(make_pipeline(SimpleImputer(), CLASSIFIER), gaps, Y)
    assert cr.report(filling, gaps, Y).scores["accuracy"] == filling.score(gaps, Y)
    things = np.column_stack([WORDS, WORDS]).astype(object)
    encoding = fitted(make_pipeline(OneHotEncoder(), CLASSIFIER), things, Y)
    assert cr.report(encoding, things, Y).scores["accuracy"] == encoding.score(things, Y) == 1
    texts = [f"{word} {word}x" for word in WORDS]
    counting = fitted(make_pipeline(TfidfVectorizer(), LogisticRegression()), texts, Y)
    assert cr.report(counting, texts, Y).scores["accuracy"] == 1


def test_a_network_names_the_column_of_a_frame():
    frame = table("pandas")
    with pytest.raises(TypeError, match=r"report expects x to be an array of numbers, .* column 'kind'"):
        cr.report(trainer(), frame, Y)
    assert cr.report(trainer(), frame[list("abcd")], Y).details.feature_names == list("abcd")


@pytest.mark.parametrize(
    ("model", "y", "error", "says"),
    [
        (RidgeClassifier(), Y, TypeError, "a classifier with predict_proba, got RidgeClassifier; wrap it in"),
        (MultiOutputClassifier(LogisticRegression()), np.eye(3, dtype=int)[Y], ValueError, "exclusive classes, got 3"),
        (cr.MLPClassifier(**SETTINGS), np.eye(3, dtype=int)[Y], ValueError, "exclusive classes, got 3"),
    ],
)
def test_models_of_other_questions_are_refused(model, y, error, says):
    with pytest.raises(error, match=f"report expects .*{says}"):
        cr.report(fitted(model, X, y), X, y)
