"""An ONNX file holds what is known of the model, and hostile names are data."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
import onnx
import onnxruntime

import chainrule as cr
from persistence.onnx_networks import facts_of, network


def test_names_say_what_they_are(tmp_path):
    model = network()
    cr.export(model, tmp_path / "n.onnx")
    graph = onnx.load(tmp_path / "n.onnx").graph
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    for name in ("0.W", "0.b", "1.0.gain", "1.1.W", "2.W", "2.b"):
        np.testing.assert_array_equal(constants[name], model.parameters[name])
    names = [node.name for node in graph.node]
    assert names[:2] == ["0.affine.MatMul", "0.affine.Add"]
    assert {"0.gelu.Erf", "1.layer_norm.Sqrt", "1.affine.MatMul", "1.add.Add", "2.affine.Add"} <= set(names)
    assert len(set(names)) == len(names)
    (given,), (result,) = graph.input, graph.output
    assert [given.name, result.name] == ["x", "y"]
    for end, width in ((given, 4), (result, 3)):
        rows, columns = end.type.tensor_type.shape.dim
        assert (rows.dim_param, columns.dim_value) == ("rows", width)


def test_what_is_known_of_the_model_is_in_the_file(tmp_path):
    model = network()
    model.metadata = {"class_names": ["a", "b", "c"], "feature_names": list("wxyz"), "by": "me"}
    cr.export(model, tmp_path / "n.onnx")
    facts = facts_of(tmp_path / "n.onnx")
    assert facts["chainrule"] == cr.__version__
    assert json.loads(facts["class_names"]) == ["a", "b", "c"]
    assert json.loads(facts["feature_names"]) == list("wxyz")
    assert json.loads(facts["metadata"]) == {"by": "me"}
    assert facts["input"] == "x: float32, rows of 4 numbers"
    model.parameters.vector[-1] += 1
    cr.export(model, tmp_path / "m.onnx")
    assert facts_of(tmp_path / "m.onnx")["parameters_sha256"] != facts["parameters_sha256"]
    proto = onnx.load(tmp_path / "n.onnx")
    assert (proto.producer_name, proto.producer_version) == ("chainrule", cr.__version__)


def test_equal_models_give_equal_files(tmp_path):
    for name in ("a.onnx", "b.onnx"):
        cr.export(network(), tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


HOSTILE = ['"}]', "\0\n\x1b[31m", "../../etc/passwd", "${jndi:ldap://x}", "\ud800", "∑" * 1000, ""]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_hostile_names_are_data(precision, tmp_path):
    model = cr.MLP([2, len(HOSTILE)], rng=0)
    model.metadata = {"class_names": HOSTILE, "feature_names": HOSTILE[:2], "</script>": {"x": HOSTILE}}
    assert cr.export(model, tmp_path / "n.onnx", precision=precision).checked is not None
    facts = facts_of(tmp_path / "n.onnx")
    assert json.loads(facts["class_names"]) == HOSTILE
    assert json.loads(facts["feature_names"]) == HOSTILE[:2]
    assert json.loads(facts["metadata"]) == {"</script>": {"x": HOSTILE}}


@pytest.mark.parametrize(
    "metadata",
    [
        {"class_names": ["a", "b"], "feature_names": ["a"]},
        {"class_names": 3, "feature_names": "abcd"},
        {"class_names": [], "encoder": {"format": 99}},
    ],
    ids=str,
)
def test_names_that_are_not_those_of_the_columns_stay_plain_metadata(metadata, tmp_path):
    model = network()
    model.metadata = metadata
    cr.export(model, tmp_path / "n.onnx")
    facts = facts_of(tmp_path / "n.onnx")
    assert {"class_names", "feature_names"}.isdisjoint(facts)
    assert json.loads(facts["metadata"]) == {name: value for name, value in metadata.items() if name != "encoder"}


def test_metadata_that_json_cannot_hold_are_refused(tmp_path):
    model = network()
    model.metadata = {"mean": np.nan}
    with pytest.raises(TypeError, match="expects metadata that JSON can hold, got some that it cannot"):
        cr.export(model, tmp_path / "n.onnx")
    assert list(tmp_path.iterdir()) == []


# --- estimators


@pytest.fixture
def iris():
    pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_iris(return_X_y=True)
    return x * 10 + [0, 1000, 0, -50], np.array(["se'tosa", '"', "\n"])[y]


SETTINGS = dict(hidden_layer_sizes=(9,), solver="lbfgs", max_iter=20, random_state=0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:skl2onnx")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:onnx")
class TestEstimators:
    @pytest.mark.parametrize("inside", [True, False], ids=["scale", "pipeline"])
    def test_scaling_and_classifier_are_one_graph(self, inside, iris, tmp_path):
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        x, y = iris
        last = cr.MLPClassifier(**SETTINGS, scale=inside)
        fitted = (last if inside else make_pipeline(StandardScaler(), last)).fit(x, y)
        done = cr.export(fitted, tmp_path / "n.onnx", rows=x)  # which float32 holds exactly
        assert done.checked < 1e-5
        label, probabilities = onnxruntime.InferenceSession(done.path).run(None, {"x": x.astype(np.float32)})
        np.testing.assert_array_equal(label, fitted.predict(x))
        np.testing.assert_allclose(probabilities, fitted.predict_proba(x), atol=1e-5)
        facts = facts_of(done.path)
        assert json.loads(facts["class_names"]) == sorted(set(y))
        assert len(facts["parameters_sha256"]) == 64
        assert facts["chainrule"] == cr.__version__

    def test_a_regressor_of_a_frame(self, iris, tmp_path):
        pandas = pytest.importorskip("pandas", reason="pandas is not installed")
        x = pandas.DataFrame(iris[0], columns=list("abcd"))
        fitted = cr.MLPRegressor(**SETTINGS, scale=True).fit(x[["a", "b", "c"]], x["d"])
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # such as that names of columns are missing
            done = cr.export(fitted, tmp_path / "n.onnx")
        assert done.checked < 1e-4
        assert json.loads(facts_of(done.path)["feature_names"]) == ["a", "b", "c"]

    @pytest.mark.parametrize("options", [{"precision": "int8"}, {"outputs": "probabilities"}, {"input_shape": (4,)}])
    def test_options_of_networks_are_refused(self, options, iris, tmp_path):
        fitted = cr.MLPClassifier(**SETTINGS).fit(*iris)
        with pytest.raises(
            ValueError, match="for a Sequential only, got it for MLPClassifier; leave it out, or export"
        ):
            cr.export(fitted, tmp_path / "n.onnx", **options)
