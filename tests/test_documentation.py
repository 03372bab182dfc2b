"""The code in README.md and docs/ runs as it stands, and the page for scikit-learn's users names every parameter.

`make docs` executes the same blocks to show what they print; here they run on every version that is tested.
"""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import chainrule as cr

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "how-to" / "coming-from-scikit-learn.md"
FENCED = re.compile(r"^```(?:\{code-cell\} )?python\n(?::[^\n]*\n)*(.*?)^```", re.MULTILINE | re.DOTALL)
OF_OTHERS = re.compile(r"^```python\n(import (torch|keras)\n.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[str]:
    """The Python code of a page, but for programs of other libraries."""
    return FENCED.findall(OF_OTHERS.sub("", page.read_text(encoding="utf-8")))


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
        ["houses.safetensors"],
    ),
    "docs/start/install.md": ([], ["kernels", " passed: relative error at most"], []),
    "docs/start/change-one-import.md": ([], ["accuracy on the validation rows 0.9"], []),
    "docs/start/sixty-seconds.md": (
        ["pyarrow"],
        ["passed", "town    category       66         3  Kiel        words"],
        ["digits.safetensors", "houses.safetensors"],
    ),
    "docs/how-to/speed.md": ([], ["512 rows a batch"], []),
    "docs/how-to/larger-than-memory.md": (["pyarrow"], ["accuracy 0.9", "10 groups of rows", "accuracy 0.9"], []),
    "docs/scale.md": ([], [], []),
    "docs/how-to/coming-from-pytorch.md": ([], ["0.9", "True"], []),
    "docs/how-to/coming-from-keras.md": ([], ["epochs"], []),
    "docs/how-to/training.md": (
        ["matplotlib"],
        ["the same bits: True", "column 20 of x has a spread of", "try a learning rate of about"],
        ["report.html"],
    ),
    "docs/how-to/explain.md": (["pandas", "narwhals"], ["True", "what each column contributed to the predicted"], []),
    "docs/how-to/shipping.md": (["onnxruntime", "onnx"], 2 * ["the same bits: True"], []),
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


@pytest.mark.parametrize("library", ["torch", "keras"])
def test_the_program_of_the_other_library_runs_where_that_is_installed(library, capsys) -> None:
    page = ROOT / "docs" / "how-to" / {"torch": "coming-from-pytorch.md", "keras": "coming-from-keras.md"}[library]
    ((code, _),) = OF_OTHERS.findall(page.read_text(encoding="utf-8"))
    compiled = compile(code, page.name, "exec")
    pytest.importorskip(library)
    exec(compiled, {})
    assert float(capsys.readouterr().out.strip(" []\n").split(", ")[-1]) > 0.9


@pytest.mark.parametrize("estimator", [cr.MLPClassifier, cr.MLPRegressor])
def test_the_table_has_every_parameter(estimator) -> None:
    text = PAGE.read_text(encoding="utf-8").split("## Parameters")[1].split("###")[0]
    named = set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in text.splitlines() if "|" in line)))
    both = {*signature(cr.MLPClassifier).parameters, *signature(cr.MLPRegressor).parameters}
    assert named == both
    assert set(signature(estimator).parameters) <= named
