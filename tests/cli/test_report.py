"""``chainrule report``: the table of the test rows on the screen, and a page in the folder."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

import chainrule as cr
from chainrule._support import files
from chainrule.cli import runs

from .conftest import trained, write_flowers, write_prices

pytest.importorskip("matplotlib")
metrics = pytest.importorskip("sklearn.metrics")


@pytest.fixture
def folder(tmp_path: Path):
    """Copies the folder of a model, which other tests read."""
    return lambda model: Path(shutil.copytree(model, tmp_path / "copy"))


def page(folder: Path) -> str:
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert len(text) < 2e6
    return text


def words(folder: Path) -> str:
    return re.sub(r"<[^>]*>", " ", page(folder))


def settings_of(source: Path, **others: object) -> dict:
    said = {"source": str(source), "validation": 0.2, "test_fraction": 0.2, "seed": 0}
    return {"format": 2, "settings": dict.fromkeys(runs.SETTINGS) | said | others}


def test_classes_of_a_table(shell, flowers_model, folder, tmp_path) -> None:
    model, table = folder(flowers_model), write_flowers(tmp_path / "new.csv", rows=70, seed=3)
    true = [line.split(",")[-1] for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    predicted = shell("predict", model, table).out.splitlines()[1:]
    answer = shell("report", model, table)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0].split() == ["70", "rows", "model", "guess"]
    assert lines[1].split()[:3] == ["Accuracy", f"{100 * metrics.accuracy_score(true, predicted):.2f}", "%"]
    assert lines[-1] == f"{model / 'report.html'} shows all of it"
    shown = words(model)
    for word in (
        "flowers.csv: kind",
        "new.csv",
        "Learning curves",
        "Calibration",
        "Importance",
        "row",
        "colour",
        "lily",
    ):
        assert word in shown


def test_numbers_of_a_table_are_in_their_units(shell, prices_model, folder, tmp_path) -> None:
    model, table = folder(prices_model), write_prices(tmp_path / "new.csv", rows=70, seed=3)
    true = [float(line.split(",")[1]) for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    predicted = [float(line) for line in shell("predict", model, table).out.splitlines()[1:]]
    lines = shell("report", model, table).out.splitlines()
    assert float(lines[2].split()[3]) == pytest.approx(metrics.mean_absolute_error(true, predicted), rel=1e-3)
    assert "rise of RMSE" in words(model)


def test_a_named_set_needs_no_source(shell, digits_model, folder) -> None:
    model = folder(digits_model)
    score = cr.load(model / "model.safetensors").metadata["scores"]["accuracy"]
    for source in ([], ["digits"]):
        assert shell("report", model, *source).out.splitlines()[1].split()[1] == f"{100 * score:.2f}"
    assert page(model).count("<li>") == 24
    assert "the test set of digits" in words(model)
    assert "Importance" not in words(model)


@pytest.mark.parametrize("options", [{}, {"target": "width", "test_fraction": 0.4, "seed": 3}])
def test_without_a_source_a_table_gives_the_rows_set_aside(shell, flowers, tmp_path, options) -> None:
    words_of = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    model = trained(flowers, tmp_path / "out", "--epochs", 5, *words_of)
    scores = json.loads((model / "run.json").read_text(encoding="utf-8"))["result"]["scores"]
    answer = shell("report", model)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.split()[0] == str(48 if options else 24)
    if options:
        assert float(answer.out.splitlines()[3].split()[4]) == pytest.approx(scores["rmse"], rel=1e-3)
    else:
        assert answer.out.splitlines()[1].split()[1] == f"{100 * scores['accuracy']:.2f}"
    assert "rows that training set aside" in words(model)


def test_without_a_source_a_changed_table_is_refused(refuses, flowers_model, folder, tmp_path) -> None:
    model = folder(flowers_model)
    (model / "run.json").unlink()
    assert "report expects a SOURCE, got none" in refuses("report", model)
    (model / "run.json").write_text(json.dumps({"settings": {"source": 3}}))
    assert "report expects a SOURCE, got none" in refuses("report", model)
    other = write_flowers(tmp_path / "flowers.csv", seed=7)
    (model / "run.json").write_text(json.dumps(settings_of(other)))
    assert "as it was when the model was trained, got another table" in refuses("report", model)
    other.unlink()
    assert "no such file" in refuses("report", model)
    (model / "run.json").write_text(json.dumps(settings_of(Path("digits"))))
    assert "report expects a table, got the data set digits" in refuses("report", model)


def test_the_record_of_the_run_is_shown(shell, digits_model, folder) -> None:
    model = folder(digits_model)
    record = settings_of(Path("digits")) | {"machine": {"blas": [{"library": "openblas"}], "threads": {"available": 2}}}
    (model / "run.json").write_text(json.dumps(record))
    assert shell("report", model).code == 0
    shown = words(model)
    for word in ("Run: machine", "threads · available", "openblas", "Run: settings", "validation"):
        assert word in shown


def test_the_training_table_is_no_fair_test_and_that_is_said(shell, flowers_model, flowers, folder) -> None:
    model = folder(flowers_model)
    said = "The model was trained on rows of this table; expect lower scores on new data."
    assert shell("report", model, flowers).err == f"note: {said}\n"
    assert said in words(model)


@pytest.mark.parametrize("text", ["", "[]", "{" * 100_000, '{"rows": 3}', '{"rows": [3]}', '{"rows": [{"loss": "x"}]}'])
def test_damaged_records_stop_nothing(shell, digits_model, folder, text) -> None:
    model = folder(digits_model)
    for name in ("history.json", "run.json"):
        (model / name).write_text(text)
    answer = shell("report", model)
    assert answer.code == 0
    assert "Scores" in words(model)
    assert ("is left out" in answer.err) == ("rows" not in text)


def test_a_record_of_any_size_is_not_read_whole(shell, digits_model, folder, monkeypatch) -> None:
    monkeypatch.setattr(files, "MOST_FACTS", 10)
    assert "history.json is left out" in shell("report", folder(digits_model)).err


def test_what_is_no_folder_of_a_model_is_refused(refuses, digits_model, tmp_path) -> None:
    assert "expects the output folder of train" in refuses("report", digits_model / "model.safetensors")
    assert "model.safetensors" in refuses("report", tmp_path)
    assert "no such file" in refuses("report", digits_model, "nothing.csv")


def test_hostile_names_stay_text_from_the_table_to_the_page(shell, tmp_path) -> None:
    kinds = "</style>", "$\\frac$"
    rows = "".join(f"{k % 7},{'<b>' if k % 2 else '$'},{kinds[k % 3 == 0]}\n" for k in range(60))
    table = tmp_path / "<script>alert(1)<'.csv"
    table.write_text('"<script>document.title=\'x\'</script>",$\\frac{$,"\'--><svg onload=alert(1)>"\n' + rows)
    model = trained(table, tmp_path / "out", "--epochs", 1)
    assert shell("report", model, table).code == 0
    text = page(model)
    assert "<script" not in text
    assert "<svg" not in text
    assert text.count("</style>") == 1
    assert "&lt;script&gt;document.title" in text


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="this user may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_one_sentence(refuses, digits_model, folder) -> None:
    model = folder(digits_model)
    model.chmod(0o500)
    try:
        assert "report expects to write" in refuses("report", model)
    finally:
        model.chmod(0o700)
