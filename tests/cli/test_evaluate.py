"""``chainrule evaluate``: scores that scikit-learn would give too."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

from .conftest import write_flowers, write_prices


def predictions(shell, model: Path, table: Path) -> list[str]:
    return shell("predict", model, table).out.splitlines()[1:]


def test_classes_are_scored_as_scikit_learn_does(shell, flowers_model: Path, tmp_path: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    table = write_flowers(tmp_path / "new.csv", rows=70, seed=3)
    true = [line.split(",")[-1] for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    predicted = predictions(shell, flowers_model, table)
    answer = shell("evaluate", flowers_model, table)
    assert (answer.code, answer.err) == (0, "")
    first, _, *classes = answer.out.splitlines()
    assert first.startswith(f"accuracy {100 * metrics.accuracy_score(true, predicted):.2f} % (")
    assert re.search(r"of 70 rows\), log-loss \d", first)
    precision, recall, _, support = metrics.precision_recall_fscore_support(true, predicted)
    for line, name, rows, found, right in zip(
        classes, ("iris", "lily", "rose"), support, recall, precision, strict=True
    ):
        assert line.split() == [name, str(rows), f"{100 * found:.2f}", "%", f"{100 * right:.2f}", "%"]


def test_numbers_are_scored_as_scikit_learn_does(shell, prices_model: Path, tmp_path: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    table = write_prices(tmp_path / "new.csv", rows=70, seed=3)
    true = [float(line.split(",")[1]) for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    predicted = [float(line) for line in predictions(shell, prices_model, table)]
    rmse = metrics.mean_squared_error(true, predicted) ** 0.5
    mae, r2 = metrics.mean_absolute_error(true, predicted), metrics.r2_score(true, predicted)
    said = shell("evaluate", prices_model, table).out
    assert said == f"RMSE {rmse:.4g}, MAE {mae:.4g}, R² {r2:.4f} (70 rows)\n"


def test_one_row_has_no_r2(shell, prices_model: Path, tmp_path: Path) -> None:
    table = write_prices(tmp_path / "new.csv", rows=1)
    assert "R²" not in shell("evaluate", prices_model, table).out


def test_a_class_without_rows_has_no_recall(shell, flowers_model: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("length,width,colour,kind\n8,50,red,rose\n")
    iris = shell("evaluate", flowers_model, tmp_path / "new.csv").out.splitlines()[2]
    assert iris.split() == ["iris", "0", "–", "–"]


def test_the_training_table_is_no_fair_test_and_that_is_said(shell, flowers_model: Path, flowers: Path) -> None:
    assert "was trained on rows of this table" in shell("evaluate", flowers_model, flowers).err


def test_a_named_set_is_scored_on_its_test_part(shell, digits_model: Path) -> None:
    score = cr.load(digits_model / "model.safetensors").metadata["scores"]["accuracy"]
    answer = shell("evaluate", digits_model, "digits")
    assert answer.out.startswith(f"accuracy {100 * score:.2f} % ({round(359 * score)} of 359 rows)")
    assert len(answer.out.splitlines()) == 12


def test_other_data_are_refused(refuses, digits_model: Path, flowers_model: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "new.csv").write_text("length,width,colour,kind\n8,50,red,rose\n")
    (tmp_path / "unlabelled.csv").write_text("length,width,colour\n8,50,red\n")
    assert "'kind'" in refuses("evaluate", flowers_model, tmp_path / "unlabelled.csv")
    assert "a named data set for a model trained on digits" in refuses("evaluate", digits_model, tmp_path / "new.csv")
    other = cr.data.load_named("digits")
    object.__setattr__(other, "image_shape", (4, 16))
    monkeypatch.setattr("chainrule.cli.reading.load_named", lambda name: other)
    assert "a data set like digits for this model, got mnist" in refuses("evaluate", digits_model, "mnist")


def test_many_classes_get_no_line_each(shell, tmp_path: Path, without_pictures) -> None:
    rng = np.random.default_rng(0)
    rows = "".join(f"{rng.normal():.3f},k{kind % 40:02}\n" for kind in range(400))
    (tmp_path / "many.csv").write_text("a,kind\n" + rows)
    shell("train", tmp_path / "many.csv", "--epochs", 1, "--out", tmp_path / "out", "--quiet")
    assert len(shell("evaluate", tmp_path / "out", tmp_path / "many.csv").out.splitlines()) == 1


def test_a_class_that_training_never_saw_counts_as_wrong(shell, flowers_model: Path, tmp_path: Path) -> None:
    known = write_flowers(tmp_path / "known.csv", rows=18, seed=3).read_text(encoding="utf-8")
    right = float(
        re.match(r"accuracy [\d.]+ % \((\d+) of 18", shell("evaluate", flowers_model, tmp_path / "known.csv").out)[1]
    )
    (tmp_path / "new.csv").write_text(known + "8,50,red,tulip\n8,50,red,irris\n")
    answer = shell("evaluate", flowers_model, tmp_path / "new.csv")
    said = "2 of 20 rows have classes that training did not have ('tulip', 'irris')"
    assert answer.err.startswith(f"note: {said}")
    assert answer.err.endswith("they count as wrong\n")
    assert f"({right:.0f} of 20 rows), log-loss" in answer.out
    rows = {line.split()[0]: int(line.split()[1]) for line in answer.out.splitlines()[2:]}
    assert sum(rows.values()) == 18


def test_rows_without_an_answer_are_left_out(shell, flowers_model: Path, prices_model: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("length,width,colour,kind\n8,50,red,rose\n8,50,red,\n8,50,red,?\n")
    answer = shell("evaluate", flowers_model, tmp_path / "new.csv")
    assert answer.err == "note: 2 rows without a value in 'kind' are left out\n"
    assert "of 1 rows)" in answer.out
    (tmp_path / "new.csv").write_text("area,price,floor\n80,3400,1\n90,NA,1\n")
    assert "(1 row)" in shell("evaluate", prices_model, tmp_path / "new.csv").out


@pytest.mark.parametrize("spelled", ["True", "true", "YES", "1"])
def test_flags_in_any_spelling_are_the_same_classes(shell, tmp_path: Path, spelled: str, without_pictures) -> None:
    rows = "".join(f"{row},{'yes' if row > 20 else 'no'}\n" for row in range(40))
    (tmp_path / "t.csv").write_text("x,y\n" + rows)
    shell("train", tmp_path / "t.csv", "--number", "x", "--epochs", 20, "--quiet", "--out", tmp_path / "m")
    (tmp_path / "new.csv").write_text(f"x,y\n39,{spelled}\n")
    answer = shell("evaluate", tmp_path / "m", tmp_path / "new.csv")
    assert "never saw" not in answer.err
