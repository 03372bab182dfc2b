"""How problems, solutions and verdicts display themselves."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from chainrule import exercises


def text_of(html: str) -> str:
    """What a browser would show of it, without the space."""
    shown: list[str] = []
    parser = HTMLParser()
    parser.handle_data = shown.append  # type: ignore[method-assign]
    parser.feed(html)
    return re.sub(r"\s", "", "".join(shown))


def test_the_problems_are_in_the_order_of_the_book() -> None:
    chapters = [int(re.search(r"chapter (\d+)", exercises.show(name).title)[1]) for name in exercises.names()]  # type: ignore[index]
    assert chapters == sorted(chapters)
    assert set(chapters) == set(range(1, 13))


@pytest.mark.parametrize("name", exercises.names())
def test_a_problem_says_what_to_write_and_not_the_answer(name: str) -> None:
    shown = repr(exercises.show(name))
    assert re.search(r"Write (backward|step|find)\(.*\), which returns ", shown)
    answer = exercises.solution(name).code.partition("\n")[0]
    assert answer.removeprefix("def ").removesuffix(":") in shown
    assert answer not in shown
    assert max(map(len, shown.splitlines())) <= 120
    assert "Array" not in shown


@pytest.mark.parametrize("name", exercises.names())
@pytest.mark.parametrize("kind", ["show", "solution"])
def test_a_notebook_shows_the_same_as_a_terminal(name: str, kind: str) -> None:
    sheet = getattr(exercises, kind)(name)
    assert text_of(sheet._repr_html_()) == re.sub(r"\s", "", repr(sheet))


def test_a_verdict_escapes_what_the_reader_wrote() -> None:
    def backward(dy: Any, x: Any) -> Any:
        raise ValueError("<script>alert(1)</script>\x1b[2J\nline")

    verdict = exercises.check("softplus", backward)
    html = verdict._repr_html_()
    assert "<script>" not in html
    assert "\x1b" not in repr(verdict)
    assert text_of(html) == re.sub(r"\s", "", repr(verdict))
