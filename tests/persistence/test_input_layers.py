"""The layers of tables in files: what leaves answers as the model, and refuses the codes that it refuses."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.program import output_width, programs, run
from model_mutations import edit_description, with_its_digest

CODES = 7


def inner() -> list[cr.Layer]:
    return [cr.Columns([(1, []), (2, [cr.PBLD(2, 3, 2), cr.Linear(4, 2, "tanh")])])]


MADE: dict[str, Callable[[], list[cr.Layer]]] = {
    "a table": lambda: [
        cr.Columns([(3, [cr.PBLD(3)]), (2, []), (1, [cr.Embedding(CODES, 8)])]),
        cr.Scale(22),
        cr.Linear(22, 4, "selu"),
        cr.Linear(4, 2),
    ],
    "codes in front": lambda: [
        cr.Columns([(1, [cr.Embedding(CODES, 1)]), (4, []), (1, [cr.Embedding(3, 5)])]),
        cr.Linear(10, 2),
    ],
    "only columns": lambda: [cr.Columns([(3, inner()), (3, [])])],
    "layers in the parts": lambda: [
        cr.Columns([(2, [cr.Residual([cr.Tanh()]), cr.LayerNorm(2)]), (3, inner()), (1, [cr.Dropout(0.2)])]),
        cr.Linear(6, 3),
    ],
    "columns in the middle": lambda: [cr.Linear(6, 5), cr.Columns([(2, [cr.PBLD(2)]), (3, [])]), cr.Linear(11, 1)],
    "columns in a residual": lambda: [cr.Residual([cr.Columns([(3, []), (3, [cr.Tanh()])])]), cr.Linear(6, 2)],
    "one embedding": lambda: [cr.Embedding(CODES, 3), cr.Linear(3, 2)],
    "one embedding alone": lambda: [cr.Embedding(CODES, 3)],
    "piecewise-linear numbers": lambda: [
        cr.Columns([(2, []), (4, [cr.PiecewiseLinear([[-1, 0, 0.5, 2], [0, 1], [-0.1, 0.1, 0.3], [-9, 9]], 3)])]),
        cr.Linear(14, 2),
    ],
    "one PiecewiseLinear alone": lambda: [cr.PiecewiseLinear([[-1, 1]] * 6, 2)],
    "one PBLD": lambda: [cr.PBLD(6), cr.Linear(24, 1)],
    "one PBLD alone": lambda: [cr.PBLD(6, frequencies=1, outputs=2)],
}
EACH = pytest.mark.parametrize("name", MADE)


def model(name: str, dtype: str = "float32") -> cr.Sequential:
    net = cr.Sequential(MADE[name](), rng=0, dtype=dtype)
    net.parameters.vector[:] += 0.2 * np.random.default_rng(1).standard_normal(net.parameters.vector.size)
    return net


def rows(name: str, count: int = 20) -> np.ndarray:
    rng = np.random.default_rng(2)
    if name.startswith("one embedding"):
        return rng.integers(0, CODES, (count, 1)).astype(float)
    x = rng.standard_normal((count, 6))
    if name == "codes in front":
        x[:, 0] = rng.integers(0, CODES, count)
    if name in ("a table", "codes in front"):
        x[:, 5] = rng.integers(0, 3, count)
    return x


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_program_and_the_kernels_compute_what_the_layers_do(name: str, dtype: str) -> None:
    net, x = model(name, dtype), rows(name, 300)
    program = programs(net.layers)
    assert program is not None
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    expected = net.forward(x)
    np.testing.assert_allclose(run(program, x.astype(dtype)), expected, rtol=tolerance, atol=tolerance)
    for y, some in ((net.predict(x), slice(None)), (net.predict(x[:1]), slice(1)), (net.predict(x, 7), slice(None))):
        np.testing.assert_allclose(y, expected[some], rtol=tolerance, atol=tolerance)
    width = x.shape[1]
    for call in program:
        width = output_width(call, width)
    assert width == expected.shape[1]


@EACH
def test_saved_and_loaded_it_predicts_the_same_bits(name: str, tmp_path: Path) -> None:
    net = model(name)
    cr.save(net, tmp_path / "net")
    np.testing.assert_array_equal(cr.load(tmp_path / "net").predict(rows(name)), net.predict(rows(name)))


@EACH
@pytest.mark.parametrize("precision", ["float32", "float64", "float16"])
def test_onnx_answers_as_the_model(name: str, precision: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    net = model(name, "float64")
    exported = cr.export(net, tmp_path / "net.onnx", precision=precision)
    assert exported.checked is not None
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    tolerance = {"float32": 1e-5, "float64": 1e-11, "float16": 2e-2}[precision]
    for count in (0, 1, 20):
        x = rows(name, count).astype("float64" if precision == "float64" else "float32")
        (y,) = session.run(None, {"x": x})
        assert y.shape == (count, net.predict(rows(name, 1)).shape[1])
        np.testing.assert_allclose(y, net.predict(x), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("wrong", [CODES, -1, 1.5, np.nan, np.inf, 1e30])
def test_onnx_runtime_refuses_what_is_no_code(wrong: float, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    cr.export(model("a table"), tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    x = rows("a table").astype(np.float32)
    x[3, 5] = wrong
    with pytest.raises(Exception, match=r"out of data bounds|index"):
        session.run(None, {"x": x})


def test_codes_that_float16_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    net = cr.Sequential([cr.Embedding(2049, 1)], rng=0)
    with pytest.raises(ValueError, match="at most 2,048 codes for float16, got an embedding of 2,049; use float32"):
        cr.export(net, tmp_path / "net.onnx", precision="float16")


@EACH
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_c_answers_as_the_model(name: str, precision: str, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    net = model(name)
    cr.export(net, tmp_path / "net.h", name="net", precision=precision)
    x = rows(name).astype(np.float32)
    y = answers(tmp_path, x, net.predict(x).shape[1])
    tolerance = 2e-5 if precision == "float32" else 3e-2
    np.testing.assert_allclose(y, net.predict(x), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("wrong", [CODES, -1, 1.5, np.nan, np.inf, 1e30])
def test_c_answers_not_a_number_for_what_is_no_code(wrong: float, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    net = model("one embedding")
    cr.export(net, tmp_path / "net.h", name="net")
    y = answers(tmp_path, np.float32([[0], [wrong], [CODES - 1]]), 2)
    assert np.isfinite(y).all(axis=1).tolist() == [True, False, True]


def answers(folder: Path, x: np.ndarray, outputs: int) -> np.ndarray:
    """What the header answers, compiled with every warning an error."""
    (folder / "main.c").write_text(
        '#include <stdio.h>\n#include "net.h"\nint main(void)\n{\n    float x[NET_INPUTS], y[NET_OUTPUTS];\n'
        "    while (fread(x, sizeof x, 1, stdin) == 1) {\n        net_predict(x, y);\n"
        "        fwrite(y, sizeof y, 1, stdout);\n    }\n    return 0;\n}\n"
    )
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-Wno-unused-function"]
    subprocess.run(["cc", *flags, "main.c", "-o", "main", "-lm"], cwd=folder, check=True)
    told = subprocess.run([folder / "main"], input=x.tobytes(), capture_output=True, check=True)
    return np.frombuffer(told.stdout, np.float32).reshape(len(x), outputs)


@pytest.mark.parametrize("name", ["a table", "one embedding", "one PBLD"])
def test_other_libraries_have_no_such_layers(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"state_dict expects layers with arrays to be among .*, got (PBLD|Embedding)"):
        cr.convert.state_dict(model(name))
    with pytest.raises(ValueError, match=r"expects layers with arrays to be among .*, got (PBLD|Embedding)"):
        cr.export(model(name), tmp_path / "net.safetensors", format="pytorch")


@EACH
def test_columns_that_only_pass_on_are_of_no_weight_to_the_memory_of_c(name: str, tmp_path: Path) -> None:
    """No buffer is wider than the widest row between two layers."""
    from chainrule.persistence.c.calls import calls_of
    from chainrule.persistence.c.network import as_network

    network = as_network(model(name))
    plan = calls_of(network.steps, network.inputs)
    assert max(plan.buffers, default=0) <= max(call.target.row.width for call in plan.calls)


def test_damaged_descriptions_of_columns_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    cr.save(model("layers in the parts"), path)
    whole, said = path.read_bytes(), []
    for seed in range(150):
        path.write_bytes(with_its_digest(edit_description(whole, np.random.default_rng(seed))))
        try:
            cr.load(path).summary()
        except (ValueError, TypeError) as error:
            said.append(str(error))
    assert 100 < len(said) < 150
    assert [text for text in said if " expects " not in text] == []
