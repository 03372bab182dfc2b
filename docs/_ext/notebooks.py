"""A page whose code ran can be had as a notebook, with what it printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import myst_nb.sphinx_ext
from docutils import nodes
from portable import portable
from sphinx.application import Sphinx


def folder(app: Sphinx) -> Path:
    """Where MyST-NB writes notebooks and figures: beside the doctrees, which refer to them."""
    return Path(app.doctreedir).parent / "notebooks"


def offer(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Tell the template where the notebook of a page is."""
    if (folder(app) / f"{page}.ipynb").is_file():
        context["notebook"] = f"notebooks/{page}.ipynb"


def copy(app: Sphinx, exception: Exception | None) -> None:
    """Write the notebooks into the site, each such that it runs anywhere."""
    for file in [] if exception else folder(app).rglob("*.ipynb"):
        target = Path(app.outdir) / "notebooks" / file.relative_to(folder(app))
        notebook = portable(json.loads(file.read_text(encoding="utf-8")), Path(app.srcdir) / "learn" / "figures")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(notebook, ensure_ascii=False, indent=1), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Move the folder, and register the hooks."""
    myst_nb.sphinx_ext.OUTPUT_FOLDER = str(folder(app))
    app.connect("html-page-context", offer)
    app.connect("build-finished", copy, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
