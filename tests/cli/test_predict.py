"""``chainrule predict``: a raw table goes in, a CSV of predictions comes out."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import models
from chainrule.tabular.files import engine

from .conftest import trained, write_flowers, write_prices


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_new_rows_of_a_raw_table_are_predicted(shell, flowers_model: Path, tmp_path: Path) -> None:
    table = write_flowers(tmp_path / "new.csv", rows=80, seed=1)
    answer = shell("predict", flowers_model, table)
    assert (answer.code, answer.err) == (0, "")
    true = [row["kind"] for row in rows_of(table.read_text(encoding="utf-8"))]
    predicted = [row["prediction"] for row in rows_of(answer.out)]
    assert len(predicted) == 80
    assert np.mean([a == b for a, b in zip(true, predicted, strict=True)]) > 0.9


def test_python_predicts_raw_rows_with_the_model_file(shell, flowers_model: Path, flowers: Path) -> None:
    model = cr.load(flowers_model / "model.safetensors")
    predicted = model.predict(cr.data.read_table(flowers))
    assert predicted.tolist() == [row["prediction"] for row in rows_of(shell("predict", flowers_model, flowers).out)]


def test_neither_target_nor_order_of_the_columns_matter(shell, flowers_model: Path, tmp_path: Path) -> None:
    table = write_flowers(tmp_path / "new.csv", rows=30, seed=1)
    turned = tmp_path / "turned.csv"
    with turned.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["colour", "note", "width", "length"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row | {"note": ""} for row in rows_of(table.read_text(encoding="utf-8")))
    answers = [shell("predict", flowers_model / "model.safetensors", path) for path in (table, turned)]
    assert answers[0].out == answers[1].out
    assert len(answers[0].out.splitlines()) == 31


def test_probabilities_add_up_and_the_largest_is_predicted(shell, flowers_model: Path, flowers: Path) -> None:
    rows = rows_of(shell("predict", flowers_model, flowers, "--proba").out)
    assert list(rows[0]) == ["prediction", "probability_iris", "probability_lily", "probability_rose"]
    p = np.array([[float(row[f"probability_{kind}"]) for kind in ("iris", "lily", "rose")] for row in rows])
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    assert [("iris", "lily", "rose")[k] for k in p.argmax(axis=1)] == [row["prediction"] for row in rows]


def test_numbers_come_back_in_their_own_units(shell, prices_model: Path, tmp_path: Path) -> None:
    table = write_prices(tmp_path / "new.csv", rows=50, seed=1)
    predicted = [float(row["prediction"]) for row in rows_of(shell("predict", prices_model, table).out)]
    true = [float(row["price"]) for row in rows_of(table.read_text(encoding="utf-8"))]
    np.testing.assert_allclose(predicted, true, rtol=0.15)


def test_an_unknown_word_does_not_stop_the_predictions(shell, flowers_model: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("length,width,colour\n5,50,green\n")
    answer = shell("predict", flowers_model, tmp_path / "new.csv")
    assert answer.code == 0
    assert (
        answer.err == "note: column 'colour': 1 of 1 rows have values that occur at most once in training ('green')\n"
    )


def test_of_many_columns_with_unknown_words_a_few_are_told_each(shell, tmp_path: Path) -> None:
    names = ("a", "b", "c", "d", "e")
    rows = [",".join([*"xy"[row % 2] * 5, "no" if row % 2 else "yes"]) for row in range(40)]
    (tmp_path / "t.csv").write_text("\n".join([",".join([*names, "says"]), *rows]))
    model = tmp_path / "model"
    assert shell("train", tmp_path / "t.csv", "--epochs", 2, "--quiet", "--out", model).code == 0
    (tmp_path / "new.csv").write_text(",".join(names) + "\nz,z,z,z,z\n")
    *each, others = shell("predict", model, tmp_path / "new.csv").err.splitlines()
    assert [line.split(":")[1] for line in each] == [" column 'a'", " column 'b'", " column 'c'"]
    assert others == "note: 2 more columns have values that occur at most once in training: 'd', 'e'"


def test_evaluate_tells_what_training_never_saw(shell, flowers_model: Path, tmp_path: Path) -> None:
    rows = "".join(f"5,50,{colour},iris\n" for colour in ("e", "d", "c", "c", "b", "red"))
    (tmp_path / "new.csv").write_text("length,width,colour,kind\n" + rows)
    answer = shell("evaluate", flowers_model, tmp_path / "new.csv")
    assert "5 of 6 rows have values that occur at most once in training ('e', 'd', 'c', ...)" in answer.err


def test_a_stray_word_is_not_answered_with_an_option_of_train(refuses, flowers_model: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("length,width,colour\n" + "5,50,red\n" * 20 + "x,50,red\n")
    said = refuses("predict", flowers_model, tmp_path / "new.csv")
    assert f"numbers in column 'length', got 'x' in row 21 of {tmp_path / 'new.csv'}; correct it." in said


def test_the_predictions_go_into_a_file(shell, flowers_model: Path, flowers: Path, tmp_path: Path) -> None:
    printed = shell("predict", flowers_model, flowers)
    out = tmp_path / "predictions.csv"
    assert shell("predict", flowers_model, flowers, "--out", "-") == printed
    answer = shell("predict", flowers_model, flowers, "--out", out)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == f"120 predictions written to {out}\n"
    assert out.read_bytes().decode() == printed.out


def test_images_are_predicted_from_the_test_part_or_from_pixels(shell, digits_model: Path, tmp_path: Path) -> None:
    data = cr.data.load_named("digits")
    named = shell("predict", digits_model, "digits").out
    predicted = [int(row["prediction"]) for row in rows_of(named)]
    assert np.mean(predicted == data.y_test) > 0.8
    np.savetxt(tmp_path / "pixels.csv", data.x_test, delimiter=",", fmt="%.9g")
    assert shell("predict", digits_model, tmp_path / "pixels.csv").out == named


def test_columns_are_kept_as_they_stand(shell, flowers_model: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text('id,when,length,width,colour\n007,1/2/2024,5,50,red\n"1,5",,1,2,"re""d"\n')
    answer = shell("predict", flowers_model, tmp_path / "new.csv", "--keep", "id", "--keep", "when", "--keep", "length")
    rows = rows_of(answer.out)
    assert list(rows[0]) == ["id", "when", "length", "prediction"]
    assert [(row["id"], row["when"], row["length"]) for row in rows] == [("007", "1/2/2024", "5"), ("1,5", "", "1")]


def test_a_table_larger_than_a_part_is_predicted_part_by_part(
    shell, flowers_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write_flowers(tmp_path / "new.csv", rows=900, seed=4)
    whole = shell("predict", flowers_model, table, "--probabilities", "--keep", "width")
    monkeypatch.setattr(engine, "LEAST_BLOCK", 1 << 11)
    monkeypatch.setattr(engine, "BLOCK", 1 << 11)
    parts: list[int] = []
    answers = models.Trained.probabilities
    monkeypatch.setattr(models.Trained, "probabilities", lambda self, x: parts.append(len(x)) or answers(self, x))
    again = shell("predict", flowers_model, table, "--probabilities", "--keep", "width")
    assert len(parts) > 5
    assert sum(parts) == 900
    before, after = (rows_of(answer.out) for answer in (whole, again))
    assert [row["width"] for row in before] == [row["width"] for row in after]
    for name in ("probability_iris", "probability_lily", "probability_rose"):
        np.testing.assert_allclose(
            *([float(row[name]) for row in rows] for rows in (before, after)), rtol=1e-4, atol=1e-9
        )
    table.write_text(table.read_text(encoding="utf-8").replace("\n", "\n", 1) + "wide,5,red,iris\n")
    monkeypatch.setattr(models.Trained, "probabilities", answers)
    (tmp_path / "out.csv").write_text("earlier")
    answer = shell("predict", flowers_model, table, "--out", tmp_path / "out.csv")
    assert answer.code == 2
    assert "column 'length'" in answer.err
    assert (tmp_path / "out.csv").read_text() == "earlier"


def test_predictions_are_parquet_where_the_name_says_so(
    shell, flowers_model: Path, flowers: Path, prices_model: Path, prices: Path, tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "p.parquet"
    assert shell("predict", flowers_model, flowers, "--probabilities", "--keep", "width", "--out", out).code == 0
    found = parquet.read_table(out).to_pydict()
    rows = rows_of(shell("predict", flowers_model, flowers, "--probabilities").out)
    assert found["prediction"] == [row["prediction"] for row in rows]
    np.testing.assert_allclose(found["probability_lily"], [float(row["probability_lily"]) for row in rows], atol=1e-5)
    parquet.write_table(
        parquet.read_table(out).rename_columns(["area", "x", "a", "b", "floor"]), tmp_path / "in.parquet"
    )
    assert shell("predict", prices_model, prices, "--out", out).code == 0
    assert str(parquet.read_table(out).schema.field("prediction").type) == "double"
    assert shell("predict", prices_model, tmp_path / "in.parquet").code == 0


def test_standard_input_is_a_table(shell, flowers_model: Path, flowers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = shell("predict", flowers_model, flowers).out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(flowers.read_bytes())))
    assert shell("predict", flowers_model, "-").out == printed


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_file_without_header_and_target_keeps_its_columns(
    shell, tmp_path: Path, place: int, without_pictures: None
) -> None:
    """The columns behind the target have other places, and other names, where it is not there."""
    rng = np.random.default_rng(0)
    whole, bare = [], []
    for x, z in rng.normal(size=(60, 2)).round(3).tolist():
        cells = [str(x), str(z)]
        bare.append(",".join(cells))
        whole.append(",".join([*cells[:place], "abc"[(x > 0) + (z > 0)], *cells[place:]]))
    for name, lines in (("whole", whole), ("bare", bare)):
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    out = trained(tmp_path / "whole.csv", tmp_path / "out", "--target", f"c{place}", "--epochs", 5)
    answers = [shell("predict", out, tmp_path / f"{name}.csv") for name in ("whole", "bare")]
    assert answers[0].out == answers[1].out != ""
    (tmp_path / "one.csv").write_text("0.5\n0.7\n")
    assert shell("predict", out, tmp_path / "one.csv").code == 2


def test_numbers_far_from_0_have_all_their_digits(shell, tmp_path: Path, without_pictures: None) -> None:
    rng = np.random.default_rng(0)
    rows = "".join(f"{x:.3f},{2_000_000_000 + 50 * x:.2f}\n" for x in rng.normal(size=300))
    (tmp_path / "t.csv").write_text("x,y\n" + rows)
    out = trained(tmp_path / "t.csv", tmp_path / "out")
    said = [float(cell) for cell in shell("predict", out, tmp_path / "t.csv").out.split()[1:]]
    assert len(set(said)) > 200
    assert "R² 0.9" in shell("evaluate", out, tmp_path / "t.csv").out


@pytest.fixture
def files(flowers: Path, tmp_path: Path, flowers_model: Path, prices_model: Path) -> dict[str, Path]:
    """Files by name for the refusals below, bad tables among them."""
    content = (flowers_model / "model.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[: len(content) // 2])
    cr.save(cr.MLP([4, 3], rng=0), tmp_path / "own.safetensors")
    for name, text in {
        "narrow": "length,width\n5,50\n",
        "near": "length,width,color\n5,50,red\n",
        "colons": "length:width:colour\n5:50:red\n",
        "text": "length,width,colour\n5,wide,red\n",
        "empty": "",
        "header": "length,width,colour\n",
        "pixels": ",".join(["16"] * 64) + "\n",
    }.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return {"flowers": flowers_model, "prices": prices_model, "table": flowers, "tmp": tmp_path}


@pytest.mark.parametrize(
    "words, says",
    [
        (
            ["{flowers}", "{tmp}/narrow.csv"],
            "expects column 'colour', which the model needs, in {tmp}/narrow.csv, got length, width.",
        ),
        (["{flowers}", "{tmp}/near.csv"], "got length, width, color (did you mean 'color'?)."),
        (["{flowers}", "{tmp}/colons.csv"], "got length:width:colour; name its delimiter with --delimiter."),
        (["{flowers}", "{tmp}/text.csv"], "expects numbers in column 'width', got 'wide' in row 1 of {tmp}/text.csv"),
        (["{flowers}", "{table}", "--keep", "no"], "expects column 'no' in {table}, got length, width, colour, kind."),
        (["{flowers}", "{table}", "--quantiles"], "train with --quantiles 0.1,0.5,0.9"),
        (["{flowers}", "{tmp}/empty.csv"], "an empty file"),
        (["{flowers}", "{tmp}/header.csv"], "a header alone"),
        (["{flowers}", "{tmp}/none.csv"], "no such file"),
        (["{flowers}", "digits"], "predict expects a table for a model trained on flowers.csv, got digits"),
        (["{flowers}", "digit"], "did you mean 'digits'?"),
        (["{prices}", "{table}", "--proba"], "omit --probabilities"),
        (["{flowers}", "{table}", "--out", "{table}/out.csv"], "Not a directory"),
        (["{flowers}", "{table}", "--out", "{tmp}/no/out.csv"], "No such file or directory"),
        (["{tmp}/none", "{table}"], "predict expects a model file at"),
        (["{tmp}", "{table}"], "predict expects a model file at"),
        (["{tmp}/cut.safetensors", "{table}"], "cut.safetensors to be a whole safetensors file"),
        (["{table}", "{table}"], "flowers.csv to be a whole safetensors file"),
        (["{tmp}/own.safetensors", "{table}"], "in Python use chainrule.load(path).predict(x)"),
    ],
)
def test_what_cannot_be_predicted_is_refused(
    refuses: Callable[..., str], files: dict[str, Path], words: list[str], says: str
) -> None:
    assert says.format(**files) in refuses("predict", *(word.format(**files) for word in words))


@pytest.mark.parametrize(
    "table, says",
    [
        ("flowers", "predict expects 64 numeric columns, one per pixel, for a model trained on digits, got 4 columns"),
        ("pixels", "pixels from 0 to 1, as in digits, got 16 to 16"),
    ],
)
def test_other_tables_than_images_are_refused(refuses, digits_model: Path, files, flowers: Path, table, says) -> None:
    path = {"flowers": flowers, "pixels": files["tmp"] / "pixels.csv"}[table]
    assert says in refuses("predict", digits_model, path)


def test_predictions_that_are_no_numbers_are_refused(refuses, prices_model: Path, prices: Path, tmp_path: Path) -> None:
    model = cr.load(prices_model / "model.safetensors")
    model.model_.parameters.vector[:] = np.nan
    cr.save(model, tmp_path / "nan.safetensors")
    assert "finite numbers in its predictions" in refuses("predict", tmp_path / "nan.safetensors", prices)


@pytest.mark.parametrize(
    ("words", "out"),
    [
        ("predict model.safetensors t.csv", "t.csv"),
        ("predict model.safetensors t.csv", "link.csv"),
        ("predict model.safetensors t.csv", "model.safetensors"),
        ("predict . t.csv", "model.safetensors"),
        ("export model.safetensors --format onnx", "./model.safetensors"),
        ("export . --format onnx", "model.safetensors"),
    ],
)
def test_an_output_that_is_an_input_is_refused(
    refuses: Callable[..., str],
    flowers_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    out: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    model, table = tmp_path / "model.safetensors", write_flowers(tmp_path / "t.csv")
    model.write_bytes((flowers_model / "model.safetensors").read_bytes())
    (tmp_path / "link.csv").symlink_to("t.csv")
    before = table.read_bytes(), model.read_bytes()
    assert "expects --out to be another file than those that it reads" in refuses(*words.split(), "--out", out)
    assert (table.read_bytes(), model.read_bytes()) == before
