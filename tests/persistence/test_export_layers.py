"""Every layer at odd values of its settings and inputs answers in ONNX, and in C, what the model answers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.activations import ACTIVATIONS
from chainrule.persistence import c

WIDTH = 5
ROWS = np.float32(
    [
        [0, -0.0, 1e-30, -1e-30, 1],
        [1e-6, -1e-6, 1e-3, -1e-3, 1e-8],
        [-1, 3, -3, 6, -6],
        [1e4, -1e4, 300, -300, 88],
        [1e30, -1e30, 1e20, -1e20, 5],
        [3e38, -3e38, 1e-38, 1e-45, 0],
        [5, 5, 5, 5, 5],
        [0, 0, 0, 0, 0],
    ]
)
NO_NUMBER = np.float32([[np.nan, 1, 2, 3, 4], [1, np.nan, -2, 3, -4]])


def with_values(layer: cr.Layer, **values: float) -> cr.Layer:
    layer._odd = values  # what building a model resets
    return layer


MADE = {
    **{name: lambda name=name: cr.layers.layer_from_config(ACTIVATIONS[name].config()) for name in ACTIVATIONS},
    **{f"leaky {slope}": lambda slope=slope: cr.LeakyReLU(slope) for slope in (0.0, 1e-30, 1.0)},
    **{f"elu {alpha}": lambda alpha=alpha: cr.ELU(alpha) for alpha in (1e-30, 5.0, 1e30)},
    **{f"prelu {a}": lambda a=a: with_values(cr.PReLU(WIDTH), slope=a) for a in (-1.0, 0.0, 3.0)},
    **{f"layer norm {e}": lambda e=e: cr.LayerNorm(WIDTH, epsilon=e) for e in (1e-12, 1e-5, 1e10)},
    **{f"batch norm {e}": lambda e=e: cr.BatchNorm(WIDTH, epsilon=e) for e in (1e-50, 1e-5, 1e10)},
    **{f"parametric {f}": lambda f=f: with_values(cr.ParametricActivation(WIDTH, f), amount=0.3) for f in ACTIVATIONS},
    "gelu by tanh": lambda: cr.GELU("tanh"),
    "batch norm of constant columns": lambda: with_values(cr.BatchNorm(WIDTH), running_variance=0.0),
    "batch norm far from zero": lambda: with_values(cr.BatchNorm(WIDTH), running_mean=100.0),
    "batch norm of the last batch": lambda: cr.BatchNorm(WIDTH, momentum=1.0),
    "dropout of nearly all": lambda: cr.Dropout(0.99),
    "loud noise": lambda: cr.GaussianNoise(1e3),
    "residual": lambda: cr.Residual([cr.Tanh()]),
}


def model(name: str, dtype: str) -> cr.Sequential:
    """A layer that does nothing, and the layer."""
    layer = MADE[name]()
    odd = layer.__dict__.pop("_odd", {})
    net = cr.Sequential([cr.Scale(WIDTH), layer], rng=0, dtype=dtype)
    for attribute, value in odd.items():
        getattr(layer, attribute)[:] = value
    return net


def exact(name: str, rows: np.ndarray) -> np.ndarray:
    """The answers in float64, in which no square of these rows overflows."""
    return model(name, "float64").forward(rows.astype(np.float64))


def same(found: np.ndarray, expected: np.ndarray) -> None:
    beyond = (np.abs(found) > 3e38) & (np.abs(expected) > 3e38) & (np.sign(found) == np.sign(expected))
    np.testing.assert_allclose(np.where(beyond, expected, found), expected, rtol=2e-5, atol=1e-6)


@np.errstate(all="ignore")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MADE)
def test_odd_layers_in_onnx(name: str, dtype: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    from chainrule.persistence import onnx as tool

    net = model(name, dtype)
    for precision in {"float32", dtype}:
        tool.write(net, tmp_path / "a.onnx", precision=precision)
        session = onnxruntime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
        for rows in (ROWS, NO_NUMBER):
            same(session.run(None, {"x": rows.astype(precision)})[0], exact(name, rows))


@np.errstate(all="ignore")
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_odd_layers_in_c(dtype: str, tmp_path: Path) -> None:
    names = list(MADE)
    source = "#include <stdio.h>\n"
    for index, name in enumerate(names):
        c.write(model(name, dtype), tmp_path / f"n{index}.h", self_test=False)
        source += f'#include "n{index}.h"\n'
    rows = np.concatenate([ROWS, NO_NUMBER])
    calls = "".join(
        f"    for (int row = 0; row < {len(rows)} && fread(x, sizeof x, 1, stdin) == 1; row++) {{\n"
        f"        n{index}_predict(x, y);\n        fwrite(y, sizeof y, 1, stdout);\n    }}\n"
        for index in range(len(names))
    )
    source += f"int main(void)\n{{\n    float x[{WIDTH}], y[{WIDTH}];\n{calls}    return 0;\n}}\n"
    (tmp_path / "main.c").write_text(source, encoding="utf-8")
    strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wdouble-promotion", "-Werror"]
    made = subprocess.run(
        ["cc", *strict, "-O2", "main.c", "-o", "main", "-lm"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr[:3000]
    given = rows.tobytes() * len(names)
    told = subprocess.run([str(tmp_path / "main")], input=given, capture_output=True, check=True).stdout
    answers = np.frombuffer(told, np.float32).reshape(len(names), len(rows), WIDTH)
    for name, found in zip(names, answers, strict=True):
        try:
            same(found, exact(name, rows))
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


@pytest.mark.parametrize("file", ["a.onnx", "a.h"])
def test_an_epsilon_that_float32_cannot_hold_is_refused(file: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    net = cr.Sequential([cr.LayerNorm(3, epsilon=1e-50)], dtype="float64")
    with pytest.raises(
        ValueError, match=r"expects epsilon of at least 1\.2e-38, which float32 can hold, got LayerNorm"
    ):
        cr.export(net, tmp_path / file)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_int8_of_what_is_no_number_is_none(tmp_path: Path) -> None:
    net = cr.MLP([3, 4, 2], rng=0)
    c.write(net, tmp_path / "net.h", "int8")
    answers = c.compiled.compiled_answers(
        tmp_path / "net.h", np.float32([[np.nan, 0, 1], [0, -np.inf, 1], [1, 2, 3]]), 2
    )
    assert np.isnan(answers[:2]).all()
    assert np.isfinite(answers[2]).all()


@pytest.mark.parametrize(
    "net",
    [
        cr.MLP([5000, 4, 2], rng=0),
        cr.MLP([2, 5000], rng=0),
        cr.MLP([8] * 51 + [2], activation="tanh", rng=0),
        cr.Sequential([cr.Linear(3, 1), cr.Softmax()], rng=0),
        cr.Sequential([cr.Linear(3, 1, "sigmoid")], rng=0),
    ],
    ids=["wide in", "wide out", "deep", "softmax of one", "sigmoid of one"],
)
@pytest.mark.parametrize("file", ["a.onnx", "a.h"])
def test_odd_shapes(net: cr.Sequential, file: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    done = cr.export(net, tmp_path / file)
    assert done.checked is None or done.checked < 1e-4
