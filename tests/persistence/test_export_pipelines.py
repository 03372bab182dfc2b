"""Pipelines and searches around our estimators become ONNX files that answer the same, or are refused by name."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

import onnxruntime
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)

import chainrule as cr

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

RNG = np.random.default_rng(0)
NUMBERS = pd.DataFrame(RNG.normal([5, 1e3, -2, 0], [1, 50, 0.1, 3], (200, 4)), columns=list("abcd"))
FRAME = NUMBERS.assign(kind=RNG.choice(["oak", "fir", "ä"], 200), floor=RNG.integers(0, 3, 200))
Y = (NUMBERS.a > 5).to_numpy().astype(int) + (NUMBERS.d > 0)
PRICE = (NUMBERS.a * 3 + NUMBERS.d).to_numpy()
SINCE = FRAME.assign(a=FRAME.a + 1.75e9)


def classifier(**more):
    return cr.MLPClassifier((8,), max_iter=15, random_state=0, **more)


def regressor(**more):
    return cr.MLPRegressor(hidden_layer_sizes=(8,), max_iter=15, random_state=0, **more)


def by_columns(numbers, last, kind=None):
    kind = OneHotEncoder(handle_unknown="ignore") if kind is None else kind
    return make_pipeline(ColumnTransformer([("numbers", numbers, list("abcd")), ("kind", kind, ["kind"])]), last)


SELECTED = ColumnTransformer(
    [
        ("numbers", StandardScaler(), make_column_selector(dtype_include=float)),
        ("kind", OneHotEncoder(), ["kind"]),
        ("floor", OneHotEncoder(), ["floor"]),
    ]
)
FITTED_ON = {  # an estimator, what it is fitted on, whether it needs rows to be exported
    "columns by name": (by_columns(StandardScaler(), classifier()), FRAME, Y, False),
    "gaps filled": (by_columns(make_pipeline(SimpleImputer(), StandardScaler()), classifier()), FRAME, Y, False),
    "ordinal": (by_columns(MinMaxScaler(), regressor(), OrdinalEncoder()), FRAME, PRICE, False),
    "columns selected by type": (make_pipeline(SELECTED, classifier()), FRAME, Y, False),
    "seconds": (by_columns(StandardScaler(), regressor()), SINCE, PRICE, False),
    "passed through": (
        make_pipeline(
            ColumnTransformer([("k", OneHotEncoder(), ["kind"])], remainder="passthrough"), MinMaxScaler(), classifier()
        ),
        FRAME,
        Y,
        True,
    ),
    "by position": (
        make_pipeline(ColumnTransformer([("n", StandardScaler(), [0, 1])], remainder="passthrough"), classifier()),
        NUMBERS.to_numpy(),
        Y,
        False,
    ),
    "a frame of numbers": (make_pipeline(StandardScaler(), classifier()), NUMBERS, Y, False),
    "a search of columns": (
        GridSearchCV(by_columns(StandardScaler(), classifier()), {"mlpclassifier__alpha": [0.1, 1]}, cv=2),
        FRAME,
        Y,
        False,
    ),
    "a search": (GridSearchCV(regressor(scale=True), {"alpha": [0.1, 1]}, cv=2), NUMBERS.to_numpy(), PRICE, False),
    "nested": (
        make_pipeline(make_pipeline(StandardScaler(), PCA(2)), make_pipeline(MinMaxScaler(), classifier())),
        NUMBERS.to_numpy(),
        Y,
        False,
    ),
    "a union": (make_pipeline(make_union(StandardScaler(), PCA(2)), regressor()), NUMBERS.to_numpy(), PRICE, False),
    "quartiles": (make_pipeline(RobustScaler(), classifier()), NUMBERS.to_numpy(), Y, False),
    "calibrated": (CalibratedClassifierCV(classifier(scale=True), cv=2), NUMBERS.to_numpy(), Y, False),
    "bagged": (BaggingClassifier(classifier(scale=True), 3, random_state=0), NUMBERS.to_numpy(), Y, False),
    "stacked": (
        StackingClassifier([("a", classifier(scale=True)), ("b", LogisticRegression(max_iter=5))], cv=2),
        NUMBERS.to_numpy(),
        Y,
        False,
    ),
    "several targets": (
        MultiOutputRegressor(regressor(scale=True)),
        NUMBERS.to_numpy(),
        np.stack([PRICE, -PRICE], axis=1),
        False,
    ),
    "several classifications": (
        MultiOutputClassifier(classifier(scale=True)),
        NUMBERS.to_numpy(),
        np.stack([Y, Y > 0], axis=1),
        False,
    ),
}


def run(path, rows):
    """The first answer of the file to rows given as matrix, or column by column."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
    ends = session.get_inputs()
    if len(ends) == 1:
        return session.run(None, {ends[0].name: np.asarray(rows).astype(kinds[ends[0].type])})[0]
    given = {end.name: rows[[end.name]].to_numpy().astype(kinds.get(end.type, object)) for end in ends}
    return session.run(None, given)[0]


@pytest.mark.parametrize(("estimator", "x", "y", "needs_rows"), FITTED_ON.values(), ids=FITTED_ON)
def test_files_answer_as_what_was_fitted(estimator, x, y, needs_rows, tmp_path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = estimator.fit(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        if needs_rows:
            with pytest.raises(ValueError, match=r"the type of each named column.*pass X=frame, some rows"):
                cr.export(fitted, tmp_path / "model.onnx")
        done = cr.export(fitted, tmp_path / "model.onnx", X=x if needs_rows else None)
    expected, found = fitted.predict(x), run(done.path, x)
    if hasattr(fitted, "classes_"):
        assert (found.reshape(expected.shape) != expected).mean() <= 0.01
    else:
        assert np.abs(found.reshape(expected.shape) - expected).max() < 0.01 * expected.std()
    assert done.checked < 0.01
    assert cr.export(fitted, tmp_path / "model.onnx", X=x).checked < 0.01


def halved(x):
    return x / 2


REFUSED = {
    "a function": (make_pipeline(FunctionTransformer(halved), classifier()), "FunctionTransformer at 'functiontran"),
    "a step that is not known": (make_pipeline(SplineTransformer(), classifier()), "SplineTransformer at 'splinetran"),
    "inside": (
        make_pipeline(make_union(StandardScaler(), SplineTransformer()), classifier()),
        "SplineTransformer at 'featureunion.splinetransformer'",
    ),
    "a chain": (RegressorChain(regressor()), "RegressorChain at 'RegressorChain'"),
    "a target transformed": (TransformedTargetRegressor(regressor()), "TransformedTargetRegressor at"),
}


@pytest.mark.parametrize(("estimator", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_converted_is_refused_by_its_name(estimator, says, tmp_path) -> None:
    y = Y if "Classifier" in repr(estimator) else np.stack([PRICE, -PRICE], axis=1)
    with pytest.raises(ValueError, match="export to ONNX expects steps that skl2onnx converts, got") as caught:
        cr.export(estimator.fit(NUMBERS.to_numpy(), y), tmp_path / "model.onnx")
    assert type(caught.value) is ValueError
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_named_columns_need_a_frame(tmp_path) -> None:
    fitted = by_columns(StandardScaler(), classifier()).fit(FRAME, Y)
    with pytest.raises(TypeError, match=r"export\(X=\) expects a frame with the columns by name, got ndarray"):
        cr.export(fitted, tmp_path / "model.onnx", X=np.zeros((5, 6)))
