"""The chapters of the book ask for every graded problem, with the function that the problem asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chainrule import exercises

LEARN = Path(__file__).resolve().parents[2] / "docs" / "learn"
BLOCK = re.compile(r"^```(?:\{code-cell\} )?python\n(.*?)^```", re.MULTILINE | re.DOTALL)
CHECKED = re.compile(r"^def (\w+\([^)]*\)):\n(?:.*\n)*exercises\.check\(\"(\w+)\"", re.MULTILINE)


def asked() -> list[tuple[str, str]]:
    """The name of each problem that a page checks, and the signature of the function written there."""
    texts = [page.read_text(encoding="utf-8") for page in sorted(LEARN.glob("*.md"))]
    found = [CHECKED.search(block) for text in texts for block in BLOCK.findall(text) if "exercises.check(" in block]
    return [(match[2], match[1]) for match in found if match]


@pytest.mark.parametrize("name", exercises.names())
def test_a_problem_is_shown_in_its_chapter(name) -> None:
    chapter = re.search(r"\(chapter (\d+)\)", repr(exercises.show(name)))
    assert chapter
    (page,) = LEARN.glob(f"{int(chapter[1]):02}-*.md")
    assert f'exercises.show("{name}")' in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "signature"), asked())
def test_a_page_names_the_arguments_that_the_problem_gives(name, signature) -> None:
    assert f"Write {signature}, which" in repr(exercises.show(name))


def test_most_chapters_have_a_problem_to_check() -> None:
    assert len({name for name, _ in asked()}) >= 12
