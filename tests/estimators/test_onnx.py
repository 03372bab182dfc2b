"""What skl2onnx makes of our estimators, run by ONNX Runtime, says what they say."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

import onnx
import onnxruntime
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import chainrule as cr
from chainrule.layers.activations import ACTIVATIONS

cr.convert.register_skl2onnx()

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:skl2onnx"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:onnx"),
]

X, Y = load_iris(return_X_y=True)
X = (X * [1, 10, 0.1, 1] + [0, 50, 0, -3]).astype(np.float32)
NUMBERS = (X[:, :2] @ [0.3, -0.1]).astype(np.float32) + 10
SETTINGS = dict(hidden_layer_sizes=(9, 5), max_iter=5, random_state=0)


def session_of(graph):
    """It is a graph that the standard allows."""
    onnx.checker.check_model(graph, full_check=True)
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


def run(graph, x, session=None):
    """The graph's outputs by name; shapes are as it declares them."""
    session = session or session_of(graph)
    outputs = dict(zip([output.name for output in session.get_outputs()], session.run(None, {"X": x}), strict=True))
    for output in session.get_outputs():
        if isinstance(outputs[output.name], np.ndarray):
            declared = [len(x) if isinstance(size, (str, type(None))) else size for size in output.shape]
            assert list(outputs[output.name].shape) == declared, output.name
    return outputs


def assert_same_classification(fitted, x, classifier=None):
    graph = to_onnx(fitted, x[:1], options={id(classifier or fitted): {"zipmap": False}})
    session = session_of(graph)
    for some in (x[:1], x[:7], x):
        outputs = run(graph, some, session)
        assert outputs["probabilities"].dtype == x.dtype
        np.testing.assert_allclose(outputs["probabilities"], fitted.predict_proba(some), rtol=0, atol=1e-5)
        np.testing.assert_array_equal(outputs["label"], fitted.predict(some))


def assert_same_numbers(fitted, x):
    graph = to_onnx(fitted, x[:1])
    session = session_of(graph)
    for some in (x[:1], x[:7], x):
        (found,) = run(graph, some, session).values()
        expected = fitted.predict(some)
        np.testing.assert_allclose(found, expected if expected.ndim > 1 else expected[:, None], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("activation", [*sorted(set(ACTIVATIONS) - {"softmax"}), "logistic"])
def test_every_activation_in_a_pipeline(activation, normalization, dtype):
    settings = SETTINGS | dict(activation=activation, normalization=normalization, dropout=0.1)
    fitted = make_pipeline(StandardScaler(), cr.MLPClassifier(**settings)).fit(X.astype(dtype), Y)
    assert_same_classification(fitted, X.astype(dtype), fitted[-1])


@pytest.mark.parametrize(
    "activation", [cr.LeakyReLU(0.3), cr.ELU(0.5), cr.GELU("tanh"), cr.Softmax(), ["tanh", cr.LeakyReLU(0.0)]], ids=repr
)
def test_activation_objects(activation):
    assert_same_classification(cr.MLPClassifier(**SETTINGS, activation=activation, scale=True).fit(X, Y), X)


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"softmax"}))
def test_activations_far_from_zero(activation):
    model = cr.MLPRegressor(**SETTINGS | dict(hidden_layer_sizes=(3,)), activation=activation).fit(X, NUMBERS)
    model.coefs_ = [np.full((4, 3), 1.0), np.full((3, 1), 1.0)]
    x = np.float32([[-1e4] * 4, [-30] * 4, [-1] * 4, [0] * 4, [1] * 4, [30] * 4, [1e4] * 4])
    assert_same_numbers(model, x)


def test_an_activation_of_the_users_own_is_refused():
    class Square(cr.Activation):
        def apply(self, x, out):
            return np.square(x, out=out)

        def pull_back(self, dy, x, y, out):
            return np.multiply(dy, 2 * np.sqrt(y), out=out)

    model = cr.MLPClassifier(**SETTINGS, activation=Square(), scale=True).fit(X, Y)
    with pytest.raises(ValueError, match=r"skl2onnx expects layers that .* program\(\) .*, got Square"):
        to_onnx(model, X[:1])


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (X[:100], Y[:100]),
        (X[50:], np.array(["a", "versicolor", "virginica"])[Y[50:]]),
        (X, np.array(["setosa", "versicolor", "virginica"], dtype=object)[Y]),
        (X[:100], Y[:100] == 1),
        (X, Y + 0.0),
        (X, Y.astype(np.uint8) + 7),
        make_multilabel_classification(100, n_features=5, random_state=0),
    ],
    ids=["two", "two strings", "strings", "bool", "float", "uint8", "labels"],
)
def test_every_kind_of_label(x, y):
    assert_same_classification(
        cr.MLPClassifier(**SETTINGS, scale=True).fit(x.astype(np.float32), y), x.astype(np.float32)
    )


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("y", [NUMBERS, np.column_stack([NUMBERS, X[:, 0]])], ids=["one target", "two targets"])
@pytest.mark.parametrize(
    "loss", ["squared_error", "poisson", "absolute_error", "huber", "log_cosh", "quantile", "gaussian_nll"]
)
def test_every_loss(loss, y, scale):
    assert_same_numbers(
        cr.MLPRegressor(**SETTINGS, loss=loss, scale=scale).fit(X - X.mean(axis=0), y), X - X.mean(axis=0)
    )


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("y", [NUMBERS, np.column_stack([NUMBERS, X[:, 0]])], ids=["one target", "two targets"])
def test_the_predicted_spread(y, scale):
    x = X - X.mean(axis=0)
    fitted = cr.MLPRegressor(**SETTINGS, loss="gaussian_nll", scale=scale).fit(x, y)
    outputs = run(to_onnx(fitted, x[:1], options={"return_std": True}), x)
    for found, expected in zip(outputs.values(), fitted.predict(x, return_std=True), strict=True):
        np.testing.assert_allclose(found, expected.reshape(len(x), -1), rtol=1e-5, atol=1e-5)


def test_no_spread_where_none_is_predicted():
    fitted = cr.MLPRegressor(**SETTINGS).fit(X, NUMBERS)
    with pytest.raises(ValueError, match="option return_std expects loss=\"gaussian_nll\", got loss='squared_error'"):
        to_onnx(fitted, X[:1], options={"return_std": True})


def test_options_of_classifiers():
    fitted = cr.MLPClassifier(**SETTINGS, scale=True).fit(X, np.array(["a", "b", "c"])[Y])
    expected = fitted.predict_proba(X[:2])
    (first, second) = run(to_onnx(fitted, X[:1]), X[:2])["output_probability"]
    np.testing.assert_allclose([list(first.values()), list(second.values())], expected, atol=1e-5)
    assert list(first) == ["a", "b", "c"]
    columns = run(to_onnx(fitted, X[:1], options={"zipmap": "columns"}), X[:2])
    np.testing.assert_allclose(columns["sb"].ravel(), expected[:, 1], atol=1e-5)
    named = run(to_onnx(fitted, X[:1], options={"zipmap": False, "output_class_labels": True}), X[:3])
    assert list(named["class_labels"]) == ["a", "b", "c"]
    numbered = run(to_onnx(fitted, X[:1], options={"zipmap": False, "nocl": True}), X)
    np.testing.assert_array_equal(np.array(["a", "b", "c"])[numbered["label"]], fitted.predict(X))


def test_inside_other_estimators_of_scikit_learn():
    search = GridSearchCV(cr.MLPClassifier(**SETTINGS, scale=True), {"alpha": [0.1, 0.2]}, cv=2).fit(X, Y)
    assert_same_classification(search, X)
    columns = make_column_transformer((StandardScaler(), [0, 1, 2]), (OneHotEncoder(sparse_output=False), [3]))
    x = np.column_stack([X[:, :3], Y]).astype(np.float32)
    fitted = make_pipeline(columns, cr.MLPRegressor(**SETTINGS)).fit(x, NUMBERS)
    assert_same_numbers(fitted, x)


def test_an_older_version_of_onnx():
    fitted = cr.MLPClassifier(**SETTINGS, activation="mish", normalization="layer", scale=True).fit(X, Y)
    graph = to_onnx(fitted, X[:1], target_opset=13, options={"zipmap": False})
    assert {one.version for one in graph.opset_import if not one.domain} == {13}
    np.testing.assert_allclose(run(graph, X)["probabilities"], fitted.predict_proba(X), atol=1e-5)


def test_whole_numbers_as_input():
    x = X.astype(np.int64)
    fitted = cr.MLPRegressor(**SETTINGS, scale=True).fit(x, NUMBERS)
    (found,) = run(to_onnx(fitted, x[:1]), x).values()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], fitted.predict(x), rtol=1e-5)


def test_a_batch_of_any_size_is_declared():
    fitted = cr.MLPRegressor(**SETTINGS).fit(X, NUMBERS)
    graph = to_onnx(fitted, initial_types=[("X", FloatTensorType([None, 4]))])
    assert len(run(graph, X[:3])["variable"]) == 3
