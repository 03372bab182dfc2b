"""X, y and weights as people have them: trained on as they are, or refused with the value, its place and a remedy."""

from __future__ import annotations

import datetime
import decimal
import re

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from scipy import sparse
from sklearn.datasets import load_diabetes, load_iris

import chainrule as cr

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
D, T = load_diabetes(return_X_y=True)
DAYS = np.datetime64("2020-01-01", "us") + np.timedelta64(1, "D") * np.arange(150)


def classifier(**settings):
    return cr.MLPClassifier(**{"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0} | settings)


def regressor(**settings):
    return cr.MLPRegressor(**{"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0} | settings)


def pandas(**columns):
    return pytest.importorskip("pandas").DataFrame(columns)


def polars(**columns):
    return pytest.importorskip("polars").DataFrame(columns)


def replaced(value, row=102, column=0):
    x = X.astype(object)
    x[row, column] = value
    return x


IDS = 2**62 + np.arange(150)
#: X that is refused, and what must be said of it.
REFUSED = {
    "dates": (np.column_stack([DAYS, DAYS]), "X to be an array of numbers, got dtype datetime64[us]; count from one"),
    "differences": (np.column_stack([DAYS - DAYS[0]] * 2), "got dtype timedelta64[us]; divide by a unit first"),
    "one date": (replaced(datetime.date(2020, 1, 1)), "holds dates (2020-01-01 at row 102, column 0)"),
    "dates in pandas": (lambda: pandas(a=X[:, 0], since=DAYS), "datetime64[us] in column 'since'"),
    "dates in polars": (lambda: polars(a=X[:, 0], since=DAYS), "datetime64[us] in column 'since'"),
    "differences in polars": (lambda: polars(a=X[:, 0], took=DAYS - DAYS[0]), "timedelta64[us] in column 'took'"),
    "masked": (np.ma.array(X, mask=X > 7), "X without gaps, got a masked value at row 102, column 0"),
    "NaN": (
        np.where(X > 7, np.nan, X),
        "X contains NaN. WHO expects finite numbers in X, got nan at row 102, column 0",
    ),
    "infinity": (np.where(X > 7, np.inf, X), "got inf at row 102, column 0 (12 in total); remove or fill"),
    "None": (replaced(None), "got nan at row 102, column 0 (1 in total); remove or fill the missing values"),
    "a gap in pandas": (
        lambda: pandas(a=X[:, 0], gap=[1, None] * 75).convert_dtypes(),
        "at row 1, column 'gap' (75 in total",
    ),
    "a gap in polars": (lambda: polars(a=X[:, 0], gap=[1, None] * 75), "nan at row 1, column 'gap' (75 in total)"),
    "text": (replaced("n/a"), "X to be an array of numbers, got text, n/a at row 102, column 0; encode it as numbers"),
    "text in pandas": (lambda: pandas(a=X[:, 0], kind=["u"] * 150), "text, u at row 0 in column 'kind'; encode it"),
    "text in polars": (lambda: polars(a=X[:, 0], kind=["u"] * 150), "text, u at row 0 in column 'kind'; encode it"),
    "complex": (X + 1j, "Complex data not supported"),
    "ids": (IDS[:, None], "columns of X whose differences float64 can hold, got column 0 from 46116"),
    "ids in a list": (IDS[:, None].tolist(), "columns of X whose differences float64 can hold, got column 0"),
    "ids in pandas": (lambda: pandas(a=X[:, 0], id=IDS), "differences float64 can hold, got column 'id' from 46116"),
    "nullable ids": (lambda: pandas(a=X[:, 0], id=IDS).convert_dtypes(), "can hold, got column 'id' from 4611"),
    "ids in polars": (lambda: polars(a=X[:, 0], id=IDS), "differences float64 can hold, got column 'id' from 46116"),
    "rows of two lengths": ([[1.0], [1.0, 2.0]] * 75, "got rows of different lengths; pass rows of as many"),
    "nothing": (None, "X to be an array of numbers, got a NoneType"),
    "a dict": ({"a": 1}, "X to be an array of numbers, got a dict"),
    "a generator": ((row for row in X), "X to be an array of numbers, got a generator"),
    "a sparse gap": (sparse.csr_array(np.where(X > 7, np.nan, X)), "got nan at row 102, column 0 (12 in total)"),
    "beyond float64": (replaced(10**400), "got a number beyond float64 at row 102, column 0; scale it first"),
    "all beyond float64": (np.full((150, 4), 10**400, object), "a number beyond float64 at row 0, column 0; scale it"),
    "a structured array": (np.zeros(150, [("a", "f8"), ("b", "f8")]), "got a structured one; pass numpy.lib.recfuncti"),
    "intervals": (
        lambda: pandas(a=pytest.importorskip("pandas").cut(X[:, 0], 3)),
        "holds intervals ((4.296, 5.5] at r",
    ),
    "one name twice": (
        lambda: pandas(a=X[:, 0], b=X[:, 1]).rename(columns={"b": "a"}),
        "2 columns of the name 'a'; re",
    ),
    "no rows": (X[:0], "Found array with 0 sample(s)"),
    "no columns": (X[:, :0], "Found array with 0 feature(s)"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("make", [classifier, regressor])
def test_x_that_is_no_table_of_numbers_is_refused(make, kind):
    given, says = REFUSED[kind]
    x = given() if callable(given) else given
    says = re.escape(says.replace("WHO", type(make()).__name__))
    with pytest.raises((ValueError, TypeError), match=says):
        make().fit(x, Y)


@pytest.mark.parametrize("kind", [kind for kind in REFUSED if "ids" not in kind and "no " not in kind])
def test_rows_to_predict_are_refused_in_the_same_words(kind):
    given, says = REFUSED[kind]
    x = given() if callable(given) else given
    width = x.shape[-1] if hasattr(x, "shape") else 4
    rows = X[:, :width]
    if hasattr(x, "columns"):
        rows = type(x)({name: rows[:, k] for k, name in enumerate(x.columns)})
    model = classifier().fit(rows, Y)
    for ask in (model.predict, model.predict_proba, lambda rows: model.score(rows, Y)):
        with pytest.raises((ValueError, TypeError), match=re.escape(says.replace("WHO", "MLPClassifier"))):
            ask(x)


#: X in other clothes, on which the same network must be trained, to the bit.
SAME = {
    "list": lambda x: x.tolist(),
    "objects": lambda x: x.astype(object),
    "decimals": lambda x: [[decimal.Decimal(value) for value in row] for row in x.tolist()],
    "read-only": lambda x: np.lib.stride_tricks.as_strided(x, writeable=False),
    "column-major": np.asfortranarray,
    "reversed": lambda x: x[::-1].copy()[::-1],
    "big-endian": lambda x: x.astype(">f8"),
    "nothing masked": lambda x: np.ma.array(x, mask=False),
    "pandas": lambda x: pytest.importorskip("pandas").DataFrame(x, columns=list("abcd")),
    "polars": lambda x: pytest.importorskip("polars").DataFrame(x, schema=list("abcd")),
}


@pytest.mark.parametrize("clothes", SAME)
def test_the_same_numbers_give_the_same_network(clothes):
    expected, found = (classifier().fit(given, Y) for given in (X, SAME[clothes](X)))
    np.testing.assert_array_equal(found.model_.parameters.vector, expected.model_.parameters.vector)
    np.testing.assert_allclose(found.predict_proba(SAME[clothes](X)), expected.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.int64, np.uint16, bool])
def test_numbers_of_every_width_are_trained_on(dtype):
    x = np.round(X).astype(dtype)
    np.testing.assert_array_equal(classifier().fit(x, Y).coefs_[0], classifier().fit(x.astype(np.float64), Y).coefs_[0])


@pytest.mark.filterwarnings("ignore:Constructing a DIA matrix")
@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
def test_every_sparse_format_is_taken(kind):
    x = getattr(sparse, f"{kind}_array")(X)
    np.testing.assert_allclose(classifier().fit(x, Y).predict_proba(x), classifier().fit(X, Y).predict_proba(X))


# ---- y of a regression


def test_y_far_from_0_is_standardised_in_float64():
    x = D.astype(np.float32)
    near = regressor(scale=True, max_iter=50).fit(x, T)
    far = regressor(scale=True, max_iter=50).fit(x, 1e9 + T)
    np.testing.assert_allclose(far.coefs_[0], near.coefs_[0], atol=1e-6)
    assert far.predict(x).dtype == np.float64
    assert near.predict(x).dtype == np.float32
    np.testing.assert_allclose(far.predict(x) - 1e9, near.predict(x), atol=1e-4)
    with pytest.raises(ValueError, match="MLPRegressor expects columns of y whose differences float32 can hold"):
        regressor().fit(x, 1e9 + T)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (DAYS, "y to be an array of numbers, got dtype datetime64"),
        (DAYS - DAYS[0], "y to be an array of numbers, got dtype timedelta64"),
        (np.ma.array(X[:, 0], mask=X[:, 0] > 7), "y without gaps, got a masked value at row 102"),
        (IDS, "columns of y whose differences float64 can hold"),
        (np.where(X[:, 0] > 7, np.nan, 1), "contains NaN"),
    ],
)
def test_y_that_is_no_number_is_refused(y, says):
    model = regressor().fit(X, X[:, 0])
    acts = [regressor().fit, regressor().partial_fit] + ([model.score] if y is not IDS else [])
    for act in acts:
        with pytest.raises((ValueError, TypeError), match=re.escape(says)):
            act(X, y)


def test_a_constant_target_is_learned():
    for scale in (False, True):
        model = regressor(scale=scale, max_iter=300, learning_rate_init=0.01).fit(D, np.full(len(D), 3.0))
        assert np.abs(model.predict(D) - 3).max() < 0.5


def test_columns_too_large_to_standardise_are_refused():
    with pytest.raises(ValueError, match=r"MLPClassifier\(scale=True\) expects columns of X that can be standardised"):
        classifier(scale=True).fit(np.where(X > 7, 1e200, X), Y)


# ---- weights and parameters


@pytest.mark.parametrize(
    ("weight", "says"),
    [
        (np.zeros(150), "at least one non-zero number"),
        (np.ones((150, 1)), "Sample weights must be 1D array or scalar, got 2D"),
        (DAYS, "sample_weight to be an array of numbers, got dtype datetime64"),
        (np.ma.array(np.ones(150), mask=Y == 1), "sample_weight without gaps, got a masked value at row 50"),
        (np.full(150, np.inf), "sample_weight contains infinity"),
    ],
)
def test_weights_that_are_none_are_refused(weight, says):
    for act in (classifier().fit, lambda *a, **k: classifier().partial_fit(*a, classes=[0, 1, 2], **k)):
        with pytest.raises((ValueError, TypeError), match=says):
            act(X, Y, sample_weight=weight)


def test_weights_of_every_kind_are_taken():
    plain = classifier().fit(X, Y)
    for weight in (1, 1.0, [1] * 150, np.ones(150, bool), np.ones(150, np.float32), pandas(w=np.ones(150))["w"]):
        np.testing.assert_allclose(classifier().fit(X, Y, sample_weight=weight).coefs_[0], plain.coefs_[0], rtol=1e-6)


NUMBERS = [
    "max_iter",
    "alpha",
    "batch_size",
    "tol",
    "n_iter_no_change",
    "max_fun",
    "random_state",
    "dropout",
    "max_norm",
]


@pytest.mark.parametrize("name", [*NUMBERS, "hidden_layer_sizes", "learning_rate_init", "weight_decay", "power_t"])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_true_is_no_number(make, name):
    with pytest.raises((TypeError, ValueError), match=name):
        make(**{name: True}).fit(X, Y)


@pytest.mark.parametrize("sizes", [5, [5], (5,), np.array([5]), np.int64(5), range(5, 6)])
def test_hidden_layers_are_said_in_many_ways(sizes):
    assert (
        classifier(hidden_layer_sizes=sizes).fit(X, Y).model_.config()
        == classifier(hidden_layer_sizes=(5,)).fit(X, Y).model_.config()
    )


@pytest.mark.parametrize("sizes", [{5, 3}, {5: 3}, (5.0,), "5", [True], [[5]], None, (0,)])
def test_hidden_layers_that_are_none_are_refused(sizes):
    with pytest.raises((TypeError, ValueError), match="hidden_layer_sizes"):
        classifier(hidden_layer_sizes=sizes).fit(X, Y)


# ---- names of columns


def test_columns_in_another_order_or_missing_are_refused():
    frame = pytest.importorskip("pandas").DataFrame(X, columns=list("abcd"))
    model = classifier().fit(frame, Y)
    for wrong, says in (
        (frame[list("bacd")], "must be in the same order"),
        (frame[list("abc")], "yet now missing"),
        (frame.rename(columns={"d": "e"}), "unseen at fit time"),
    ):
        with pytest.raises(ValueError, match=says):
            model.predict(wrong)
        with pytest.raises(ValueError, match=says):
            model.fit(frame, Y, X_val=wrong, y_val=Y).predict(wrong)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X)
