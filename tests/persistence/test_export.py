"""``export`` finds the format, checks what it is given, and compares what it wrote with the model."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.persistence import export
from chainrule.persistence.export import Exported
from chainrule.persistence.rows import row_shape, sample_rows

pytest.importorskip("onnx", reason="onnx is not installed")


@pytest.fixture
def model():
    return cr.MLP([3, 4, 2], rng=0)


@pytest.mark.parametrize(("name", "format"), [("a.onnx", None), ("A.ONNX", None), ("a.bin", "onnx"), ("a", "onnx")])
def test_the_format_by_suffix_or_by_name(name, format, model, tmp_path):
    done = cr.export(model, str(tmp_path / name), format)
    assert isinstance(done, Exported)
    assert (done.path, done.format, done.bytes) == (tmp_path / name, "onnx", (tmp_path / name).stat().st_size)
    assert done.notes == []
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("format", export.FORMATS)
def test_every_format_has_its_two_functions_and_a_suffix(format):
    suffix, module, _ = export.FORMATS[format]
    tool = importlib.import_module(f"chainrule.persistence.{module}")
    assert suffix.startswith(".")
    written = list(inspect.signature(tool.write).parameters)
    assert written[:2] == ["model", "path"]
    assert "rows" in written
    assert list(inspect.signature(tool.check).parameters) == ["model", "path", "rows"]


@pytest.mark.parametrize(
    ("path", "format", "options", "says"),
    [
        ("a.txt", None, {}, "export expects a format, or a suffix that tells it: .onnx (onnx)"),
        ("a", None, {}, "export expects a format, or a suffix that tells it"),
        ("a.onnx", "onx", {}, "export expects the name of a format, got 'onx' (did you mean 'onnx'?)"),
        ("a.onnx", None, {"precison": "int8"}, "an option of this format, got 'precison' (did you mean 'precision'?)"),
    ],
)
def test_what_is_not_known_is_refused(path, format, options, says, model, tmp_path):
    with pytest.raises(ValueError, match="export expects") as caught:
        cr.export(model, tmp_path / path, format, **options)
    assert says in str(caught.value)


def test_other_things_than_models_are_refused(model, tmp_path):
    with pytest.raises(TypeError, match="expects a Sequential model or a fitted estimator, got Trainer"):
        cr.export(cr.Trainer(model, "cross_entropy"), tmp_path / "a.onnx")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    with pytest.raises(ValueError, match=r"expects a fitted estimator, got MLPClassifier\(\); fit it first"):
        cr.export(cr.MLPClassifier(), tmp_path / "a.onnx")


def test_a_place_that_cannot_be_written(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"export expects to write .*choose a folder that exists"):
        cr.export(model, tmp_path / "nowhere" / "a.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(OSError, match="export expects to write"):
        cr.export(model, tmp_path / "folder.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.onnx"]


def test_what_was_written_in_words():
    done = Exported(Path("a.h"), "c", 1234, None, ["first", "second"])
    assert str(done) == "a.h: c, 1,234 bytes\nnote: first\nnote: second"


def test_a_file_that_differs_is_not_kept(model, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    from chainrule.persistence import onnx as tool

    def write(model, path, **options):
        other = cr.MLP([3, 4, 2], rng=1)
        return real(other, path)

    real = tool.write
    monkeypatch.setattr(tool, "write", write)
    (tmp_path / "a.onnx").write_text("what stood there")
    with pytest.raises(ValueError, match=r"export expects a file that answers as the model does.*pass rows=X"):
        cr.export(model, tmp_path / "a.onnx")
    assert (tmp_path / "a.onnx").read_text(encoding="utf-8") == "what stood there"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_sample_rows():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    x = np.random.default_rng(0).normal([5, 1000], [1, 50], (200, 2))
    fitted = cr.MLPRegressor(hidden_layer_sizes=(2,), scale=True, max_iter=1).fit(x, x[:, 0])
    rows = sample_rows(fitted, 50)
    np.testing.assert_allclose(rows.mean(axis=0), [5, 1000], rtol=0.1)
    np.testing.assert_array_equal(rows, sample_rows(fitted, 50))
    assert sample_rows(cr.Sequential([cr.Tanh()]), 5) is None
    assert sample_rows(cr.Sequential([cr.Tanh()]), 5, (2, 3)).shape == (5, 2, 3)
    assert row_shape([cr.Dropout(), cr.Residual([cr.BatchNorm(7)])]) == (7,)
