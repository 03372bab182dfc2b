"""The code in README.md and docs/ runs as it stands, and the page for scikit-learn's users names every parameter."""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import chainrule as cr

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "coming-from-scikit-learn.md"


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run(code: str, names: dict[str, Any]) -> dict[str, Any]:
    exec(compile(code, "the page", "exec"), names)
    return names


@pytest.fixture(scope="module")
def stage() -> dict[str, Any]:
    """The names that the first block of the page gives to all the others."""
    pytest.importorskip("matplotlib")
    return run(blocks(PAGE)[0] + "import chainrule as cr\n", {})


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("code", blocks(PAGE)[1:], ids=range(1, len(blocks(PAGE))))
def test_a_recipe_runs_after_the_first_block(code, stage, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    run(code, dict(stage))
    said = capsys.readouterr().out
    assert ("print(" in code) == bool(said)
    assert not any(wrong in said for wrong in ("failed", "other weights", "nan"))


#: Of each page: what it needs, what it says, and the files that it leaves.
PAGES = {
    "README.md": (
        ["pyarrow"],
        ["passed", "town    category       66         3  Kiel        words"],
        ["digits.safetensors", "houses.safetensors"],
    ),
    "docs/training.md": (
        ["matplotlib"],
        ["the same bits: True", "column 20 of x has a spread of", "try a learning rate of about"],
        ["report.html"],
    ),
    "docs/shipping.md": (["onnxruntime", "onnx"], 2 * ["the same bits: True"], []),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch, capsys) -> None:
    needs, says, files = PAGES[page]
    for module in needs:
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in blocks(ROOT / page):
        run(code, names)
    said = capsys.readouterr().out
    assert [words for words in says if said.count(words) < says.count(words)] == []
    assert [file for file in files if not Path(file).is_file()] == []


@pytest.mark.parametrize("estimator", [cr.MLPClassifier, cr.MLPRegressor])
def test_the_table_has_every_parameter(estimator) -> None:
    text = PAGE.read_text(encoding="utf-8").split("## Parameters")[1].split("###")[0]
    named = set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in text.splitlines() if "|" in line)))
    both = {*signature(cr.MLPClassifier).parameters, *signature(cr.MLPRegressor).parameters}
    assert named == both
    assert set(signature(estimator).parameters) <= named
