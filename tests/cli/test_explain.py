"""``chainrule explain``: a row of a table, cells, or an image, on the screen and as a page."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule.tabular.reading import read_table

from .conftest import write_flowers, write_prices


def test_a_row_of_a_table_with_its_answer(shell, flowers_model, tmp_path) -> None:
    table = write_flowers(tmp_path / "new.csv", rows=30, seed=3)
    page = tmp_path / "row.html"
    answer = shell("explain", flowers_model, table, "--row", 7, "--out", page)
    assert answer.code == 0
    frame = read_table(table).frame
    model = cr.load(flowers_model / "model.safetensors")
    kind = frame["kind"][6]
    expected = cr.explain(model, frame[[6]], kind, baseline=frame)
    assert answer.out == f"{expected}\n\n{page} shows it as a page\n"
    assert page.read_text(encoding="utf-8") == expected.to_html()
    assert "what each column contributed to the log-odds of" in answer.out
    assert "\nbackward\n" in answer.out


def test_without_the_target_there_is_no_backward_pass(shell, prices_model, tmp_path) -> None:
    table = write_prices(tmp_path / "new.csv", rows=10)
    lines = [",".join(np.delete(line.split(","), 1)) for line in table.read_text(encoding="utf-8").splitlines()]
    table.write_text("\n".join(lines), encoding="utf-8")
    answer = shell("explain", prices_model, table)
    assert (answer.code, answer.err) == (0, "")
    assert "what each column contributed to the predicted number" in answer.out
    assert "\nbackward\n" not in answer.out


def test_cells_are_a_row_of_their_own(shell, prices_model, prices) -> None:
    alone = shell("explain", prices_model, "--cell", "area=120.5", "--cell", "floor=3")
    assert (alone.code, alone.err) == (0, "")
    model = cr.load(prices_model / "model.safetensors")
    assert alone.out == f"{cr.explain(model, {'area': ['120.5'], 'floor': ['3']})}\n"
    beside = shell("explain", prices_model, prices, "--cell", "area=120.5", "--cell", "floor=3")
    assert beside.code == 0
    assert "the middle of numbers and dates" in beside.out


def test_an_image_of_the_test_set(shell, digits_model) -> None:
    answer = shell("explain", digits_model, "digits", "--row", 3)
    assert answer.code == 0
    assert "Linear(64 → 64, relu)" in answer.out
    assert "CrossEntropy()" in answer.out


def test_what_cannot_be_explained_is_refused(refuses, prices_model, digits_model, prices, tmp_path) -> None:
    assert "--row from 1 to 200, a row of" in refuses("explain", prices_model, prices, "--row", 201)
    assert "--row from 1 to 200, a row of" in refuses("explain", prices_model, prices, "--row", 0)
    assert "a TABLE, or --cell for each column and its value, got neither" in refuses("explain", prices_model)
    assert "--cell to give a column, = and a value, got 'area'" in refuses("explain", prices_model, "--cell", "area")
    assert "did you mean 'floor'" in refuses("explain", prices_model, "--cell", "flor=3")
    assert "numbers in column 'area'" in refuses("explain", prices_model, "--cell", "area=big")
    assert "omit --cell" in refuses("explain", digits_model, "--cell", "p1=3")
    table = tmp_path / "other.csv"
    table.write_text("height\n3\n", encoding="utf-8")
    assert "'area'" in refuses("explain", prices_model, table)
    assert "another file" in refuses("explain", prices_model, prices, "--out", prices)
