"""The page on tables runs from top to bottom, commands included, and prints what it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from chainrule.cli import main

pytest.importorskip("pyarrow")
pytest.importorskip("onnx")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "tables.md"
FENCED = re.compile(r"^```(?:\{code-cell\} )?(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = FENCED.findall(PAGE.read_text(encoding="utf-8"))


def run_commands(lines: str) -> None:
    for line in lines.splitlines():
        command, *words = shlex.split(line)
        assert (command, main(words)) == ("chainrule", 0)


def test_the_page_on_tables_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys) -> None:
    pytest.importorskip("matplotlib")  # for the report
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for language, code in BLOCKS:
        if language == "sh":
            run_commands(code)
        else:
            exec(compile(code, "the page", "exec"), names)
    said, notes = capsys.readouterr()
    for line in (
        "flat    id              0     1,000  F000        left out: all different",
        "beside   a guess: RMSE ",
        "files    model.safetensors, history.json, run.json, curves.png, predictions.png in flats-model",
        "R² 0.9",
        "rent.onnx: onnx, ",
        "TabularRegressor True",
        "no       id              0         6  T-1        left out: all different",
        "planted  date            1         5  13.2.2001  dates",
        "felled   flag            0         2  nein       nein and ja",
        "'casual' and 'registered' give the target 'all'",
        "[1234.5, 99.9, None, 1120.0, 310.0, 87.0]",
        "the comma is the decimal mark",
        "pass decimal='.' if the comma separates thousands",
        "the same bits: True",
        "{'kind': (1, ['Esche'])}",
    ):
        assert line in said
    assert all(
        len(line) <= 80 for line in said.splitlines() if line.startswith(("column", "flat ", "planted", "felled"))
    )
    assert "is better than the model" not in notes
    assert Path("predictions.csv").read_text().startswith("flat,prediction\nF000,")
    assert {path.name for path in Path("flats-model").iterdir()} >= {"report.html", "model.safetensors"}
    assert Path("flats.onnx").is_file()
