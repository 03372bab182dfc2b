"""A layer of the user's own that gives program() is exported; a program that cannot be written is a sentence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.program import Call, Program, joined, program_of, run, simplified, without_program

FILES = ("a.onnx", "a.h")


class Gate(cr.Layer):
    """y = tanh(xW + c) + x in primitives, with a c that is not learned."""

    def __init__(self, features: int) -> None:
        self.features = features
        self.c = np.linspace(-1, 1, features)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"W": (self.features, self.features)}

    def initialize(self, rng: np.random.Generator) -> None:
        self.W[:] = rng.standard_normal(self.W.shape) / 2

    def forward(self, x: Any, work: Any) -> Any:
        work["x"], work["y"] = x, np.tanh(x @ self.W + self.c.astype(x.dtype))
        return work["y"] + x

    def backward(self, dy: Any, work: Any, input_gradient: bool = True) -> Any:
        dz = dy * (1 - work["y"] ** 2)
        self.dW[:] = work["x"].T @ dz
        return dz @ self.W.T + dy

    def program(self, training: bool = False) -> Any:
        return (Call("add", branches=((Call("affine", {"b": self.c, "W": self.W}), Call("tanh")),)),)


def distance(model: cr.Sequential, path: Path, rows: np.ndarray) -> float:
    """How far the file is from the model."""
    if path.suffix == ".onnx":
        pytest.importorskip("onnx", reason="onnx is not installed")
        pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    shape = {"input_shape": rows.shape[1:]} if path.suffix == ".onnx" else {}
    checked = cr.export(model, path, rows=rows, precision="float32", **shape).checked
    if checked is None:
        pytest.skip("no C compiler")
    return checked


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("alone", [True, False])
def test_a_layer_of_ones_own_with_a_program_is_exported(
    file: str, alone: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    around = [] if alone else [cr.Linear(5, 5, "mish"), cr.BatchNorm(5)]
    model = cr.Sequential([*around, Gate(5), *([] if alone else [cr.Linear(5, 3)])], rng=0)
    x = rng.standard_normal((20, 5))
    assert cr.gradcheck(model, x, model.predict(x) + 1, "squared_error").passed
    assert distance(model, tmp_path / file, x) < 1e-5


@pytest.mark.parametrize("file", FILES)
def test_a_subclass_that_changes_nothing_is_its_parent(file: str, tmp_path: Path) -> None:
    class Mine(cr.Linear):
        """With another name."""

    model = cr.Sequential([Mine(4, 3, "gelu")], rng=0)
    assert distance(model, tmp_path / file, np.random.default_rng(0).standard_normal((9, 4))) < 1e-5


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("op", ["leaky_relu", "elu"])
def test_a_call_without_its_number_has_the_default_of_the_op(op: str, file: str, tmp_path: Path) -> None:
    class Plain(cr.Activation):
        def apply(self, x: Any, out: Any) -> Any:
            return getattr(cr.ops, op)(x, out=out)

        def pull_back(self, dy: Any, x: Any, y: Any, out: Any) -> Any:
            return getattr(cr.ops, f"{op}_backward")(dy, y, out=out)

        def program(self, training: bool = False) -> Any:
            return (Call(op),)

    model = cr.Sequential([cr.Linear(4, 3, Plain())], rng=0)
    assert distance(model, tmp_path / file, np.random.default_rng(0).standard_normal((9, 4))) < 1e-5


WRONG = {
    "an op of nobody": (
        Call("tahn"),
        "expects ops that it can write, got 'tahn' in the program of Odd() (did",
    ),
    "an op of training": (Call("dropout", numbers={"rate": 0.5}), "expects ops that it can write, got 'dropout'"),
    "a slope too few": (Call("prelu"), "expects prelu to be given slope, got none in the program of Odd()"),
    "a name too many": (Call("relu", numbers={"slope": 0.1}), "expects relu to be given nothing, got slope in"),
    "another name": (Call("affine", {"w": np.ones((2, 2))}), "expects affine to be given W, b, got w in"),
    "in a branch": (Call("add", branches=((Call("scale"),),)), "expects scale to be given gain, bias, got none in"),
    "a number that float32 has not": (
        Call("layer_norm", {"gain": np.ones(2), "bias": np.ones(2)}, {"epsilon": 1e-50}),
        "expects epsilon of at least 1.2e-38, which float32 can hold, got Odd()",
    ),
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", WRONG)
def test_a_program_that_cannot_be_written_is_refused(name: str, file: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    call, says = WRONG[name]

    class Odd(cr.Layer):
        def forward(self, x: Any, work: Any) -> Any:
            return x

        def backward(self, dy: Any, work: Any, input_gradient: bool = True) -> Any:
            return dy

        def program(self, training: bool = False) -> Any:
            return (call,)

    with pytest.raises(ValueError, match=re.escape(says)):
        cr.export(cr.Sequential([cr.Linear(2, 2), Odd()], rng=0), tmp_path / file)
    assert list(tmp_path.iterdir()) == []


def test_the_innermost_layer_without_a_program_is_named() -> None:
    class Silent(cr.Activation):
        def apply(self, x: Any, out: Any) -> Any:
            return np.sin(x, out=out)

        def pull_back(self, dy: Any, x: Any, y: Any, out: Any) -> Any:
            return np.multiply(dy, np.cos(x), out=out)

    inner = Silent()
    nested = cr.Residual([cr.Tanh(), cr.Residual([cr.Linear(2, 2, inner)])])
    for layer in (inner, cr.Linear(2, 2, inner), nested):
        assert without_program(cr.Sequential([cr.Linear(2, 2), layer]).layers) is inner


# --- fewer operations ---------------------------------------------------------------------------------------------


def numbers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("names", [("gain",), ("gain", "bias"), ("mean", "factor"), ("mean", "factor", "bias")])
@pytest.mark.parametrize("bias", [True, False])
def test_what_scales_outputs_becomes_part_of_the_weights(names: Any, bias: bool, rng: np.random.Generator) -> None:
    dense = Call("affine", {"W": numbers(rng, 4, 3)} | ({"b": numbers(rng, 3)} if bias else {}))
    after = Call("scale" if "gain" in names else "standardize", {name: numbers(rng, 3) for name in names})
    both, x = joined(dense, after), rng.standard_normal((5, 4))
    assert both is not None
    assert {array.dtype for array in both.arrays.values()} == {np.dtype(np.float64)}
    np.testing.assert_allclose(run([both], x), run([dense, after], x), rtol=1e-6)
    assert joined(after, dense) is joined(dense, Call("relu")) is joined(dense, dense) is None


@pytest.mark.parametrize(("mean", "op"), [(5.0, "scale"), (100.0, "standardize")])
def test_a_mean_far_from_zero_keeps_its_digits(mean: float, op: str, tmp_path: Path) -> None:
    model = cr.Sequential([cr.BatchNorm(2)])
    model.layers[0].running_mean[:], model.layers[0].bias[:] = mean, 0.5
    (call,) = program_of(model.layers[0]) or ()
    assert simplified(call).op == op
    x = np.float64([[mean, mean + 1e-3]])
    np.testing.assert_allclose(run([simplified(call)], x), run([call], x), rtol=1e-12)
    plain: Program = (Call("standardize", {"mean": call.arrays["mean"], "factor": call.arrays["factor"]}),)
    assert simplified(plain[0]) is plain[0]  # nothing is saved


def test_single_numbers_below_float32_count_in_float64(tmp_path: Path, rng: np.random.Generator) -> None:
    """ONNX Runtime drops a sum with one number that float32 takes for 0."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    model = cr.Sequential([cr.BatchNorm(1), cr.Linear(1, 1)], rng=0, dtype="float64")
    (norm, last), scale = model.layers, 1e-48
    norm.epsilon, norm.running_mean[:], norm.running_variance[:] = 1e-120, 50 * scale, scale**2
    last.W[:], last.b[:] = scale, 30 * scale
    x = scale * (50 + rng.standard_normal((20, 1)))
    assert cr.export(model, tmp_path / "a.onnx", rows=x, precision="float64").checked < 1e-9


@pytest.mark.parametrize("file", FILES)
def test_seconds_since_1970_go_through_a_normalisation_in_float32(file: str, tmp_path: Path) -> None:
    model = cr.Sequential([cr.BatchNorm(1), cr.Linear(1, 2)], rng=0, dtype="float64")
    norm = model.layers[0]
    norm.running_mean[:], norm.running_variance[:], norm.bias[:] = 2.0**24 + 0.3, 1e6, 0.25
    assert distance(model, tmp_path / file, 2.0**24 + 2 * np.arange(20.0)[:, None]) < 1e-5
