"""ONNX files say what the model says, for every layer and any number of rows, and hold what is known of it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

import onnx
import onnxruntime

import chainrule as cr
from chainrule.layers import LAYERS
from chainrule.layers.activations import ACTIVATIONS, name_of
from chainrule.layers.base import walk
from chainrule.persistence import onnx as tool
from chainrule.persistence.onnx import runtime

BATCHES = (0, 1, 7, 1000)
ORDINARY, MANY = 8, 50


# --- random architectures -----------------------------------------------------------------------------------------


KINDS = [name for name in LAYERS if name != "Embedding"]  # which takes no numbers: see test_input_layers.py


def random_layer(kind, width, rng):
    """A layer of this class for rows of this width, with arguments other than its defaults."""
    if kind == "Linear":
        chosen = rng.choice([None, *ACTIVATIONS])
        activation = cr.LeakyReLU(0.3) if chosen == "leaky_relu" else chosen and str(chosen)
        return cr.Linear(width, int(rng.integers(1, 40)), activation, bias=bool(rng.random() < 0.7))
    if kind == "Residual":
        inner = random_layer(str(rng.choice(["Linear", "LayerNorm", "Residual"])), width, rng)
        wide = inner.out_features if isinstance(inner, cr.Linear) else width
        return cr.Residual(
            [inner, random_layer("PReLU", wide, rng), cr.Linear(wide, width, initializer="glorot_normal")]
        )
    if kind in ("Columns", "PBLD"):
        return cr.Columns([(width, [cr.PBLD(width, 3, 2), cr.Linear(2 * width, width)])])
    if kind == "LayerNorm":  # its default ε would make the rounding of nearly equal numbers 300 times larger
        return cr.LayerNorm(width, epsilon=0.01)
    if kind in ("Scale", "PReLU", "BatchNorm"):
        return LAYERS[kind](width)
    given = {"LeakyReLU": (0.2,), "ELU": (0.7,), "GELU": (str(rng.choice(["none", "tanh"])),), "Dropout": (0.3,)}
    return LAYERS[kind](*given.get(kind, ()))


def random_network(seed):
    """Some layers, among them those whose turn it is, behind a batch of images now and then; and the shape of a row."""
    rng = np.random.default_rng(seed)
    kinds = [*KINDS[seed % ORDINARY :: ORDINARY], "Linear", "Linear", *rng.choice(KINDS, 3)]
    shape = (3, 4) if seed % 3 == 0 else (int(rng.integers(1, 20)),)
    layers, width = [cr.Flatten()] if len(shape) > 1 else [], int(np.prod(shape))
    for kind in map(str, rng.permutation(kinds)):
        layers.append(random_layer(kind, width, rng))
        width = layers[-1].out_features if kind == "Linear" else width
    model = cr.Sequential(layers, rng=seed, dtype="float64" if seed % 5 == 4 else "float32")
    model.parameters.vector[:] += 0.1 * rng.standard_normal(model.parameters.vector.shape)
    for name, statistics in model.buffers.items():
        statistics[:] = (
            rng.uniform(0.5, 2, len(statistics)) if "variance" in name else rng.normal(0, 1, len(statistics))
        )
    return model, shape


def assert_same(model, shape, folder, **options):
    path = folder / "model.onnx"
    tool.write(model, path, input_shape=shape, **options)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    shaped = {value.name for value in [*inferred.graph.value_info, *inferred.graph.output]}
    assert {name for node in proto.graph.node for name in node.output} <= shaped
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for rows in BATCHES:
        x = np.random.default_rng(rows).standard_normal((rows, *shape)).astype(np.float32)
        (found,) = session.run(None, {"x": x})
        y = model.predict(x)
        assert found.shape == y.shape
        assert found.dtype == np.float32
        assert np.max(np.abs(found - y) / np.maximum(1, np.abs(y)), initial=0) < 1e-5


@pytest.mark.parametrize("seed", range(ORDINARY))
def test_random_networks_agree(seed, tmp_path):
    assert_same(*random_network(seed), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(ORDINARY, ORDINARY + MANY))
def test_many_random_networks_agree(seed, tmp_path):
    assert_same(*random_network(seed), tmp_path)


def test_the_random_networks_have_every_layer_nested_blocks_and_every_activation():
    layers = [layer for seed in range(ORDINARY) for _, layer in walk(random_network(seed)[0].layers)]
    assert {type(layer) for layer in layers} == {LAYERS[kind] for kind in KINDS}
    layers += [layer for seed in range(ORDINARY, ORDINARY + MANY) for _, layer in walk(random_network(seed)[0].layers)]
    assert {one.activation and name_of(one.activation) for one in layers if type(one) is cr.Linear} >= set(
        ACTIVATIONS
    ) - {"leaky_relu"}
    assert any(isinstance(inner, cr.Residual) for one in layers if type(one) is cr.Residual for inner in one.layers)


def test_the_version_is_the_one_that_browsers_run_too_unless_the_newest_is_asked_for(tmp_path):
    versions = []
    for options in ({}, {"opset": None}):
        cr.export(network(), tmp_path / "n.onnx", **options)
        versions += [one.version for one in onnx.load(tmp_path / "n.onnx").opset_import]
    assert versions == [21, runtime.newest_opset()]


@pytest.mark.parametrize("opset", [13, 17, 21])
def test_an_older_version_of_the_operators(opset, tmp_path):
    model, shape = random_network(0)
    assert_same(model, shape, tmp_path, opset=opset)
    assert [one.version for one in onnx.load(tmp_path / "model.onnx").opset_import] == [opset]


# --- what is in the file ------------------------------------------------------------------------------------------


def network():
    return cr.Sequential(
        [cr.Linear(4, 8, "gelu"), cr.Residual([cr.LayerNorm(8), cr.Linear(8, 8)]), cr.Linear(8, 3)], rng=0
    )


def facts_of(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


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


# --- options ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    """A network that was trained, and rows that it did not see."""
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    model = cr.Sequential([cr.Linear(64, 64), cr.BatchNorm(64), cr.GELU(), cr.LayerNorm(64), cr.Linear(64, 10)], rng=0)
    cr.Trainer(model, "cross_entropy", "adam", 64, rng=0).fit(x[400:], y[400:], epochs=8, verbose=0)
    return model, x[:400], y[:400]


@pytest.mark.parametrize(("precision", "most", "share"), [("float16", 0.02, 0.55), ("int8", 0.3, 0.4)])
def test_smaller_numbers_are_nearly_as_good(precision, most, share, digits, tmp_path):
    model, x, y = digits
    path = tmp_path / "small.onnx"
    whole = cr.export(model, tmp_path / "whole.onnx")
    done = cr.export(model, path, precision=precision, X=x)
    assert done.bytes < share * whole.bytes + 4000
    z = onnxruntime.InferenceSession(path).run(None, {"x": x})[0]
    assert z.dtype == np.float32
    assert 0 < np.abs(z - model.predict(x)).max() < most * np.abs(z).max()
    assert np.mean(z.argmax(axis=1) == y) > np.mean(model.predict(x).argmax(axis=1) == y) - 0.01
    assert done.checked is not None
    assert 1e-5 < done.checked < most * 10
    assert bool(done.notes) == (precision == "int8")
    onnx.checker.check_model(onnx.load(path), full_check=True)
    assert facts_of(path) == facts_of(tmp_path / "whole.onnx")
    for rows in BATCHES:
        assert tool.check(model, path, np.resize(x, (rows, 64))) < most * 10


def test_every_layer_in_float16(tmp_path):
    for seed in range(ORDINARY):
        model, shape = random_network(seed)
        assert cr.export(model, tmp_path / "n.onnx", precision="float16", input_shape=shape).checked < 0.1


def test_a_constant_row_in_float16(tmp_path):
    """Its ε is 0 as a half, its squares are infinite: layer normalisation is computed in float32."""
    model = cr.Sequential([cr.LayerNorm(3, epsilon=1e-9)])
    tool.write(model, tmp_path / "n.onnx", precision="float16")
    assert tool.check(model, tmp_path / "n.onnx", np.float32([[5, 5, 5], [-3000, 0, 3000]])) < 1e-2


def test_parameters_that_are_no_halves_are_refused(tmp_path):
    model = cr.MLP([2, 2], rng=0)
    model.parameters["0.W"][0, 0] = 1e5
    with pytest.raises(ValueError, match=r"±65504 for float16, got larger ones in 0\.W; use float32"):
        cr.export(model, tmp_path / "n.onnx", precision="float16")


def test_int8_without_weights_says_so(tmp_path):
    done = cr.export(cr.Sequential([cr.Scale(3)]), tmp_path / "n.onnx", precision="int8")
    assert done.notes == ["no layer has weights that int8 could hold"]
    assert done.checked == 0


@pytest.mark.parametrize(
    ("layers", "function"),
    [
        ([cr.Linear(4, 3)], cr.ops.softmax),
        ([cr.Linear(4, 1)], cr.ops.sigmoid),
        ([cr.Linear(4, 3), cr.Softmax()], cr.ops.identity),
        ([cr.Linear(4, 1, "sigmoid")], cr.ops.identity),
    ],
    ids=repr,
)
def test_probabilities(layers, function, tmp_path):
    model = cr.Sequential(copy.deepcopy(layers), rng=0)
    done = cr.export(model, tmp_path / "n.onnx", outputs="probabilities")
    assert done.checked < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "n.onnx")
    assert [one.name for one in session.get_outputs()] == ["probabilities"]
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], function(model.predict(x)), atol=1e-6)


def test_numbers_have_no_probabilities(tmp_path):
    model = cr.MLP([2, 1], rng=0)
    model.metadata = {"task": "regression"}
    with pytest.raises(ValueError, match='expects a classifier for outputs="probabilities", got a regression model'):
        cr.export(model, tmp_path / "n.onnx", outputs="probabilities")


def test_images_are_flat_rows_unless_their_shape_is_given(tmp_path):
    model = cr.Sequential([cr.Flatten(), cr.Dropout(0.1), cr.Linear(12, 2)], rng=0)
    for options, shape in (({}, (12,)), ({"input_shape": (3, 4)}, (3, 4))):
        assert cr.export(model, tmp_path / "n.onnx", **options).checked < 1e-5
        dims = onnx.load(tmp_path / "n.onnx").graph.input[0].type.tensor_type.shape.dim
        assert tuple(dim.dim_value for dim in dims[1:]) == shape
    with pytest.raises(ValueError, match="expects 12 inputs, got 20 from the layer in front"):
        cr.export(model, tmp_path / "n.onnx", input_shape=(4, 5))


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([cr.Residual([cr.Tanh(), cr.Linear(5, 5)])], (5,)),
        ([cr.GaussianNoise(), cr.Residual([cr.ReLU()]), cr.Scale(2)], (2,)),
    ],
    ids=repr,
)
def test_the_layers_tell_the_width(layers, shape, tmp_path):
    assert cr.export(cr.Sequential(layers, rng=0), tmp_path / "n.onnx").checked < 1e-5
    dims = onnx.load(tmp_path / "n.onnx").graph.input[0].type.tensor_type.shape.dim
    assert tuple(dim.dim_value for dim in dims[1:]) == shape


def test_layers_that_do_not_tell_the_width(tmp_path):
    model = cr.Sequential([cr.Tanh()])
    with pytest.raises(ValueError, match=r"expects to know the shape of one row.*pass input_shape=\(I,\)"):
        cr.export(model, tmp_path / "n.onnx")
    assert cr.export(model, tmp_path / "n.onnx", input_shape=(3,)).checked < 1e-5


def test_float64_becomes_float32_and_says_so(tmp_path):
    done = cr.export(cr.MLP([2, 3], rng=0, dtype="float64"), tmp_path / "n.onnx")
    assert done.notes == ["the model computes in float64, the file in float32"]


# --- what cannot be -----------------------------------------------------------------------------------------------


class Square(cr.Layer):
    def forward(self, x, work):
        return x * x

    def backward(self, dy, work, input_gradient=True):
        raise NotImplementedError


class Louder(cr.Linear):
    """Not what its base class does."""

    def forward(self, x, work):
        return 2 * super().forward(x, work)


@pytest.mark.parametrize("layer", [Square(), Louder(2, 2), cr.Residual([Square()])], ids=repr)
def test_a_layer_of_the_users_own_is_refused(layer, tmp_path):
    model = cr.Sequential([layer], rng=0)
    innermost = "Linear" if isinstance(layer, Louder) else "Square"
    with pytest.raises(ValueError, match=rf"ONNX expects layers that .* program\(\) .*, got {innermost}.*; give it pr"):
        cr.export(model, tmp_path / "n.onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_activation_of_the_users_own_is_refused(tmp_path):
    class Exponential(cr.Activation):
        def apply(self, x, out):
            return np.exp(x, out=out)

        def pull_back(self, dy, x, y, out):
            raise NotImplementedError

    with pytest.raises(ValueError, match=r"expects layers that .* program\(\) .*, got Exponential\(\); give it"):
        cr.export(cr.Sequential([cr.Linear(1, 1, Exponential())], rng=0), tmp_path / "n.onnx")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"precision": "int4"}, "expects the name of a precision, got 'int4' (did you mean 'int8'?)"),
        ({"outputs": "probs"}, "expects the name of the outputs, got 'probs'"),
        ({"opset": 12}, "expects opset >= 13, got 12"),
        ({"opset": 999}, "expects an opset that the installed onnx knows, up to "),
        ({"input_shape": (0,)}, "expects each of input_shape >= 1, got 0"),
    ],
    ids=str,
)
def test_options_that_are_none(options, says, tmp_path):
    with pytest.raises(ValueError, match="export to ONNX expects") as caught:
        cr.export(network(), tmp_path / "n.onnx", **options)
    assert says in str(caught.value)


def test_a_model_that_no_file_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(tool.network, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="expects a model of less than 100 bytes, got 620 bytes of parameters"):
        cr.export(network(), tmp_path / "n.onnx")


def test_an_opset_that_onnx_runtime_does_not_run_yet(monkeypatch, tmp_path):
    def session(proto, *args, **kwargs):
        newest = onnx.load_from_string(proto).opset_import[0].version
        if newest > 22:
            raise RuntimeError(f"opset {newest} is under development")
        return real(proto, *args, **kwargs)

    if onnx.defs.onnx_opset_version() < 23:
        pytest.skip("the installed onnx is older than the opset that is not run here")
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    assert runtime.newest_opset.__wrapped__() == 22
    with pytest.raises(
        ValueError, match=r"ONNX Runtime .* expects a file that it can run, got opset 23 .* older opset"
    ):
        cr.export(network(), tmp_path / "n.onnx", opset=23)


def test_without_onnx_runtime_the_file_is_written_for_the_common_one(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    runtime.newest_opset.cache_clear()
    try:
        done = cr.export(network(), tmp_path / "n.onnx")
        assert done.checked is None
        assert done.notes == [
            "not compared with the model: ONNX Runtime is not installed (pip install 'chainrule[onnx]')"
        ]
        assert [one.version for one in onnx.load(tmp_path / "n.onnx").opset_import] == [runtime.COMMON_OPSET]
        with pytest.raises(ModuleNotFoundError, match=r"int8.* needs onnxruntime, .*'chainrule\[onnx\]'"):
            cr.export(network(), tmp_path / "n.onnx", precision="int8")
    finally:
        runtime.newest_opset.cache_clear()


def test_without_onnx_one_sentence_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"export to ONNX needs onnx, .* pip install 'chainrule\[onnx\]'"):
        cr.export(network(), tmp_path / "n.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_quantizer_gives_no_advice(tmp_path):
    script = f"import chainrule as cr; cr.export(cr.MLP([2, 2], rng=0), {str(tmp_path / 'n.onnx')!r}, precision='int8')"
    result = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


# --- estimators ---------------------------------------------------------------------------------------------------


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
        done = cr.export(fitted, tmp_path / "n.onnx", X=x)  # which float32 holds exactly
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
