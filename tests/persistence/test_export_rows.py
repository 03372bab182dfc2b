"""The rows that a file and its model are compared on are like the user's, or the result says that they may not be."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import chainrule as cr
from chainrule.persistence.rows import drawn_rows

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")

RNG = np.random.default_rng(0)
UNIT = RNG.normal(size=(200, 4))


def centred(offset: float | np.ndarray, scale: float | np.ndarray = 1.0, dtype: str = "float64", *front: cr.Layer):
    """A network of its own that subtracts what all rows have in common."""
    model = cr.Sequential([*front, cr.Linear(4, 16, "tanh"), cr.Linear(16, 1)], rng=0, dtype=dtype)
    first = model.layers[len(front)]
    first.W[:] /= np.broadcast_to(scale, 4)[:, None]
    first.b[:] = -np.broadcast_to(offset, 4) @ first.W
    return model


def run(path, x) -> np.ndarray:
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    kind = {"tensor(float)": np.float32, "tensor(double)": np.float64}[session.get_inputs()[0].type]
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x.astype(kind)})[0])


def apart(y, other) -> float:
    y, other = (np.asarray(one, np.float64).reshape(len(y), -1) for one in (y, other))
    return float((np.abs(y - other).max(axis=0) / y.std(axis=0)).max())


OFFSETS = {
    "all alike": (1e7, 1.0),
    "one of them": (np.array([0, 0, 1e8, 0]), 1.0),
    "seconds": (np.array([1.75e9, 0, 0, 0]), np.array([300, 1, 1, 1])),
    "tiny and far": (np.array([1e-3, 0, 0, 0]), np.array([1e-11, 1, 1, 1])),
}


@pytest.mark.parametrize(("offset", "scale"), OFFSETS.values(), ids=OFFSETS)
@pytest.mark.parametrize("front", [[], [cr.Dropout], [cr.GaussianNoise], [cr.Flatten]], ids=str)
def test_a_network_that_subtracts_an_offset_is_tried_around_it(offset, scale, front, tmp_path) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    model = centred(offset, scale, "float64", *(layer() for layer in front))
    x = UNIT * scale + offset
    done = cr.export(model, tmp_path / "model.onnx")
    assert apart(model.predict(x), run(done.path, x)) < 0.01
    assert done.notes == ["x and y are float64"]
    assert (
        str(done)
        .splitlines()[1]
        .endswith(", on rows around which the first layer is centred; pass X=rows to compare on yours")
    )


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_no_narrow_file_of_such_a_network_is_vouched_for(precision, tmp_path) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    with pytest.raises(ValueError, match=r"export expects a file that answers|float16, got larger ones in 0\.b"):
        cr.export(centred(1e7), tmp_path / "model.onnx", precision=precision)
    assert list(tmp_path.iterdir()) == []


@needs_cc
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_no_header_of_such_a_network_is_vouched_for(precision, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"columns of which it loses digits: x\[0\], x\[1\], x\[2\], x\[3\]; shift"):
        cr.export(centred(1e7), tmp_path / "model.h", precision=precision)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("offset", [0.0, 5.0, 50.0])
def test_a_network_of_rows_near_zero_is_tried_on_standard_normal_ones(offset, tmp_path) -> None:
    rows, about = drawn_rows(centred(offset))
    assert about == "standard normal rows"
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=0.5)
    np.testing.assert_allclose(rows.std(axis=0), 1, rtol=0.3)


ALONE = {
    "a network": lambda: cr.MLP([4, 8, 2], rng=0),
    "what hides where rows lie": lambda: cr.Sequential([cr.LayerNorm(4), cr.Linear(4, 2)], rng=0),
    "an activation in front": lambda: cr.Sequential([cr.Tanh(), cr.Linear(4, 2), cr.BatchNorm(2)], rng=0),
    "no bias": lambda: cr.Sequential([cr.Linear(4, 2, bias=False)], rng=0),
    "a block in front": lambda: cr.Sequential([cr.Residual([cr.Linear(4, 4)]), cr.Linear(4, 2)], rng=0),
}


@pytest.mark.parametrize("make", ALONE.values(), ids=ALONE)
@pytest.mark.parametrize("file", ["model.onnx", pytest.param("model.h", marks=needs_cc)])
def test_what_is_said_of_a_network_alone(make, file, tmp_path) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    done = cr.export(make(), tmp_path / file)
    assert done.rows == "standard normal rows"
    assert ", on standard normal rows; pass X=rows to compare on yours\n" in f"{done}\n"
    given = cr.export(make(), tmp_path / file, X=UNIT)
    assert given.rows == ""
    assert "pass X=rows" not in str(given)


def with_metadata(**facts):
    model = cr.MLP([4, 8, 2], rng=0)
    model.metadata = facts
    return model


def batch_normalised(*layers: cr.Layer):
    model = cr.Sequential([*layers, cr.Linear(3, 2)], rng=0, dtype="float64")
    for layer in model.layers:
        if isinstance(layer, cr.BatchNorm):
            layer.running_mean[:], layer.running_variance[:] = 7, 4
    return model


TOLD = {
    "standardised columns": lambda: with_metadata(scaling={"mean": [0] * 4, "scale": [1] * 4}),
    "a normalisation in front": lambda: batch_normalised(cr.BatchNorm(3)),
    "a normalisation of the first layer": lambda: batch_normalised(cr.Linear(3, 3), cr.BatchNorm(3)),
}


@pytest.mark.parametrize("make", TOLD.values(), ids=TOLD)
def test_nothing_is_said_where_the_network_knows_its_rows(make, tmp_path) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    assert cr.export(make(), tmp_path / "model.onnx").rows == ""


def test_rows_do_not_change_from_call_to_call() -> None:
    for model in (centred(1e7), cr.MLP([4, 2], rng=0)):
        np.testing.assert_array_equal(drawn_rows(model)[0], drawn_rows(model)[0])
