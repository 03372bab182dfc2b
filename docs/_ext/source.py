"""The role ``{source}`ops/affine.py` ``: a link to a source file of the library, or of the checkout around it.

With a ``repository_url`` the link leads there. Without, the file becomes a page of the site, so that it can be read
offline. ``{source}`ops/affine.py:12` `` leads to a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

import chainrule

CHECKOUT = Path(__file__).resolve().parents[2]
ROOTS = (CHECKOUT / "src" / "chainrule", Path(chainrule.__file__).parent, CHECKOUT)
LEXERS = {".pxi": "kernel.pyx", ".def": "list.h"}
log = logging.getLogger(__name__)


def find(path: str) -> Path | None:
    """The file of this name in the library or, if there is none, in the checkout."""
    return next((root / path for root in ROOTS if (root / path).is_file()), None)


def link(env: BuildEnvironment, path: str, line: str = "") -> nodes.reference | None:
    """A link to a file, whose text is the path; None where there is no such file."""
    file = find(path)
    if file is None:
        return None
    if env.config.repository_url:
        inside = path if file == CHECKOUT / path else f"src/chainrule/{path}"
        address = f"{env.config.repository_url}/blob/main/{inside}" + (f"#L{line}" if line else "")
    else:
        env.metadata[env.docname].setdefault("sources", set()).add(path)
        address = "../" * env.docname.count("/") + f"source/{path}.html" + (f"#L-{line}" if line else "")
    return nodes.reference("", "", nodes.literal(path, path), refuri=address)


class Source(SphinxRole):
    """The role."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the link, or the path alone and a warning."""
        path, _, line = self.text.partition(":")
        found = link(self.env, path, line)
        if found is None:
            log.warning("there is no source file %r", path, location=self.get_location())
        return [found or nodes.literal(path, path)], []


class Modules(SphinxTransform):
    """A module that a docstring names is a link to its source."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        """Replace the references to modules of the library."""
        for reference in list(self.document.findall(pending_xref)):
            if reference["reftype"] == "mod" and reference["reftarget"].startswith("chainrule."):
                path = reference["reftarget"].removeprefix("chainrule.").replace(".", "/")
                found = link(self.env, f"{path}.py") or link(self.env, f"{path}/__init__.py")
                if found is not None:
                    reference.replace_self(found)


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield a page for each file that a page of the site links to."""
    linked: set[str] = set().union(*(data.get("sources", ()) for data in app.env.metadata.values()))
    for path in sorted(linked):
        yield f"source/{path}", {"title": path, "body": f"<h1>{path}</h1>{as_html(path)}"}, "page.html"


def as_html(path: str) -> str:
    """The file with colours and a numbered anchor at each line."""
    file = find(path)
    assert file is not None
    try:
        lexer = get_lexer_for_filename(LEXERS.get(file.suffix, file.name))
    except ClassNotFound:
        lexer = get_lexer_for_filename("plain.txt")
    form = HtmlFormatter(linenos="inline", lineanchors="L", anchorlinenos=True, wrapcode=True)
    return highlight(file.read_text(encoding="utf-8"), lexer, form)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role and its pages."""
    app.add_config_value("repository_url", "", "env")
    app.add_role("source", Source())
    app.add_transform(Modules)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
