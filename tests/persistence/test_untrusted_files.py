"""No model file, however damaged or deceitful, does harm: it is refused in one sentence, or built as it says."""

from __future__ import annotations

import copy
import json
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import chainrule as cr
import effort
from persistence.untrusted import ARRAYS, LINEAR, assert_refused_or_built, facts, write


def test_a_missing_file_is_reported_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"load expects a model file at .*nothing, got No such file"):
        cr.load(tmp_path / "nothing")
    with pytest.raises(OSError, match="load expects a model file at"):
        cr.load(tmp_path)


def test_a_safetensors_file_of_another_library_is_refused(tmp_path: Path) -> None:
    save_file(ARRAYS, tmp_path / "weights")
    with pytest.raises(ValueError, match=r"'chainrule' entry in its header.*what chainrule\.save wrote"):
        cr.load(tmp_path / "weights")


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


# --- lies
HUGE = {"type": "Linear", "in_features": 10**9, "out_features": 10**9}
DEEP = '{"format": 1, "metadata": {}, "model": {"dtype": "float32", "layers": %s}}'
REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "text": ("{nope", {}, "JSON in its header"),
    "deep text": ("[" * 100_000, {}, "JSON in its header"),
    "many digits": ('{"format": 1' + "0" * 5000 + "}", {}, "JSON in its header"),
    "a list": ([1], {}, "to state its format"),
    "no format": ({"model": {}}, {}, "to state its format"),
    "true for a format": (facts(LINEAR, format=True), ARRAYS, "to state its format"),
    "another format": (facts(LINEAR, format=3, version="9.9"), ARRAYS, r"format 3, written by version '9\.9'; install"),
    "no format that there was": (facts(LINEAR, format=0), ARRAYS, "to be of format 1 to 2, got format 0"),
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


# --- descriptions of anything
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
