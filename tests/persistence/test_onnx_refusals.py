"""What ONNX cannot hold, or what is not installed, is one sentence with a remedy."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
import onnx
import onnxruntime

import chainrule as cr
from chainrule.persistence import onnx as tool
from chainrule.persistence.onnx import runtime
from persistence.onnx_networks import network


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
def test_invalid_options(options, says, tmp_path):
    with pytest.raises(ValueError, match="export to ONNX expects") as caught:
        cr.export(network(), tmp_path / "n.onnx", **options)
    assert says in str(caught.value)


def test_a_model_too_large_for_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="expects a model of less than 100 bytes, got 620 bytes of parameters"):
        cr.export(network(), tmp_path / "n.onnx")


# --- what is not installed, or too old


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
