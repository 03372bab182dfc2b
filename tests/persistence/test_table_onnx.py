"""Models of tables as ONNX files that take raw rows: one input a column, the answers of the model."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
pytest.importorskip("narwhals", reason="narwhals is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")

import onnx
import onnxruntime
import pandas as pd
import polars as pl

import chainrule as cr
from chainrule.tabular.encoding import TableEncoder
from persistence.table_models import KINDS, answer, fitted, frame, numbers, odd_frame, quiet


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The file of each kind of model, made once."""
    folder, made = tmp_path_factory.mktemp("onnx"), {}

    def file_of(kind):
        if kind not in made:
            made[kind] = cr.export(fitted(kind), folder / f"{len(made)}.onnx", X=frame())
        return made[kind]

    return file_of


def session_of(done):
    return onnxruntime.InferenceSession(done.path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("kind", KINDS)
def test_raw_rows_are_answered_as_by_the_model(kind, exported) -> None:
    model, session, rows = fitted(kind), session_of(exported(kind)), odd_frame()
    *label, found = session.run(None, cr.convert.onnx_inputs(session, rows))
    expected = answer(model, rows)
    unit = 1.0 if hasattr(model, "classes_") else expected.std(axis=0)
    assert (np.abs(found.reshape(expected.shape) - expected) / unit).max() < 2e-5
    if label:
        assert (label[0] == model.predict(rows)).all()
    assert exported(kind).checked < 2e-5
    assert exported(kind).rows == ""


def test_the_inputs_say_what_they_take(exported) -> None:
    session = session_of(exported("classes"))
    kinds = {one.name: one.type for one in session.get_inputs()}
    assert kinds == {
        "height": "tensor(double)",
        "seconds": "tensor(double)",
        "label_2": "tensor(string)",  # an output has that name
        "class": "tensor(string)",
        "town, Öst": "tensor(string)",
        "felled": "tensor(string)",
        "there": "tensor(string)",
        "planted": "tensor(int64)",
        "note": "tensor(string)",
    }
    assert [one.name for one in session.get_outputs()] == ["label", "probabilities"]
    assert all(one.shape == ["rows", 1] for one in session.get_inputs())
    assert any("'label' is 'label_2'" in note for note in exported("classes").notes)
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["class_names"]) == ["hedge", "shrub", "tree"]
    assert json.loads(facts["feature_names"]) == list(fitted("classes").encoder_.columns)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, dict], ids=["pandas", "polars", "dict"])
def test_inputs_of_any_frame_by_path_or_session(make, exported) -> None:
    done = exported("classes")
    inputs = cr.convert.onnx_inputs(done.path, make(frame()))
    again = cr.convert.onnx_inputs(session_of(done), frame())
    assert inputs.keys() == again.keys()
    for name, x in inputs.items():
        assert x.shape == (len(frame()["height"]), 1)
        assert np.array_equal(x, again[name], equal_nan=x.dtype == np.float64)
    assert inputs["planted"].dtype == np.int64
    assert inputs["height"].dtype == np.float64


def test_text_for_numbers_and_dates_is_read_as_in_training(tmp_path) -> None:
    rng = np.random.default_rng(0)
    days = np.datetime64("2001-01-01") + rng.integers(0, 5000, 90).astype("m8[D]")
    said = np.array([f"{day:%d/%m/%Y}" for day in days.tolist()], object)
    prices = np.array([f"{value:.2f}".replace(".", ",") for value in rng.normal(10, 3, 90)], object)
    rows = {"day": said, "price": prices}
    columns = {"day": "date:dmy", "price": "number:,"}
    model = quiet(cr.TabularRegressor(max_epochs=2, random_state=0, columns=columns), rows, rng.normal(size=90))
    done = cr.export(model, tmp_path / "a.onnx")
    new = {"day": ["13/12/2004", "n/a", None], "price": ["1.234,5", "?", "-3"]}
    inputs = cr.convert.onnx_inputs(done.path, new)
    assert inputs["price"].ravel().tolist()[::2] == [1234.5, -3.0]
    assert inputs["day"].ravel().astype("M8[us]").astype("M8[D]").astype(str).tolist() == ["2004-12-13", "NaT", "NaT"]
    found = session_of(done).run(None, inputs)[0][:, 0]
    assert np.allclose(found, model.predict(new), rtol=0, atol=1e-5)


def test_files_in_float64_and_int8(tmp_path) -> None:
    model = quiet(cr.TabularRegressor(max_epochs=30, n_ensemble=2, random_state=0), frame(), numbers())
    wide = cr.export(model, tmp_path / "wide.onnx", precision="float64")
    small = cr.export(model, tmp_path / "small.onnx", precision="int8")
    assert wide.checked < 2e-5
    assert small.checked < 0.1
    assert small.bytes < wide.bytes


def test_without_rows_it_draws_some_like_those_of_training(tmp_path) -> None:
    done = cr.export(fitted("a number"), tmp_path / "a.onnx")
    assert done.checked < 2e-5
    assert done.rows == ""


def test_a_category_that_onnx_cannot_hold_is_refused_by_its_column(tmp_path) -> None:
    rows = {"kind": np.array(["oak\0", "fir", "elm"] * 30, object)}
    model = quiet(cr.TabularRegressor(max_epochs=1, random_state=0), rows, np.arange(90.0))
    with pytest.raises(ValueError, match=r"categories without NUL, got 'oak.x00' in column 'kind'; drop the column"):
        cr.export(model, tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


def test_rows_of_a_matrix(tmp_path) -> None:
    x = np.random.default_rng(0).normal([0, 1e9], [1, 3], (90, 2))
    x[:9, 0] = np.nan
    model = quiet(cr.TabularRegressor(max_epochs=2, random_state=0), x, x[:, 1])
    done = cr.export(model, tmp_path / "a.onnx", X=x)
    found = session_of(done).run(None, {"x0": x[:, :1], "x1": x[:, 1:]})[0][:, 0]
    assert np.abs(found - model.predict(x)).max() < 1e-5 * x[:, 1].std()


def test_refusals_of_onnx_inputs(exported, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"onnx_inputs expects a column 'height', got label; rename it, or add it"):
        cr.convert.onnx_inputs(exported("classes").path, {"label": ["oak"]})
    with pytest.raises(ValueError, match=r"onnx_inputs expects numbers in column 'height', got 'tall' at row 0"):
        cr.convert.onnx_inputs(exported("classes").path, frame() | {"height": ["tall"] * 240})
    plain = cr.export(cr.MLP([2, 3], rng=0), tmp_path / "plain.onnx").path
    with pytest.raises(ValueError, match=r"onnx_inputs expects an ONNX file that takes a table"):
        cr.convert.onnx_inputs(plain, frame())
    (tmp_path / "no.onnx").write_bytes(b"\xff" * 40)
    with pytest.raises(ValueError, match=r"onnx_inputs expects an ONNX file, got .*no.onnx"):
        cr.convert.onnx_inputs(tmp_path / "no.onnx", frame())


@pytest.mark.parametrize("columns", ["[", "[1]", '[["a"]]', '[[[], [], "", "x"]]'])
def test_metadata_that_were_changed_are_refused(columns, exported, tmp_path) -> None:
    proto = onnx.load(exported("classes").path)
    for entry in proto.metadata_props:
        if entry.key == "columns":
            entry.value = columns
    onnx.save(proto, tmp_path / "changed.onnx")
    with pytest.raises(ValueError, match=r"onnx_inputs expects a file as export writes it, got one whose columns"):
        cr.convert.onnx_inputs(tmp_path / "changed.onnx", frame())


def test_a_file_that_answers_something_else_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("chainrule.persistence.onnx.table.DAY", 1000)
    with pytest.raises(ValueError, match=r"export expects a file that answers as the model does"):
        cr.export(fitted("a number"), tmp_path / "a.onnx", X=frame())
    assert list(tmp_path.iterdir()) == []


def test_every_column_of_an_encoder_has_a_program() -> None:
    encoder = TableEncoder().fit(frame(), columns={"note": "text", "there": "flag"})
    programs = encoder.programs
    assert [one.source.name for one in programs] == encoder.columns
    assert {one.call.op for one in programs} == {"impute", "lookup", "calendar", "pieces"}
    features = sum(len(one.scales) for one in programs if not one.is_code)
    assert features == len(encoder.feature_names)
    assert sum(one.is_code for one in programs) == len(encoder.code_names) == 1


def test_the_file_holds_standard_operators_but_for_text(exported) -> None:
    def domains(kind):
        return {node.domain for node in onnx.load(exported(kind).path).graph.node}

    assert domains("classes") == {"", "ai.onnx.ml", "com.microsoft"}
    assert any("com.microsoft.Tokenizer" in note for note in exported("classes").notes)


def test_a_column_that_is_standard_already_is_known_as_well(tmp_path) -> None:
    rows = {"a": np.tile([-0.5, 0.0, 0.5, -0.5, 0.5], 18), "b": np.arange(90) ** 2 / 7.0}
    model = quiet(cr.TabularRegressor(max_epochs=1, validation_fraction=0.0, random_state=0), rows, np.arange(90.0))
    (scales, _) = (column.scales for column in model.encoder_.programs)
    assert (scales.center[0], scales.factor[0]) == (0, 1)
    assert cr.export(model, tmp_path / "a.onnx").rows == ""
