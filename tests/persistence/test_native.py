"""Models in files: equal to the last bit when they come back, and no file, however damaged, does harm."""

from __future__ import annotations

import copy
import json
import os
import stat
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

import chainrule as cr
import effort

LINEAR = {"type": "Linear", "in_features": 2, "out_features": 3}
ARRAYS = {"0.W": np.zeros((2, 3), np.float32), "0.b": np.zeros(3, np.float32)}


class Shift(cr.Layer):
    """A layer of the user's own: a learned shift, a counter, and an option."""

    def __init__(self, features: int, factor: float = 1.0) -> None:
        self.features, self.factor = features, factor
        self.seen = np.zeros((), np.int64)

    def parameter_shapes(self):
        return {"shift": (self.features,)}

    def initialize(self, rng):
        self.shift[:] = rng.normal(size=self.features)

    def buffers(self):
        return {"seen": self.seen}

    def forward(self, x, work):
        if work.training:
            self.seen += len(x)
        return self.factor * (x + self.shift)

    def backward(self, dy, work, input_gradient=True):
        self.dshift[:] = self.factor * dy.sum(axis=0)
        return self.factor * dy


class Listed(cr.Layer):
    """Its constructor takes what JSON cannot hold, so it cannot come back."""

    def __init__(self, array) -> None:
        self.array = array

    def forward(self, x, work):
        return x

    def backward(self, dy, work, input_gradient=True):
        return dy


MODELS: dict[str, Callable[[], cr.Sequential]] = {
    "mlp": lambda: cr.MLP([4, 8, 3], activation="gelu", dropout=0.2, l1=0.01, l2=0.1, rng=0),
    "float64": lambda: cr.MLP([4, 8, 3], rng=0, dtype="float64", softmax=True),
    "statistics": lambda: cr.Sequential([cr.Linear(4, 5, bias=False), cr.BatchNorm(5), cr.SiLU()], rng=0),
    "nested": lambda: cr.Sequential(
        [cr.Residual([cr.LayerNorm(4), cr.Linear(4, 4, activation=cr.LeakyReLU(0.3)), cr.BatchNorm(4)]), cr.PReLU(4)],
        rng=0,
    ),
    "no parameters": lambda: cr.Sequential([cr.Flatten(), cr.Tanh(), cr.GELU("tanh")]),
}


@pytest.mark.parametrize("make_model", MODELS.values(), ids=MODELS)
def test_a_model_comes_back_equal_to_the_last_bit(make_model, tmp_path: Path, rng: np.random.Generator) -> None:
    model, x = make_model(), rng.normal(size=(6, 4))
    model.forward(x, training=True)  # moves the running statistics
    model.metadata = {
        "classes": ["ja", "nein", "日本"],
        "score": 0.1 + 0.2,
        "nothing": None,
        "nested": {"a": [1, True]},
    }
    cr.save(model, tmp_path / "model.safetensors")
    twin = cr.load(tmp_path / "model.safetensors")
    assert twin.dtype == model.dtype
    assert twin.parameters.shapes == model.parameters.shapes
    assert twin.parameters.vector.tobytes() == model.parameters.vector.tobytes()
    assert {name: array.tobytes() for name, array in twin.buffers.items()} == {
        name: array.tobytes() for name, array in model.buffers.items()
    }
    assert twin.predict(x).tobytes() == model.predict(x).tobytes()
    assert twin.metadata == model.metadata
    assert twin.config() == model.config()
    assert twin.summary() == model.summary()


def test_a_loaded_model_learns_on(tmp_path: Path) -> None:
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]])
    cr.save(cr.MLP([1, 1], rng=0), tmp_path / "line")
    model = cr.load(tmp_path / "line")
    cr.Trainer(model, "squared_error", cr.SGD(0.1)).fit(x, y, epochs=200, verbose=0)
    np.testing.assert_allclose(model.predict(x), y, atol=1e-3)


def test_infinite_parameters_are_parameters(tmp_path: Path) -> None:
    model = cr.MLP([2, 1], rng=0)
    model.parameters.vector[:] = np.nan, np.inf, -0.0
    cr.save(model, tmp_path / "model")
    assert cr.load(tmp_path / "model").parameters.vector.tobytes() == model.parameters.vector.tobytes()


def test_any_safetensors_reader_finds_the_arrays_and_the_header(tmp_path: Path) -> None:
    model = cr.Sequential([cr.Linear(2, 3), cr.BatchNorm(3)], rng=0)
    model.metadata = {"unit": "kg"}
    cr.save(model, tmp_path / "model.safetensors")
    with safe_open(tmp_path / "model.safetensors", framework="numpy") as file:
        assert sorted(file.keys()) == ["0.W", "0.b", "1.bias", "1.gain", "1.running_mean", "1.running_variance"]
        np.testing.assert_array_equal(file.get_tensor("0.W"), model.parameters["0.W"])
        header = file.metadata()
    assert len(header["digest"]) == 64
    assert json.loads(header["chainrule"]) == {
        "format": 2,
        "version": cr.__version__,
        "model": model.config(),
        "metadata": {"unit": "kg"},
    }


def test_equal_models_give_equal_files(tmp_path: Path) -> None:
    for name in "abcdefgh":
        cr.save(cr.MLP([3, 4, 2], rng=7), tmp_path / name)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_a_layer_of_ones_own_comes_back_through_its_class(tmp_path: Path) -> None:
    model = cr.Sequential([cr.Linear(4, 3), cr.Residual([Shift(3, factor=2.5)])], rng=0)
    model.forward(np.ones((5, 4)), training=True)
    cr.save(model, tmp_path / "model")
    twin = cr.load(tmp_path / "model", custom_layers={"Shift": Shift})
    assert twin.buffers["1.0.seen"] == 5
    x = np.ones((2, 4))
    assert twin.predict(x).tobytes() == model.predict(x).tobytes()
    with pytest.raises(ValueError, match=r"'Shift'.*custom_layers"):
        cr.load(tmp_path / "model")


# --- saving ---


@pytest.mark.parametrize("value", [np.zeros(2), {1, 2}, b"bytes", object(), float("nan"), float("inf")])
def test_metadata_that_json_cannot_hold_are_refused(value: Any, tmp_path: Path) -> None:
    model = cr.MLP([1, 1], rng=0)
    model.metadata = {"fact": value}
    with pytest.raises(TypeError, match="save expects metadata that JSON can hold"):
        cr.save(model, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_metadata_that_contain_themselves_are_refused(tmp_path: Path) -> None:
    model = cr.MLP([1, 1], rng=0)
    model.metadata = {"self": model.metadata}
    model.metadata["self"] = model.metadata
    with pytest.raises(TypeError, match="JSON"):
        cr.save(model, tmp_path / "model")


def test_metadata_that_load_would_refuse_are_refused(tmp_path: Path) -> None:
    model = cr.MLP([1, 1], rng=0)
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    for value, says in ((deep, "nested too deeply"), ("\ud800", "surrogates")):
        model.metadata = {"fact": value}
        with pytest.raises(TypeError, match=f"save expects metadata that JSON can hold, got .*{says}"):
            cr.save(model, tmp_path / "model")


def test_more_layers_than_load_takes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="save expects at most 4,096 layers, got 4,097"):
        cr.save(cr.Sequential([cr.Tanh() for _ in range(4097)]), tmp_path / "model")


@pytest.mark.parametrize(
    "layer", [cr.ELU(2), cr.LeakyReLU(1), cr.Linear(1, 1, bias=False), cr.Linear(1, 9, bias=False)]
)
def test_small_models_are_no_lies(layer: cr.Layer, tmp_path: Path) -> None:
    cr.save(cr.Sequential([layer], rng=0), tmp_path / "model")
    assert cr.load(tmp_path / "model").config() == cr.Sequential([layer.__class__(**arguments(layer))]).config()


def arguments(layer: cr.Layer) -> dict[str, Any]:
    return {name: value for name, value in layer.config().items() if name != "type"}


def test_only_models_are_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"save expects a Sequential model, or a fitted MLPCl.* got str"):
        cr.save("model", tmp_path / "model")  # type: ignore[arg-type]


def test_an_argument_that_json_cannot_hold_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    for layer in (Listed(np.zeros(2)), Shift(2, factor=np.array([3.0, 4.0]))):
        with pytest.raises(TypeError, match="constructor arguments that JSON can hold"):
            cr.save(cr.Sequential([layer], rng=0), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_number_of_numpy_is_an_argument_like_any_other(tmp_path: Path) -> None:
    cr.save(cr.Sequential([Shift(np.int64(2), factor=np.float32(3))], rng=0), tmp_path / "model")
    assert cr.load(tmp_path / "model", custom_layers={"Shift": Shift}).layers[0].factor == 3


def test_a_function_that_is_asked_for_cannot_come_back(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"save expects layers that config.*array'\)"):
        cr.save(cr.Sequential([Listed(np.sin)]), tmp_path / "model")


def test_a_layer_that_forgets_its_arguments_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    class Forgetful(Listed):
        def __init__(self, rate) -> None:
            pass

    with pytest.raises(ValueError, match=r"save expects layers that config.* 'rate'"):
        cr.save(cr.Sequential([Forgetful(3)]), tmp_path / "model")


def test_a_layer_that_hides_its_size_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    class Hidden(Shift):
        def __init__(self) -> None:
            super().__init__(3)

    model = cr.Sequential([Hidden()], rng=0)
    cr.save(model, tmp_path / "fine")
    model.layers[0].features = 4  # now its config builds another
    model.parameters.shapes["0.shift"] = (4,)
    with pytest.raises(ValueError, match="save expects layers that config"):
        cr.save(model, tmp_path / "model")


def test_a_layer_that_borrows_the_name_of_another_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    tanh = type("Tanh", (Shift,), {})
    with pytest.raises(ValueError, match=r"'Tanh', which has the same class name as a built-in layer; rename"):
        cr.save(cr.Sequential([tanh(2)], rng=0), tmp_path / "model")


def test_a_buffer_that_holds_no_numbers_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    class Named(Listed):
        def __init__(self) -> None:
            self.names = np.array(["a", "b"])

        def buffers(self):
            return {"names": self.names}

    with pytest.raises(TypeError, match=r"save expects numbers in the buffer '0\.names'"):
        cr.save(cr.Sequential([Named()]), tmp_path / "model")


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model"
    cr.save(cr.MLP([2, 2], rng=0), path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"save expects to write .*model, got No space left on device"):
        cr.save(cr.MLP([2, 2], rng=1), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_model_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    cr.save(cr.MLP([2, 2], rng=0), tmp_path / "model")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "model")]
    assert modes[0] == modes[1]


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"save expects to write .*; choose a folder that exists"):
        cr.save(cr.MLP([2, 2], rng=0), tmp_path / "file" / "model")
    with pytest.raises(FileNotFoundError, match=r"save expects to write .*; choose a folder that exists"):
        cr.save(cr.MLP([2, 2], rng=0), tmp_path / "no" / "model")


# --- loading what is not to be trusted ---


def write(path: Path, facts: Any, arrays: dict[str, Any] | None = None) -> Path:
    """A well-formed safetensors file whose header says ``facts``."""
    text = facts if isinstance(facts, str) else json.dumps(facts)
    save_file(arrays or {}, path, metadata={"chainrule": text})
    return path


def facts(*layers: Any, **changes: Any) -> dict[str, Any]:
    return {"format": 1, "model": {"layers": list(layers), "dtype": "float32"}, "metadata": {}} | changes


def test_a_missing_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"load expects a model file at .*nothing, got No such file"):
        cr.load(tmp_path / "nothing")
    with pytest.raises(OSError, match="load expects a model file at"):
        cr.load(tmp_path)


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    cr.save(cr.MLP([2, 3, 1], rng=0), path)
    content = path.read_bytes()
    for length in [*range(0, len(content), 37), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"load expects .*model\.safetensors to be a whole safetensors file"):
            cr.load(path)


@given(content=st.binary(max_size=200))
def test_a_file_of_anything_is_refused(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "any.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"any\.safetensors"):
        cr.load(path)


def assert_refused_or_built(path: Path) -> None:
    """A sentence that names the file, and no other exception, or a model whose arrays are all there."""
    try:
        outcome: Any = cr.load(path)
    except ValueError as error:
        outcome = str(error)
    if isinstance(outcome, str):
        assert str(path) in outcome
    else:
        assert outcome.parameters.vector.size == sum(array.size for array in outcome.parameters.values())


def test_a_changed_byte_of_the_header_is_refused_or_harmless(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "model"
    cr.save(cr.MLP([2, 3, 1], rng=0), path)
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    for place in rng.integers(0, 8 + length, 300):
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        assert_refused_or_built(path)


HUGE = {"type": "Linear", "in_features": 10**9, "out_features": 10**9}
DEEP = '{"format": 1, "metadata": {}, "model": {"dtype": "float32", "layers": %s}}'

REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "text": ("{nope", {}, "JSON in its header"),
    "deep text": ("[" * 100_000, {}, "JSON in its header"),
    "many digits": ('{"format": 1' + "0" * 5000 + "}", {}, "JSON in its header"),
    "a list": ([1], {}, "to state its format"),
    "no format": ({"model": {}}, {}, "to state its format"),
    "true for a format": (facts(LINEAR, format=True), ARRAYS, "to state its format"),
    "another format": (facts(LINEAR, format=4, version="9.9"), ARRAYS, r"format 4, written by version '9\.9'; install"),
    "no format that there was": (facts(LINEAR, format=0), ARRAYS, "to be of format 1 to 3, got format 0"),
    "format 2 without a digest": (facts(LINEAR, format=2, version="0.1"), ARRAYS, "to have a header of chainrule, dig"),
    "a name twice": (json.dumps(facts(LINEAR))[:-1] + ', "format": 1}', ARRAYS, "a name comes twice"),
    "NaN": (json.dumps(facts(LINEAR, metadata={"a": float("nan")})), ARRAYS, "NaN is no number"),
    "infinity": (json.dumps(facts(LINEAR))[:-1] + ', "a": -Infinity}', ARRAYS, "-Infinity is no number"),
    "a number too large": (json.dumps(facts(LINEAR))[:-1] + ', "a": 1e999}', ARRAYS, "1e999 is no number"),
    "half a character": (facts(LINEAR, metadata={"a": "\ud800"}), ARRAYS, "surrogates not allowed"),
    "half a name": (facts(LINEAR, metadata={"\udfff": 1}), ARRAYS, "surrogates not allowed"),
    "a long list of names": (facts(*[{"type": "x" * 99_999}]), {}, "a type that is known"),
    "more than layers and dtype": (
        facts(model={"layers": [LINEAR], "dtype": "float32", "evil": 1}),
        ARRAYS,
        "layers and a dtype, got .'dtype', 'evil', 'layers'.",
    ),
    "no model": ({"format": 1, "metadata": {}}, ARRAYS, "to describe its model, got None"),
    "no metadata": ({"format": 1, "model": facts(LINEAR)["model"]}, ARRAYS, "to describe its metadata, got None"),
    "no layers": (facts(model={"dtype": "float32"}), {}, 'a list "layers"'),
    "no layer": (facts(), {}, "at least one layer"),
    "a number for a layer": (facts(3), {}, 'a mapping with a "type"'),
    "an unknown layer": (facts({"type": "Linar"}), {}, r"'Linar' \(did you mean 'Linear'\?\)"),
    "a list for a type": (facts({"type": ["Linear"]}), {}, "a type that is known"),
    "an inner unknown layer": (facts({"type": "Residual", "layers": [{"type": "os.system"}]}), {}, "'os.system'"),
    "a module for a layer": (facts({"type": "Layer"}), {}, "a type that is known"),
    "arguments missing": (facts({"type": "Linear"}), {}, "missing 2 required"),
    "arguments too many": (facts(LINEAR | {"evil": 1}), ARRAYS, "evil"),
    "a negative size": (facts(LINEAR | {"in_features": -2}), ARRAYS, "in_features >= 1"),
    "text for a size": (facts(LINEAR | {"in_features": "2"}), ARRAYS, "in_features to be an integer"),
    "a huge layer": (facts(HUGE), {}, "2,000,000,000 units"),
    "huge statistics": (facts({"type": "BatchNorm", "features": 10**9}), {}, "1,000,000,000 units"),
    "statistics a thousand times": (facts(*[{"type": "BatchNorm", "features": 10**5}] * 1000), {}, "100,000,000 units"),
    "thousands of layers": (facts(*[{"type": "ReLU"}] * 5000), {}, "at most 4,096 layers, got 5,000"),
    "the same layer often": (facts(*[LINEAR] * 3000), ARRAYS, "fit the 9 numbers of its file, got 15,000 units"),
    "a huge inner layer": (facts({"type": "Residual", "layers": [HUGE]}), {}, "2,000,000,000 units"),
    "arrays missing": (facts(LINEAR), {}, r"F32 of shape \(2, 3\) as tensor '0\.W', got none"),
    "arrays too many": (
        facts(LINEAR),
        ARRAYS | {"1.W": np.zeros(1)},
        r"none as tensor '1\.W', got F64 of shape \(1,\)",
    ),
    "another shape": (facts(LINEAR), ARRAYS | {"0.W": np.zeros((3, 2), np.float32)}, r"got F32 of shape \(3, 2\)"),
    "another dtype": (facts(LINEAR), ARRAYS | {"0.b": np.zeros(3)}, r"F32 of shape \(3,\).*got F64"),
    "no dtype": (facts(model={"layers": [LINEAR]}), ARRAYS, "float32 or float64, got None"),
    "a dtype that is no name": (facts(model={"layers": [LINEAR], "dtype": "a,("}), ARRAYS, r"float64, got 'a,\('"),
    "an unknown dtype": (facts(model={"layers": [LINEAR], "dtype": "int8"}), ARRAYS, "float32 or float64"),
    "widths that do not fit": (
        facts(LINEAR, LINEAR),
        ARRAYS | {"1.W": ARRAYS["0.W"], "1.b": ARRAYS["0.b"]},
        "make the two widths equal",
    ),
    "layers too deep": (DEEP % ('[{"type": "Residual", "layers": ' * 400 + "[]" + "}]" * 400), {}, "nested too deeply"),
    "lists too deep": (DEEP % ("[" * 900 + "]" * 900), {}, "nested too deeply"),
    "lists as deep as they may": (DEEP % ("[" * 190 + "]" * 190), {}, "to describe a model"),
}


@pytest.mark.parametrize("header, arrays, says", REFUSED.values(), ids=REFUSED)
def test_a_file_that_lies_is_refused_in_one_sentence(
    header: Any, arrays: dict[str, Any], says: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "liar.safetensors", header, arrays)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=says) as caught:
            cr.load(path)
        assert tracemalloc.get_traced_memory()[1] < 2e7
    finally:
        tracemalloc.stop()
    assert "load expects" in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_the_honest_twin_of_those_files_is_loaded(tmp_path: Path) -> None:
    model = cr.load(write(tmp_path / "honest", facts(LINEAR), ARRAYS))
    assert model.predict([[1.0, 2.0]]).tolist() == [[0.0, 0.0, 0.0]]


def test_what_is_loaded_is_not_drawn_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than reading, and a file could ask for the dearest rule."""
    path = write(tmp_path / "dear", facts(LINEAR | {"initializer": "orthogonal"}), ARRAYS)
    monkeypatch.setattr(cr.Linear, "initialize", lambda self, rng: pytest.fail("drawn"))
    assert not cr.load(path).parameters.vector.any()


def test_the_work_of_an_error_grows_only_with_the_layers_in_it(tmp_path: Path) -> None:
    def refuse(count: int) -> None:
        many = {"type": "Residual", "layers": [{"type": "ReLU"}] * count}
        path = write(tmp_path / "many", facts({"type": "Scale", "features": many}), {})
        with pytest.raises(ValueError, match="features to be an integer, got Residual"):
            cr.load(path)

    refuse(1)  # and all is imported
    assert effort.calls(lambda: refuse(3000)) < 11 * effort.calls(lambda: refuse(300))


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**30, -(10**400), 0, -1, 2, 2**63])
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["a,(", "f4,", "(9,)f8", "float64", "(" * 5000, "relu", "orthogonal", "M8[s]", "O", "a4", "V"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "layers", "features", "slope", "x"]), inner, max_size=3)
        | st.sampled_from(["ReLU", "Linear", "PReLU", "Residual", "Softmax"]).map(lambda name: {"type": name})
    ),
    max_leaves=6,
)
TEMPLATE: dict[str, Any] = {
    "dtype": "float32",
    "layers": [
        LINEAR | {"activation": {"type": "LeakyReLU", "slope": 0.1}, "bias": True, "l1": 0.0, "initializer": "zeros"},
        {"type": "Residual", "layers": [{"type": "PReLU", "features": 3, "start": 0.5}]},
        {"type": "BatchNorm", "features": 3, "momentum": 0.1, "epsilon": 1e-5},
        {"type": "Dropout", "rate": 0.5},
        {"type": "GELU", "approximate": "tanh"},
    ],
}


def places(value: Any) -> list[tuple[Any, ...]]:
    """The way to each value inside a description."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way for key, item in inside for way in [(key,), *((key, *rest) for rest in places(item))]]


@given(changes=st.lists(st.tuples(st.sampled_from(places(TEMPLATE)), ODD), min_size=1, max_size=3))
@example(changes=[(("dtype",), "a,(")])
@example(changes=[(("dtype",), None)])
@example(changes=[(("layers", 1, "layers", 0, "start"), -(10**400))])
def test_a_description_of_anything_is_refused_or_built(
    changes: list[tuple[tuple[Any, ...], Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    description = copy.deepcopy(TEMPLATE)
    for way, value in changes:
        place = description
        with suppress(KeyError, IndexError, TypeError):  # an earlier change took the place away
            for key in way[:-1]:
                place = place[key]
            place[way[-1]] = value
    arrays = {name: np.ones(3, np.float32) for name in ("1.0.slope", "2.gain", "2.bias")}
    statistics = {"2.running_mean": np.zeros(3), "2.running_variance": np.ones(3)}
    path = write(tmp_path_factory.mktemp("odd") / "odd", facts(model=description), ARRAYS | arrays | statistics)
    assert_refused_or_built(path)


def test_the_template_of_those_descriptions_is_loaded(tmp_path: Path) -> None:
    arrays = {name: np.ones(3, np.float32) for name in ("1.0.slope", "2.gain", "2.bias")}
    statistics = {"2.running_mean": np.zeros(3), "2.running_variance": np.ones(3)}
    model = cr.load(write(tmp_path / "honest", facts(model=TEMPLATE), ARRAYS | arrays | statistics))
    np.testing.assert_array_equal(model.parameters["1.0.slope"], arrays["1.0.slope"])


def test_a_safetensors_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    save_file(ARRAYS, tmp_path / "weights")
    with pytest.raises(ValueError, match=r"'chainrule' entry in its header.*what chainrule\.save wrote"):
        cr.load(tmp_path / "weights")


def test_the_library_is_loaded_on_use_only() -> None:
    script = "import sys, chainrule.persistence; print('safetensors' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert result.stdout.split() == ["False"]
