"""A notebook of the book that runs anywhere, with chainrule alone.

A page draws its figures with modules that stand beside it, and speaks to Sphinx. In the notebook, what depends on such
a module is shown as it came out, as pictures and text; all other code stays code. Functions that a page imports from
such a module by name are written out. The blocks in which a reader answers an exercise become code.
"""

from __future__ import annotations

import ast
import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Cell = dict[str, Any]

PICTURES = {"image/svg+xml": "svg", "image/png": "png"}
FOR_SPHINX = (
    (re.compile(r"\{[\w:-]+\}(`[^`\n]+`)"), r"\1"),  # a role: {source}`ops/affine.py`
    (re.compile(r"^```\{[\w-]+\}.*$", re.MULTILINE), "```"),  # a directive
    (re.compile(r"^:::+ *(?:\{[\w-]+\} *(.*))?$", re.MULTILINE), r"\1"),
    (re.compile(r"\]\((?!\w+:)([^)#\s]+)\.md([)#])"), r"](\1.ipynb\2"),
)
ANSWER = re.compile(r"^```python\n((?:(?!^```).)*?\bexercises\.check\((?:(?!^```).)*)^```$", re.MULTILINE | re.DOTALL)


def portable(notebook: dict[str, Any], figures: Path) -> dict[str, Any]:
    """Return a notebook that needs no module of the folder ``figures``."""
    strange: set[str] = set()  # names whose values depend on such a module
    cells = [new for cell in notebook["cells"] for new in _portable(cell, strange, figures)]
    kept = {name: about for name, about in notebook["metadata"].items() if name in ("kernelspec", "language_info")}
    return notebook | {"cells": cells, "metadata": kept}


def _portable(cell: Cell, strange: set[str], figures: Path) -> Iterator[Cell]:
    source = _text(cell["source"])
    if cell["cell_type"] != "code":
        for pattern, plain in FOR_SPHINX:
            source = pattern.sub(plain, source)
        yield from _with_answers(cell | {"source": source})
        return
    kept: list[str] = []
    changed = shown = False
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").split(".")[0] == figures.name:
            kept += _written_out(statement, strange, figures)
            changed = True
        elif _names(statement, ast.Load) & strange:
            strange |= _names(statement, ast.Store)
            changed = shown = True
        else:
            kept.append(str(ast.get_source_segment(source, statement)))
    tags = cell["metadata"].get("tags", [])
    if not changed:
        yield cell
    elif shown and "remove-cell" not in tags:
        yield _as_shown(cell, "" if "remove-input" in tags else source)
    elif kept:
        yield cell | {"source": "\n".join(kept)}


def _with_answers(cell: Cell) -> Iterator[Cell]:
    """A cell of Markdown; where it asks for an answer to an exercise, split by cells of code."""
    empty = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    parts = ANSWER.split(cell["source"])
    if len(parts) == 1:
        yield cell
        return
    for number, part in enumerate(parts):
        own = {"source": part.strip()} | ({"id": f"{cell['id']}-{number}"} if "id" in cell else {})
        if own["source"]:
            yield empty | own if number % 2 else cell | own


def _names(node: ast.AST, use: type[ast.expr_context]) -> set[str]:
    """The names that a statement reads or assigns."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, use)}


def _written_out(statement: ast.ImportFrom, strange: set[str], figures: Path) -> list[str]:
    """What stands for an import from the figures: the functions of a module; modules are strange."""
    if statement.module == figures.name:
        strange |= {alias.asname or alias.name for alias in statement.names}
        return []
    source = (figures / f"{str(statement.module).split('.')[1]}.py").read_text(encoding="utf-8")
    body = ast.parse(source).body
    asked = {alias.name for alias in statement.names}
    chosen = [each for each in body if isinstance(each, ast.FunctionDef) and each.name in asked]
    used = set().union(*(_names(each, ast.Load) for each in chosen))
    imports = [
        ast.unparse(type(each)(**vars(each) | {"names": [alias]}))
        for each in body
        if isinstance(each, ast.Import | ast.ImportFrom)
        for alias in each.names
        if (alias.asname or alias.name).split(".")[0] in used
    ]
    return [*imports, *(f"\n\n{ast.get_source_segment(source, each)}\n" for each in chosen)]


def _as_shown(cell: Cell, source: str) -> Cell:
    """A cell of Markdown with the code, if it is shown, what it printed, and its pictures."""
    parts = [f"```python\n{source}\n```"] if source else []
    attachments: dict[str, dict[str, str]] = {}
    about = cell["metadata"].get("mystnb", {})
    alt = about.get("image", {}).get("alt", "").replace("\n", " ").replace("]", r"\]")
    for output in cell["outputs"]:
        data = output.get("data", {})
        kind = next((kind for kind in PICTURES if kind in data), None)
        if kind:
            name = f"figure-{len(attachments)}.{PICTURES[kind]}"
            content = _text(data[kind])
            encoded = base64.b64encode(content.encode()).decode() if kind.endswith("xml") else content
            attachments[name] = {kind: encoded}
            parts.append(f"![{alt}](attachment:{name})")
        elif "text/html" in data:
            parts.append(_text(data["text/html"]))
        else:
            parts.append(f"```text\n{_text(output.get('text', data.get('text/plain', ''))).rstrip()}\n```")
    if caption := about.get("figure", {}).get("caption", ""):
        parts.append(f"*{caption}*")
    more = {"attachments": attachments} if attachments else {}
    kept = {name: cell[name] for name in ("id",) if name in cell}
    return kept | {"cell_type": "markdown", "metadata": {}, "source": "\n\n".join(parts)} | more


def _text(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)
