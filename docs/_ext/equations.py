"""The directive ``equation``, whose content is Unicode, and the equations of docstrings, which become directives."""

from __future__ import annotations

from typing import Any

import unicode_tex
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def mark(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Turn the equations of a docstring into directives; autodoc calls it before numpydoc reads the sections."""
    text = unicode_tex.replace("\n".join(lines) + "\n", lambda equation: f".. equation::\n\n{equation}\n\n")
    lines[:] = text.split("\n")


class Equation(SphinxDirective):
    """Rows of formulas and words, which wrap where the page is narrow."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return a paragraph for each row."""
        try:
            rows = unicode_tex.rows("\n".join(self.content))
        except ValueError as error:
            raise self.error(str(error)) from None
        return [nodes.container("", *(paragraph(row) for row in rows), classes=["equation"])]


def paragraph(row: list[str | None]) -> nodes.paragraph:
    """A row: each piece follows a space, each gap a wide one."""
    made = nodes.paragraph()
    for piece in row:
        if piece is None:
            made += nodes.inline("", "\N{EM SPACE} ", classes=["gap"])
        elif piece.startswith("$"):
            tex = rf"\displaystyle {piece[1:]}"
            made += [nodes.math(tex, tex), nodes.Text(" ")]
        else:
            made += nodes.Text(f"{piece} ")
    return made


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and the hook."""
    app.add_directive("equation", Equation)
    app.connect("autodoc-process-docstring", mark, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
