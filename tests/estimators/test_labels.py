"""Labels are predicted as they were given, to the last digit, whatever they are and whatever holds them."""

from __future__ import annotations

import re
import warnings
from enum import Enum, IntEnum

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.datasets import load_iris
from sklearn.exceptions import DataConversionWarning

import chainrule as cr

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, CODES = load_iris(return_X_y=True)
SETTINGS = {"hidden_layer_sizes": (8,), "max_iter": 60, "learning_rate_init": 0.05, "random_state": 0}


class Tree(str, Enum):  # noqa: UP042  (as code for Python 3.10 and earlier has it)
    OAK = "oak"
    PINE = "pine"


class Size(IntEnum):
    SMALL, MEDIUM, LARGE = 1, 2, 30


class Colour(Enum):
    RED = 1


#: Three labels of each kind, in their order.
LABELS = {
    "text": np.array(["a", "b", "c"]),
    "text as objects": np.array(["a", "b", "c"], object),
    "text of a class of its own": np.array([np.str_("a"), Tree.OAK, Tree.PINE], object),
    "numbers of a class of its own": np.array([*Size], object),
    "NUL within text": np.array(["a\0b", "b", "c"], object),
    "with gaps": np.array([0, 2, 5]),
    "negative": np.array([-3, -1, 4]),
    "int8": np.array([-128, 0, 127], np.int8),
    "whole floats": np.array([1.0, 2.0, 7.0]),
    "float32": np.array([1.0, 2.0, 7.0], np.float32),
    "ids": np.array([1234567890123456788, 1234567890123456789, 2234567890123456789]),
    "least and greatest": np.array([-(2**63), -(2**63) + 1, 2**63 - 1]),
    "beyond 2^63": np.array([2**63 + 1, 2**63 + 2, 2**64 - 1], np.uint64),
}


def frames(name: str):
    return pytest.importorskip(name)


#: What holds y (N,): arrays, lists, columns of frames.
HOLDERS = {
    "array": lambda y: y,
    "list": lambda y: y.tolist(),
    "objects": lambda y: y.astype(object),
    "read-only": lambda y: np.lib.stride_tricks.as_strided(y, writeable=False),
    "strided": lambda y: np.repeat(y, 2)[::2],
    "Series": lambda y: frames("pandas").Series(y, index=range(500, 500 + len(y))),
    "nullable": lambda y: frames("pandas").Series(y).convert_dtypes(),
    "categorical": lambda y: frames("pandas").Series(y).astype("category"),
    "polars": lambda y: frames("polars").Series(y.tolist() if y.dtype == object else y),
}


def same(found, expected) -> bool:
    """Equal as Python's numbers and text are: without a float between them."""
    return np.asarray(found).tolist() == np.asarray(expected).tolist()


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("kind", LABELS)
def test_labels_come_back_as_they_were(kind, holder):
    labels = LABELS[kind]
    y = HOLDERS[holder](labels[CODES])
    model = cr.MLPClassifier(**SETTINGS).fit(X, y)
    assert same(model.classes_, labels)
    if holder == "array":
        known = model.classes_.dtype if labels.dtype == object else labels.dtype
        assert known.kind in "Uiuf"  # as in scikit-learn
        assert model.classes_.dtype == model.predict(X).dtype == known
    right = (model.predict_proba(X).argmax(axis=1) == CODES).mean()
    assert right > 0.9
    assert same(model.predict(X), labels[model.predict_proba(X).argmax(axis=1)])
    assert model.score(X, y) == right
    assert cr.report(model, X, y).scores["accuracy"] == right


@pytest.mark.parametrize("kind", LABELS)
def test_labels_come_back_from_parts_of_the_rows(kind):
    labels = LABELS[kind]
    model = cr.MLPClassifier(**SETTINGS)
    for part in (CODES == 1, CODES == 0, CODES == 2):  # of one class each
        model.partial_fit(X[part], labels[CODES[part]], classes=labels)
    assert same(model.classes_, labels)
    weighted = cr.MLPClassifier(**SETTINGS, class_weight={labels[0]: 2.0}).fit(X, labels[CODES])
    assert same(weighted.classes_, labels)
    with pytest.raises(ValueError, match="not the same as on last call to partial_fit"):
        model.partial_fit(X, labels[CODES], classes=labels[:2])


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("as_frame", [False, True])
def test_a_column_of_labels_is_what_it_is_flat_and_warns_so(kind, as_frame):
    y = LABELS[kind][CODES]
    column = frames("pandas").DataFrame({"kind": y}) if as_frame else y[:, None]
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        model = cr.MLPClassifier(**SETTINGS).fit(X, column)
    flat = cr.MLPClassifier(**SETTINGS).fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], flat.coefs_[0])
    assert same(model.classes_, flat.classes_)


@pytest.mark.parametrize("holder", ["array", "list", "objects", "nullable", "polars"])
def test_truth_values_are_labels(holder):
    y = HOLDERS[holder](CODES == 0)
    model = cr.MLPClassifier(**SETTINGS).fit(X, y)
    assert same(model.classes_, [False, True])
    assert model.score(X, y) == cr.report(model, X, y).scores["accuracy"] > 0.95


def replaced(*values: object) -> np.ndarray:
    """Labels as objects, of which the third and later ones are others."""
    y = CODES.astype(object)
    y[2 : 2 + len(values)] = values
    return y


@pytest.mark.parametrize(
    ("y", "error", "says"),
    [
        (replaced(None), ValueError, "a label for each row of y, got None at row 2 (1 in total); remove or fill"),
        (replaced(np.nan, np.nan), ValueError, "a label for each row of y, got nan at row 2 (2 in total)"),
        (np.where(CODES == 1, np.nan, CODES), ValueError, "Input y contains NaN"),
        (replaced("a"), TypeError, "labels of one kind in y, got 'a' and 2; turn all into text, or all into numbers"),
        (replaced(True), TypeError, "labels of one kind in y, got 2 and True"),
        (replaced(b"a"), TypeError, "labels of one kind in y, got 2 and b'a'"),
        (replaced(True).tolist(), TypeError, "labels of one kind in y, got 2 and True"),
        (replaced(*[b"a"] * 75, *["a"] * 73), TypeError, "labels of one kind in y, got "),
        (np.array(["a", b"a"] * 75, object), TypeError, "labels of one kind in y, got 'a' and b'a'"),
        (np.array([b"a", b"b"] * 75, object), TypeError, "numbers, or text, got labels of type bytes; pass their"),
        (np.array([b"a", b"b"] * 75), TypeError, "labels in y that are numbers, or text, got labels of type bytes"),
        (
            np.array(["a", "a\0"] * 75, object),
            ValueError,
            "that NumPy can hold, got 'a\\x00' at row 1, which ends",
        ),
        (
            ["a", "a\0"] * 75,
            ValueError,
            "that NumPy can hold, got 'a\\x00' at row 1, which ends in",
        ),
        (
            np.array([*Colour] * 150, object),
            TypeError,
            "numbers, or text, got labels of type Colour; pass their",
        ),
        (CODES + 1j, ValueError, "Complex data not supported"),
        (replaced("a").tolist(), TypeError, "labels of one kind in y, got 'a' and 2; turn all into text"),
        (replaced(2**53 + 1, 2.0), ValueError, "labels in y to the last digit, got 9.00719925474099e+15 as float64"),
        (replaced(2**53 + 1, 2.0).tolist(), ValueError, "labels in y to the last digit, got 9.00719925474099e+15"),
        (CODES + np.longdouble(2**60), ValueError, "labels in y to the last digit, got 1.15292"),
        ([-1, 2**63] * 75, ValueError, "labels in y to the last digit, got 9.2233720368547"),
        (LABELS["ids"][CODES].astype(float), ValueError, "labels in y to the last digit, got 2.23456789"),
        (
            (2.0**24 + 2 * CODES).astype(np.float32),
            ValueError,
            "labels in y to the last digit, got 16777220 as f",
        ),
        ([[1], [1, 2]] * 75, ValueError, "a label for each row of y, got lists of different lengths; of labels that"),
        (CODES * np.timedelta64(1, "D"), TypeError, "y to be an array of numbers, got dtype timedelta64[D]"),
        (
            np.datetime64("2020-01-01") + CODES.astype("m8[D]"),
            TypeError,
            "y to be an array of numbers, got dtype datetime64[D]",
        ),
        (replaced(10**400), TypeError, "labels in y that are numbers, or text, got a number beyond float64 at row 2"),
        (replaced(10**25), ValueError, "labels in y to the last digit, got 1e+25"),
        (CODES + 0.5, ValueError, "Unknown label type: continuous"),
        (np.ma.array(CODES, mask=CODES == 1), ValueError, "y without gaps, got a masked value at row 50"),
        (np.eye(3)[CODES] + np.eye(3)[0] * 2, ValueError, "Multioutput target data is not supported"),
        (np.eye(3)[CODES] * 2, ValueError, "zeros and ones in y (N, K), for labels that are not exclusive, got"),
        (np.eye(3, dtype=int)[CODES] * 2 - 1, ValueError, "got numbers from -1 to 1"),
    ],
)
def test_what_is_no_label_is_refused(y, error, says):
    for train in (cr.MLPClassifier().fit, lambda X, y: cr.MLPClassifier().partial_fit(X, y, classes=[0, 1, 2])):
        with pytest.raises(error, match=re.escape(says)):
            train(X, y)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (np.array(["1", 2, 3.0] * 50, object), "dtype object that holds text (1 at row 0); encode text as numbers"),
        (np.array([b"1", 2, 3.0] * 50, object), "dtype object that holds text (b'1' at row 0)"),
        (np.array([Colour.RED, 2, 3.0] * 50, object), "dtype object that holds a Colour at row 0"),
        ({1, 2}, "a set; pass an array, a frame or a list of rows"),
    ],
    ids=repr,
)
def test_what_is_no_number_is_no_target(y, says):
    for train in (cr.MLPRegressor().fit, cr.MLPRegressor().partial_fit):
        with pytest.raises(TypeError, match=re.escape(f"MLPRegressor expects y to be an array of numbers, got {says}")):
            train(X, y)


def test_long_floats_are_labels_of_64_bits():
    model = cr.MLPClassifier(**SETTINGS | {"max_iter": 2}).fit(X, CODES.astype(np.longdouble))
    assert model.classes_.dtype == np.float64
    assert model.classes_.tolist() == [0, 1, 2]


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="this NumPy has no such type")
def test_text_of_any_length_is_text():
    y = np.array(["a", "b", "c"], np.dtypes.StringDType())[CODES]
    assert cr.MLPClassifier(**SETTINGS | {"max_iter": 2}).fit(X, y).classes_.tolist() == ["a", "b", "c"]


def test_labels_to_score_are_as_exact_as_those_of_the_fit():
    model = cr.MLPClassifier(**SETTINGS).fit(X, LABELS["ids"][CODES])
    assert model.score(X, LABELS["ids"][CODES].astype(np.uint64)) == model.score(X, LABELS["ids"][CODES])
    assert model.score(X, LABELS["ids"][CODES] + 7) == 0
    for act in (model.score, lambda X, y: model.fit(X, LABELS["ids"][CODES], X_val=X, y_val=y)):
        with pytest.raises(ValueError, match="labels in y to the last digit"):
            act(X, LABELS["ids"][CODES].astype(float))


def test_na_of_pandas_is_a_missing_label():
    y = frames("pandas").Series(CODES, dtype="Int64")
    y[3] = None
    with pytest.raises(ValueError, match=r"(a label for each row of y, got <NA> at row 3|Input y contains NaN)"):
        cr.MLPClassifier().fit(X, y)


def test_one_class_is_predicted_for_every_row():
    for labels in (np.full(150, 7), np.full(150, "only")):
        model = cr.MLPClassifier(**SETTINGS | {"max_iter": 2}).fit(X, labels)
        assert set(model.predict(X).tolist()) == {labels[0]}
        assert model.predict_proba(X).shape == (150, 1)


def test_labels_that_a_test_set_lacks_have_their_columns():
    model = cr.MLPClassifier(**SETTINGS).fit(X, LABELS["ids"][CODES])
    some = CODES < 2
    assert model.predict_proba(X[some]).shape == (100, 3)
    found = cr.report(model, X[some], LABELS["ids"][CODES[some]])
    assert [(row.name, row.rows) for row in found.classes] == list(
        zip(map(str, LABELS["ids"]), [50, 50, 0], strict=True)
    )


def test_no_warning_comes_with_plain_labels():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        cr.MLPClassifier(**SETTINGS | {"max_iter": 500, "tol": 0.01}).fit(X, CODES)
    assert said == []
