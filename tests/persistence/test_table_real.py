"""The real tables as ONNX and C: a thousand rows that training did not see, with missing and unseen values put in."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")

import onnxruntime

import chainrule as cr
from chainrule.persistence.agreement import Answers
from chainrule.persistence.c import compiled
from chainrule.persistence.c.compiled import answered
from chainrule.persistence.tables import rows_of, table_model
from chainrule.tabular.reading import read_table
from persistence.table_models import quiet

TARGETS = {
    "abalone/abalone.csv": "c8",
    "adult/adult-train.csv": "c14",
    "ames/AmesHousing.csv": "SalePrice",
    "bike-sharing/hour.csv": "cnt",
    "california-housing/housing.csv": "median_house_value",
    "diamonds/diamonds.csv": "price",
    "higgs-lgb/binary.train": "c0",
    "letter/letter-recognition.data": "Letter",
    "magic/magic.tsv.gz": "target",
    "power-plant/data.txt": "c4",
    "wine-quality/winequality-red.csv": "c11",
}
CLASSES = ("adult", "higgs-lgb", "letter", "magic", "wine-quality")
HELD_OUT, TRAINED = 500, 1000


@cache
def fitted(path: Path, target: str):
    """A model of some rows, and others that training did not see, half of them as they are."""
    frame = read_table(path).frame
    frame = frame[np.random.default_rng(0).permutation(len(frame))[: HELD_OUT + TRAINED].tolist()]
    x, y = frame.drop(target), frame[target].to_numpy()
    kind = cr.TabularClassifier if path.parent.name in CLASSES else cr.TabularRegressor
    model = quiet(kind(max_epochs=2, random_state=0), x[HELD_OUT:], y[HELD_OUT:])
    return model, x[:HELD_OUT]


def asserted_equal(found: Answers, expected: Answers) -> None:
    """Labels on 99.9 % of the rows, numbers to 1e-5 of the spread of the target."""
    if expected.labels is not None:
        assert (found.labels == expected.labels).mean() >= 0.999
    unit = expected.unit or expected.numbers.std(axis=0)
    assert (np.abs(found.numbers.reshape(expected.numbers.shape) - expected.numbers) / unit).max() <= 1e-5


@pytest.mark.parametrize("format", ["onnx", "c"])
@pytest.mark.parametrize("name", TARGETS)
def test_a_real_table_answers_raw_rows_as_the_model(name, format, data_dir: Path, tmp_path, monkeypatch) -> None:
    if not (data_dir / name).is_file():
        pytest.skip(f"the folder named by CHAINRULE_DATA holds no {name}")
    monkeypatch.setattr("chainrule.persistence.tables.ROWS", HELD_OUT)
    model, held_out = fitted(data_dir / name, TARGETS[name])
    table = table_model(model)
    columns, _ = rows_of(table, held_out)
    assert len(next(iter(columns.values()))) == 2 * HELD_OUT
    expected = table.answers(columns)
    if format == "onnx":
        session = onnxruntime.InferenceSession(cr.export(model, tmp_path / "m.onnx", X=held_out).path)
        *labels, numbers = session.run(None, cr.convert.onnx_inputs(session, table.frame(columns)))
        asserted_equal(Answers(numbers, *labels), expected)
    elif shutil.which("cc"):
        header = cr.export(model, tmp_path / "m.h", X=held_out, name="m").path
        told = answered(header, "m", compiled.reading(table, "m"), compiled.in_bytes(columns))
        asserted_equal(compiled.read_answers(table, told, 2 * HELD_OUT), expected)
