"""Pipelines are compared with their files on rows that lie where those of the training did, or the result says so."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, Normalizer, PolynomialFeatures, StandardScaler

import chainrule as cr
from chainrule.persistence.rows import drawn_rows, without_idle_steps

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

UNIT = np.random.default_rng(0).normal(size=(200, 4))
X = UNIT * [1, 2, 3, 4] + 1e8
BESIDE = [("scaled", StandardScaler(), [0, 1]), ("as they are", "passthrough", [2, 3])]
STEPS = {  # before an estimator of ours; whether it tells where the columns lie; how many it uses
    "out of action": ("passthrough", True, 4),
    "no function": (FunctionTransformer(), True, 4),
    "two columns chosen": (SelectKBest(k=2), True, 2),
    "columns that vary": (VarianceThreshold(), True, 4),
    "main directions": (PCA(3), True, 4),
    "beside each other": (ColumnTransformer(BESIDE), True, 4),
    "some dropped": (ColumnTransformer([*BESIDE[:1], ("no", "drop", [2, 3])]), True, 2),
    "a union": (make_union(StandardScaler(), PCA(2)), True, 4),
    "a pipeline": (make_pipeline(FunctionTransformer(), VarianceThreshold()), True, 4),
    "rows of length one": (Normalizer(), False, 0),
    "products": (PolynomialFeatures(2, interaction_only=True), False, 0),
}
AROUND = {
    "calibration": lambda model: CalibratedClassifierCV(model, cv=2),
    "bags": lambda model: BaggingClassifier(model, 2, random_state=0),
    "nothing": lambda model: model,
    "a search": lambda model: GridSearchCV(model, {}, cv=2),
}


def fitted(model, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


@pytest.mark.parametrize(("name", "around"), [*product(STEPS, AROUND)][2:])  # the first has no width there
def test_rows_lie_where_the_columns_do(name, around) -> None:
    step, tells, used = STEPS[name]
    last = cr.MLPClassifier((4,), max_iter=2, random_state=0, scale=True)
    model = fitted(AROUND[around](make_pipeline(step, last)), (UNIT[:, 0] + UNIT[:, 3] > 0).astype(int))
    rows, about = drawn_rows(without_idle_steps(model))
    assert about == ("" if tells else "standard normal rows")
    if tells:
        far = np.abs(rows.mean(axis=0) - 1e8) < 3
        assert far.sum() == used
        assert (rows[:, far].std(axis=0) > 0.3).all()


@pytest.mark.parametrize("wrap", AROUND.values(), ids=AROUND)
def test_rows_of_an_estimator_alone(wrap) -> None:
    model = fitted(wrap(cr.MLPClassifier((4,), max_iter=2, random_state=0)), (UNIT[:, 0] > 0).astype(int))
    rows, about = drawn_rows(model)
    assert about == ""
    np.testing.assert_allclose(rows.mean(axis=0), 1e8, atol=3)
    np.testing.assert_allclose(rows.std(axis=0), [1, 2, 3, 4], rtol=0.3)


@pytest.mark.parametrize(("step", "tells", "used"), STEPS.values(), ids=STEPS)
def test_files_of_columns_far_from_zero_are_right_or_say_what_was_tried(step, tells, used, tmp_path) -> None:
    for module in ("skl2onnx", "onnxruntime"):
        pytest.importorskip(module)
    last = cr.MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", max_iter=30, random_state=0, scale=True)
    model = fitted(make_pipeline(step, last), UNIT[:, 0] + UNIT[:, 3])
    if not tells:
        said = ", on standard normal rows; pass X=rows to compare on yours"
        try:
            assert said in str(cr.export(model, tmp_path / "model.onnx"))
        except ValueError as error:
            assert "; pass X=rows" in str(error) or ", or pass X=rows" in str(error)  # noqa: PT017
        return
    done = cr.export(model, tmp_path / "model.onnx")
    assert done.rows == ""
    y = model.predict(X)
    assert np.abs(run(done.path, X).ravel() - y).max() < 0.01 * y.std()


def run(path, x) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    kind = {"tensor(float)": np.float32, "tensor(double)": np.float64}[session.get_inputs()[0].type]
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x.astype(kind)})[0])
