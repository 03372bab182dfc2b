"""Models of tables that version 0.1.0 wrote load, and predict what they predicted then."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

CORPUS = Path(__file__).parent / "corpus"
NAMES = sorted(path.stem for path in CORPUS.glob("*.safetensors"))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("name", NAMES)
def test_an_earlier_model_predicts_what_it_did(shell, name: str) -> None:
    """Numbers, words one-hot, a word for missing that is a category, integers as classes."""
    then = rows_of((CORPUS / f"{name}-predicted.csv").read_text(encoding="utf-8"))
    options = ["--probabilities"] if len(then[0]) > 1 else []
    answer = shell("predict", CORPUS / f"{name}.safetensors", CORPUS / f"{name}.csv", *options)
    assert (answer.code, answer.err) == (0, "")
    now = rows_of(answer.out)
    assert [list(row) for row in now] == [list(row) for row in then]
    for column in then[0]:
        cells = [[row[column] for row in rows] for rows in (now, then)]
        if column == "prediction" and options:
            assert cells[0] == cells[1]
        else:
            np.testing.assert_allclose(*([float(cell) for cell in part] for part in cells), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_an_earlier_model_is_evaluated_inspected_and_exported(shell, name: str, tmp_path: Path) -> None:
    model, table = CORPUS / f"{name}.safetensors", CORPUS / f"{name}.csv"
    assert "20 rows" in shell("evaluate", model, table).out
    assert "columns     " in shell("inspect", model).out
    assert shell("export", model, "--out", tmp_path / "model.h").code == 0


def test_an_earlier_model_takes_no_missing_value_and_says_so(refuses, tmp_path: Path) -> None:
    (tmp_path / "gap.csv").write_text("length,width,colour\n,50,red\n1,2,blue\n")
    assert "a missing value in row 1 of " in refuses("predict", CORPUS / "flowers.safetensors", tmp_path / "gap.csv")
