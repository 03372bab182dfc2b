"""The page on tables runs from top to bottom, and says what it shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tables.md"


def test_the_page_on_tables_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(code, "the page", "exec"), names)
    said = capsys.readouterr().out
    for line in (
        "[1234.5, 99.9, None, 1120.0, 310.0, 87.0]",
        "a comma stands before decimals",
        "pass decimal='.' if the comma sets off thousands",
        "no       id              0         6  T-1        left out: all different",
        "planted  date            1         5  13.2.2001  dates",
        "felled   flag            0         2  nein       nein and ja",
        "'casual' and 'registered' give the target 'all'",
        "the same bits: True",
        "{'kind': (1, ['Esche'])}",
        "built   date            0 ",
        "TabularRegressor True",
    ):
        assert line in said
    assert all(len(line) <= 80 for line in said.splitlines() if line.startswith(("column", "planted", "felled")))
