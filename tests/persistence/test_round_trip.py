"""What ``save`` accepts, ``load`` returns; all else ``save`` refuses in a sentence, and writes nothing."""

from __future__ import annotations

import datetime
import pickle
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.layers import LAYERS


def layers(*some: cr.Layer, dtype: str = "float32") -> cr.Sequential:
    return cr.Sequential(list(some), dtype=dtype, rng=0)


def with_weights(value: float, dtype: str = "float32") -> cr.Sequential:
    model = cr.MLP([2, 3, 1], dtype=dtype, rng=0)
    model.parameters.vector[:] = value
    return model


def with_metadata(value: Any) -> cr.Sequential:
    model = cr.MLP([1, 1], rng=0)
    model.metadata = value
    return model


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def itself() -> dict[str, Any]:
    facts: dict[str, Any] = {}
    facts["self"] = facts
    return facts


def nested_layers(depth: int) -> cr.Sequential:
    layer: cr.Layer = cr.ReLU()
    for _ in range(depth):
        layer = cr.Residual([layer])
    return layers(layer)


def with_buffer(value: Any) -> cr.Sequential:
    model = layers(cr.BatchNorm(3))
    model.layers[0].running_mean = value
    return model


#: One or more of every public layer, with odd arguments.
ODD_LAYERS: dict[str, Callable[[], list[cr.Layer]]] = {
    "Linear": lambda: [
        cr.Linear(np.int64(2), np.int8(3), cr.ELU(1e-30), l1=np.float32(0.1), l2=1e300, bias=False),
        cr.Linear(3, 1, "gelu_tanh", initializer="orthogonal"),
    ],
    "Scale": lambda: [cr.Scale(np.int16(3))],
    "ReLU": lambda: [cr.ReLU()],
    "LeakyReLU": lambda: [cr.LeakyReLU(5e-324), cr.LeakyReLU(np.float16(0.1)), cr.LeakyReLU(1)],
    "ELU": lambda: [cr.ELU(np.float32(0.1)), cr.ELU(10**300)],
    "SELU": lambda: [cr.SELU()],
    "GELU": lambda: [cr.GELU(), cr.GELU("tanh")],
    "SiLU": lambda: [cr.SiLU()],
    "Mish": lambda: [cr.Mish()],
    "Softplus": lambda: [cr.Softplus()],
    "Tanh": lambda: [cr.Tanh()],
    "Sigmoid": lambda: [cr.Sigmoid()],
    "HardSigmoid": lambda: [cr.HardSigmoid()],
    "Identity": lambda: [cr.Identity()],
    "PReLU": lambda: [cr.PReLU(3)],
    "ParametricActivation": lambda: [cr.ParametricActivation(3, "mish"), cr.ParametricActivation(3, cr.ELU(0.1))],
    "Softmax": lambda: [cr.Softmax()],
    "Dropout": lambda: [cr.Dropout(np.float64(0.5)), cr.Dropout(0)],
    "GaussianNoise": lambda: [cr.GaussianNoise(1e308)],
    "BatchNorm": lambda: [cr.BatchNorm(3, epsilon=np.float32(1e-3), momentum=1)],
    "LayerNorm": lambda: [cr.LayerNorm(3, epsilon=1e-300)],
    "Flatten": lambda: [cr.Flatten()],
    "Embedding": lambda: [cr.Embedding(np.int16(5), 2)],
    "PBLD": lambda: [cr.PBLD(2, np.int8(3), scale=np.float32(1e-3))],
    "PiecewiseLinear": lambda: [cr.PiecewiseLinear([np.array([0, 1, 3]), (-np.float32(0.1), 1e-3)], np.int8(3))],
    "Columns": lambda: [cr.Columns([[np.int64(2), (cr.PBLD(2), cr.Scale(8))], (1, cr.Embedding(4, 3)), (2, [])])],
    "Members": lambda: [cr.Members(([cr.Linear(3, 2)], [cr.Residual([cr.Linear(3, 3)]), cr.Linear(3, 2)]))],
    "TabM": lambda: [cr.TabM(np.int8(3), (cr.Linear(3, 3, "relu"),), 2, groups=(1, np.int16(2)), activation="softmax")],
    "Residual": lambda: [cr.Residual((cr.Residual([cr.Linear(3, 3, "relu"), cr.Dropout(0.1)]), cr.BatchNorm(3)))],
}
MODELS: dict[str, Callable[[], cr.Sequential]] = {
    **{name: lambda make=make: layers(*make()) for name, make in ODD_LAYERS.items()},
    **{f"{name} in float64": lambda make=make: layers(*make(), dtype="float64") for name, make in ODD_LAYERS.items()},
    **{f"weights of {value}": lambda value=value: with_weights(value) for value in (np.nan, np.inf, -0.0, 1e-45)},
    "a third in float64": lambda: with_weights(1 / 3, "float64"),
    "a buffer of NaN": lambda: with_buffer(np.full(3, np.nan)),
    "a buffer that is a view": lambda: with_buffer(np.arange(6.0)[::-2]),
    "4,096 layers": lambda: layers(*(cr.ReLU() for _ in range(4096))),
    "layers 90 deep": lambda: nested_layers(90),
    "a large layer beside small ones": lambda: layers(cr.Linear(1, 20_000), cr.Linear(20_000, 1, bias=False)),
    "an activation alone": lambda: layers(cr.ELU(2)),
    "an activation alone, whose number is whole": lambda: layers(cr.LeakyReLU(1)),
    "one weight": lambda: layers(cr.Linear(1, 1, bias=False)),
    "nine weights": lambda: layers(cr.Linear(1, 9, bias=False)),
    "no metadata": lambda: with_metadata({}),
    "metadata 190 deep": lambda: with_metadata({"a": nested(190)}),
    "odd text": lambda: with_metadata({"": "", "a\0": "\x1b[2J\u202e", "😀": "\n\r\t", "long": "x" * 10**6}),
    "odd numbers": lambda: with_metadata({"a": [5e-324, 1e308, -0.0, 10**400, True, None, np.float64(0.1)]}),
    "our own words": lambda: with_metadata({"chainrule": 1, "digest": "x", "type": "Linear", "layers": [{"type": 1}]}),
}
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "4,097 layers": (lambda: layers(*(cr.ReLU() for _ in range(4097))), "at most 4,096 layers, got 4,097"),
    "layers 150 deep": (lambda: nested_layers(150), "nested too deeply"),
    "layers 400 deep": (lambda: nested_layers(400), "nested too deeply"),
    "a class": (lambda: cr.Sequential, "a Sequential model"),
    "a trainer": (lambda: cr.Trainer(cr.MLP([1, 1]), "squared_error"), "a Sequential model"),
    "nothing": (lambda: None, "a Sequential model"),
    "text": (lambda: "model", r"a Sequential model, or a fitted MLPCl.* got str"),
}


NO_METADATA = {
    "nothing": None,
    "a list": [1],
    "text": "text",
    "a tuple as name": {(1, 2): 1},
    "two names of the same text": {1: "a", "1": "b"},
    "lists 250 deep": {"a": nested(250)},
    "lists 10,000 deep": {"a": nested(10_000)},
    "a complex number": {"a": 1j},
    "a float of NumPy": {"a": np.float32(1)},
    "an integer of NumPy": {"a": np.int64(1)},
    "bytes": {"a": b"x"},
    "a set": {"a": {1}},
    "a date": {"a": datetime.date(2026, 1, 1)},
    "NaN": {"a": np.nan},
    "infinity": {"a": [-np.inf]},
    "half a character": {"a": "\ud800"},
    "half a character as name": {"\ud800": 1},
    "two halves of a character": {"a": "\ud83d\ude00"},
    "an endless integer": {"a": 10**5000},
    "an array": {"a": np.zeros(2)},
    "an object": {"a": object()},
    "itself": itself(),
    "more than a header holds": {"a": "x" * 101_000_000},
}
REFUSED |= {
    f"metadata: {name}": (lambda value=value: with_metadata(value), "save expects")
    for name, value in NO_METADATA.items()
}


def attempt(call: Callable[[], object]) -> str:
    """The sentence that refuses, or nothing."""
    try:
        call()
    except (ValueError, TypeError) as error:
        return str(error)
    return ""


def same(one: cr.Sequential, other: cr.Sequential) -> None:
    assert other.config() == one.config()
    assert other.dtype == one.dtype
    assert other.parameters.vector.tobytes() == one.parameters.vector.tobytes()
    assert {name: array.tobytes() for name, array in other.buffers.items()} == {
        name: np.ascontiguousarray(array).tobytes() for name, array in one.buffers.items()
    }
    assert other.metadata == one.metadata


def test_every_public_layer_is_tried() -> None:
    assert ODD_LAYERS.keys() == LAYERS.keys()


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_what_is_saved_comes_back(make: Callable[[], cr.Sequential], tmp_path: Path) -> None:
    model = make()
    cr.save(model, tmp_path / "model")
    same(model, cr.load(tmp_path / "model"))
    same(model, pickle.loads(pickle.dumps(model)))


@pytest.mark.parametrize("make, says", REFUSED.values(), ids=REFUSED)
def test_what_could_not_come_back_is_refused(make: Callable[[], Any], says: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, TypeError), match=says) as caught:
        cr.save(make(), tmp_path / "model")
    assert re.fullmatch(r"save expects .+, got .+\.", str(caught.value))
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [np.zeros(3, "f4"), np.zeros(4), np.zeros((3, 1)), [0, 1, 2], 5.0, None], ids=repr)
def test_a_buffer_of_another_form_comes_back_or_is_refused(value: Any, tmp_path: Path) -> None:
    """Unless it was refused, or converted, when it was assigned."""
    said = attempt(lambda: cr.save(with_buffer(value), tmp_path / "model"))
    if said:
        assert re.fullmatch(r"\S+ expects .+, got .+\.", said)
    else:
        same(with_buffer(value), cr.load(tmp_path / "model"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=3)
    ),
    max_leaves=9,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(facts=st.dictionaries(st.text(st.characters(), max_size=5), JSON, max_size=4))
def test_any_metadata_come_back_or_are_refused(facts: dict[str, Any], tmp_path: Path) -> None:
    model = with_metadata(facts)
    said = attempt(lambda: cr.save(model, tmp_path / "model"))
    if said:
        assert said.startswith("save expects metadata that JSON can hold, got some that it cannot (")
        assert said.isprintable()
    else:
        assert cr.load(tmp_path / "model").metadata == facts


# --- estimators ---

X = np.random.default_rng(0).normal(size=(60, 3))
LABELS: dict[str, Any] = {
    "integers": [0, 1, 2],
    "negative": [-1, 1],
    "booleans": [True, False],
    "text": ["a", "b"],
    "objects": np.array(["a", "b"], object),
    "beyond 2⁶³": np.array([2**63 + 5, 1], np.uint64),
    "beyond 2⁵³": np.array([2**62 + 1, 1]),
    "small": np.array([1, 2], np.int8),
    "whole floats": [1.0, 2.0],
    "escapes": ["\x1b[2J", "\u202eb"],
    "NUL": ["a\0b", "b"],
    "halves of characters": ["\ud800", "b"],
    "dates": np.array(["2020-01-01", "2021-01-01"], "M8[D]"),
    "one": [1],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_the_labels_of_a_classifier_come_back_or_are_refused(labels: Any, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    y = np.resize(np.asarray(labels), 60)
    weights = dict.fromkeys(np.unique(y).tolist(), 2.0) if y.dtype.kind in "iub" else None
    estimator = cr.MLPClassifier((4,), max_iter=2, class_weight=weights, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged
        said = attempt(lambda: estimator.fit(X, y)) or attempt(lambda: cr.save(estimator, tmp_path / "model"))
    if said:
        assert list(tmp_path.iterdir()) == []
        return
    model = cr.load(tmp_path / "model")
    facts = model.model_.metadata
    assert facts.get("classes", facts["class_names"]) == model.classes_.tolist() == estimator.classes_.tolist()
    assert model.classes_.dtype == estimator.classes_.dtype
    assert facts["class_names"] == [str(label) for label in estimator.classes_.tolist()]
    assert model.model_.parameters.vector.tobytes() == estimator.model_.parameters.vector.tobytes()
    cr.save(pickle.loads(pickle.dumps(estimator)), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()
