"""Each block of docs/how-to/works-with.md runs after the first, where the library that it shows is installed."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "works-with.md"
DATA, *BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def modules(code: str) -> list[str]:
    return re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE)


@pytest.mark.filterwarnings("ignore")  # of libraries that are not ours
@pytest.mark.parametrize("code", BLOCKS, ids=[modules(code)[0] for code in BLOCKS])
def test_a_block_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for module in modules(code):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(DATA + code, "the page", "exec"), names)
    said = capsys.readouterr().out
    assert ("print(" in code) == bool(said)
    assert "nan" not in said


def test_every_tool_has_its_block() -> None:
    shown = {module for code in BLOCKS for module in modules(code)} - sys.stdlib_module_names - {"pandas"}
    titles = {"sklearn", "dask", "joblib", "ray", "skrub", "imblearn", "mapie", "crepes", "shap", "optuna", "mlflow"}
    titles |= {"skops", "river"}
    assert shown == titles
