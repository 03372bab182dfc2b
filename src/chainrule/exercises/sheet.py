"""How a problem and its solution look: paragraphs and code, as text in a terminal, as HTML in a notebook."""

from __future__ import annotations

from html import escape
from textwrap import indent

from .._support.settings import frozen
from .problem import Problem


@frozen
class Sheet:
    """A problem or a solution, which displays itself.

    Parameters
    ----------
    title : str
        Its first line.
    parts : list of (kind, text)
        What follows: ``("text", words)`` or ``("code", lines)``.
    """

    title: str
    parts: list[tuple[str, str]]

    @property
    def code(self) -> str:
        """All code in it."""
        return "\n\n".join(text for kind, text in self.parts if kind == "code")

    def __repr__(self) -> str:
        return "\n\n".join([self.title, *(indent(text, "    " * (kind == "code")) for kind, text in self.parts)])

    def _repr_html_(self) -> str:
        """The parts, as a notebook shows them."""
        tags = {
            "code": '<pre style="margin-bottom:1em"><code>{}</code></pre>',
            "text": '<p style="white-space:pre-line">{}</p>',
        }
        shown = "".join(tags[kind].format(escape(text)) for kind, text in self.parts)
        return f"<p><strong>{escape(self.title)}</strong></p>{shown}"


def problem_sheet(problem: Problem) -> Sheet:
    """What the reader has to know."""
    shapes = problem.shapes.replace("()", "(a number)")
    shapes += "; dy has the shape of y." if "dy" in problem.asked_of else "."
    asked = f"Write {problem.signature}, which returns {', '.join(problem.names)}."
    parts = [("text", problem.statement), ("code", problem.code_of_forward()), ("text", asked), ("text", shapes)]
    return Sheet(f"Exercise {problem.name} (chapter {problem.chapter})", [part for part in parts if part[1]])


def solution_sheet(problem: Problem) -> Sheet:
    """The gradients as equations, and the code that sums the terms."""
    parts = [("text", "\n".join(problem.equations())), ("code", problem.code_of_solution())]
    return Sheet(f"Solution of {problem.name}", parts)
