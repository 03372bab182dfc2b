"""``chainrule export``: a file that others run, its size, and how far it is from the model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

import onnx
import onnxruntime

import chainrule as cr
from chainrule.tabular.earlier import EarlierEncoder

CORPUS = Path(__file__).parent / "corpus"


def run(path: Path, x):
    return onnxruntime.InferenceSession(path).run(None, {"x": x})[0]


def test_a_table_model_takes_raw_rows(shell, flowers: Path, flowers_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "flowers.onnx"
    answer = shell("export", flowers_model, "--out", out)
    assert (answer.code, answer.err) == (0, "")
    session = onnxruntime.InferenceSession(out)
    assert [put.name for put in session.get_inputs()] == ["length", "width", "colour"]
    label, p = session.run(None, cr.convert.onnx_inputs(session, cr.data.read_table(flowers)))
    rows = [
        line.split(",") for line in shell("predict", flowers_model, flowers, "--probabilities").out.splitlines()[1:]
    ]
    assert label.ravel().tolist() == [row[0] for row in rows]
    np.testing.assert_allclose(p, np.array([row[1:] for row in rows], float), atol=1e-5)


def test_a_table_model_of_an_earlier_version(shell, tmp_path: Path) -> None:
    model, table, out = CORPUS / "flowers.safetensors", CORPUS / "flowers.csv", tmp_path / "flowers.onnx"
    answer = shell("export", model, "--out", out)
    assert (answer.code, answer.err) == (0, "")
    facts = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert json.loads(facts["class_names"]) == ["iris", "lily", "rose"]
    assert json.loads(facts["feature_names"]) == ["length", "width", "colour=blue", "colour=red"]
    assert facts["input"] == "x: float32, rows of 4 numbers, as the encoder gives them"
    x = EarlierEncoder.from_dict(json.loads(facts["encoder"])).transform(cr.data.read_table(table))
    np.testing.assert_allclose(run(out, x), cr.load(model).predict(x), atol=1e-4)


def test_formats_and_precisions(shell, tmp_path: Path) -> None:
    answer = shell(
        "export", CORPUS / "prices.safetensors", "--format", "onnx", "--precision", "int8", "--out", tmp_path / "p"
    )
    assert answer.code == 0
    assert f"{tmp_path / 'p'}: onnx, " in answer.out
    assert "MatMulInteger" in {node.op_type for node in onnx.load(tmp_path / "p").graph.node}


def test_a_model_of_ones_own(shell, tmp_path: Path) -> None:
    cr.save(cr.MLP([2, 3], rng=0), tmp_path / "own")
    answer = shell("export", tmp_path / "own", "--out", tmp_path / "own.onnx")
    assert answer.code == 0
    assert len(answer.out.splitlines()) == 2
    assert run(tmp_path / "own.onnx", np.zeros((5, 2), np.float32)).shape == (5, 3)


def test_what_cannot_be_is_refused(refuses, flowers_model: Path, tmp_path: Path) -> None:
    assert "required: --out" in refuses("export", flowers_model)
    assert "a suffix that tells it: .onnx (onnx)" in refuses("export", flowers_model, "--out", tmp_path / "a.txt")
    out = tmp_path / "a.onnx"
    assert "did you mean 'onnx'?" in refuses("export", flowers_model, "--format", "onxx", "--out", out)
    assert "name of a precision, got 'int4'" in refuses("export", flowers_model, "--precision", "int4", "--out", out)
    assert "expects a model file" in refuses("export", tmp_path / "none", "--out", out)
    assert "choose a folder that exists" in refuses("export", flowers_model, "--out", tmp_path / "no" / "a.onnx")
