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


def test_the_page_on_training_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in blocks(ROOT / "docs" / "training.md"):
        run(code, names)
    said = capsys.readouterr().out
    assert "the same bits: True" in said
    assert "column 20 of x has a spread of" in said
    assert "try a learning rate of about" in said
    assert Path("report.html").is_file()


def test_the_page_on_shipping_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in blocks(ROOT / "docs" / "shipping.md"):
        run(code, names)
    assert capsys.readouterr().out.count("the same bits: True") == 2


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_readme_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in blocks(ROOT / "README.md"):
        run(code, names)
    assert "passed" in capsys.readouterr().out
    assert Path("digits.safetensors").is_file()


@pytest.mark.parametrize("estimator", [cr.MLPClassifier, cr.MLPRegressor])
def test_the_table_has_every_parameter(estimator) -> None:
    text = PAGE.read_text(encoding="utf-8").split("## Parameters")[1].split("###")[0]
    named = set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in text.splitlines() if "|" in line)))
    both = {*signature(cr.MLPClassifier).parameters, *signature(cr.MLPRegressor).parameters}
    assert named == both
    assert set(signature(estimator).parameters) <= named
