"""The page of solutions in the book shows every graded problem, in the order of the chapters."""

from __future__ import annotations

import re
from pathlib import Path

from chainrule import exercises

PAGE = Path(__file__).resolve().parents[2] / "docs" / "learn" / "solutions" / "graded.md"


def test_the_page_shows_the_solution_of_each_problem_in_order() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert re.findall(r'exercises\.solution\("(\w+)"\)', text) == exercises.names()


def test_each_problem_stands_below_its_name_and_its_chapter() -> None:
    chapter, found = "", {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            chapter = line.split(":")[0].removeprefix("## Chapter ")
        elif line.startswith("### "):
            found[line.removeprefix("### ").lower().replace(" ", "_").replace("-", "_")] = chapter
    shown = {name: exercises.show(name).title for name in exercises.names()}
    assert {name: f"Exercise {name} (chapter {chapter})" for name, chapter in found.items()} == shown
