"""A page of the book as a notebook: it runs with chainrule alone, and shows the figures as they came out."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from docs._ext.portable import portable

SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'
PICTURE = {"output_type": "display_data", "data": {"image/svg+xml": SVG, "text/plain": "<Figure>"}, "metadata": {}}
PRINTED = {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]}


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "chain.py").write_text(
        "import os\nimport math as m\nfrom . import style\n\n\n"
        "def area(r):\n    # of a circle\n    return m.pi * r**2\n\n\n"
        "def picture():\n    return os.name\n",
        encoding="utf-8",
    )
    return folder


def code(source: str, *outputs: dict[str, Any], tags: tuple[str, ...] = (), **mystnb: Any) -> dict[str, Any]:
    about = {"tags": list(tags)} | ({"mystnb": mystnb} if mystnb else {})
    return {"cell_type": "code", "metadata": about, "source": source, "outputs": list(outputs), "execution_count": 1}


def text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def made(figures: Path, *cells: dict[str, Any]) -> list[dict[str, Any]]:
    page = {"cells": list(cells), "metadata": {"kernelspec": {"name": "python3"}, "source_map": [1]}, "nbformat": 4}
    notebook = portable(page, figures)
    assert notebook["metadata"] == {"kernelspec": {"name": "python3"}}
    cells_made: list[dict[str, Any]] = notebook["cells"]
    return cells_made


def run(cells: list[dict[str, Any]]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(cell["source"], names)
    return names


SETUP = code("from figures import chain, style\nimport math\n\nstyle.use()\nsize = math.sqrt(4)", tags=("remove-cell",))


def test_ordinary_cells_stay_as_they_are(figures: Path) -> None:
    cells = [text("# Title\n\nWords."), code("x = 1\n\n# a remark\nprint(x)", PRINTED)]
    assert made(figures, *cells) == cells


def test_the_set_up_of_figures_is_left_out_and_the_rest_of_the_cell_kept(figures: Path) -> None:
    cells = made(figures, SETUP, code("print(size)"))
    assert [cell["source"] for cell in cells] == ["import math\nsize = math.sqrt(4)", "print(size)"]
    assert run(cells)["size"] == 2


def test_a_cell_that_only_sets_figures_up_is_left_out(figures: Path) -> None:
    setup = code("from figures import style\n\nstyle.use()", tags=("remove-cell",))
    assert made(figures, setup, text("A")) == [text("A")]


def test_a_figure_becomes_a_picture_with_its_words(figures: Path) -> None:
    about = {"image": {"alt": "What is [seen]."}, "figure": {"caption": "One sentence."}}
    drawn = code("chain.picture()", PICTURE, tags=("remove-input",), **about)
    _, cell = made(figures, SETUP, drawn)
    assert cell["cell_type"] == "markdown"
    assert cell["source"] == "![What is [seen\\].](attachment:figure-0.svg)\n\n*One sentence.*"
    encoded = cell["attachments"]["figure-0.svg"]["image/svg+xml"]
    assert base64.b64decode(encoded).decode() == SVG


def test_what_depends_on_a_figure_s_module_is_shown_with_what_it_printed(figures: Path) -> None:
    first = code("result = chain.picture()", tags=("remove-cell",))
    second = code("print(result)", PRINTED)
    third = code("print(size)")
    cells = made(figures, SETUP, first, second, third)
    assert [cell["cell_type"] for cell in cells] == ["code", "markdown", "code"]
    assert cells[1]["source"] == "```python\nprint(result)\n```\n\n```text\none\ntwo\n```"
    run(cells)


def test_a_function_of_a_figure_s_module_is_written_out_with_what_it_imports(figures: Path) -> None:
    cells = made(figures, code("from figures.chain import area", tags=("remove-cell",)), code("round(area(1), 2)"))
    assert cells[0]["source"].split() == "import math as m def area(r): # of a circle return m.pi * r**2".split()  # noqa: SIM905
    assert run(cells)["area"](2) == pytest.approx(12.566, abs=1e-3)


@pytest.mark.parametrize(
    ("page", "notebook"),
    [
        ("See {source}`ops/affine.py`.", "See `ops/affine.py`."),
        ("```{equation}\ndx = dy Wᵀ\n```", "```\ndx = dy Wᵀ\n```"),
        (":::{note} Mind\nText\n:::", " Mind\nText\n".replace(" Mind", "Mind")),
        (
            "[next](04-activations.md#relu) [out](https://a.b/c.md)",
            "[next](04-activations.ipynb#relu) [out](https://a.b/c.md)",
        ),
        ("a set {x} and `code`", "a set {x} and `code`"),
    ],
)
def test_what_only_sphinx_understands_becomes_plain(figures: Path, page: str, notebook: str) -> None:
    assert made(figures, text(page)) == [text(notebook)]


def test_the_answer_to_an_exercise_is_a_cell_of_code(figures: Path) -> None:
    answer = 'def backward(dy, x):\n    ...\n    return dx\n\n\nexercises.check("fork", backward)'
    page = text(f"Copy:\n\n```python\nx = 1\n```\n\n**1.** Write it.\n\n```python\n{answer}\n```\n\n**2.** More.")
    before, asked, after = made(figures, page | {"id": "a"})
    assert (asked["cell_type"], asked["source"]) == ("code", answer)
    assert before["source"].endswith("```\n\n**1.** Write it.")
    assert after["source"] == "**2.** More."
    assert [cell["id"] for cell in (before, asked, after)] == ["a-0", "a-1", "a-2"]


LEARN = Path(__file__).resolve().parents[1] / "docs" / "learn"
CHAPTERS = sorted(LEARN.glob("[0-9]*.md"))
BLOCK = re.compile(r"^```\{code-cell\}[^\n]*\n(---\n.*?^---\n)?((?::[^\n]*\n)*)(.*?)^```", re.MULTILINE | re.DOTALL)


def page_as_notebook(page: Path) -> dict[str, Any]:
    """The code of a page, as it is before it runs."""
    cells = []
    for front, options, source in BLOCK.findall(page.read_text(encoding="utf-8")):
        tags = tuple(tag for tag in ("remove-input", "remove-cell") if tag in front + options)
        cells.append(code(source.strip(), tags=tags))
    return {"cells": cells, "metadata": {}}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] * (page != CHAPTERS[0]), id=page.stem) for page in CHAPTERS]
)
def test_the_notebook_of_a_chapter_runs_with_chainrule_alone(page: Path, tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("matplotlib")
    notebook = portable(page_as_notebook(page), LEARN / "figures")
    assert not any("figures" in cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    monkeypatch.chdir(tmp_path)
    assert len(run(notebook["cells"])) > 1
