"""A public name in code font, such as ``cr.Adam(0.1)`` or ``cr.plots``, links to its page of the reference.

A name that does not exist is a warning, so that no page speaks of what is gone.
"""

from __future__ import annotations

import re
from functools import cache
from operator import attrgetter
from typing import Any

import reference
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

import chainrule as cr

NAME = re.compile(r"(?:cr|chainrule)\.([A-Za-z_]\w*(?:\.\w+)*)(\(.*\))?", re.DOTALL)
log = logging.getLogger(__name__)


@cache
def pages() -> dict[str, str]:
    """The page of each name, and that of the group for each namespace."""
    found = {name: page for page, names in reference.pages().items() for name in names}
    return found | {place[:-1]: page for page, _, _, where in reference.GROUPS for place in where if place[-1] == "."}


def page_of(name: str) -> str | None:
    """The page of a name, or of what it is an attribute of."""
    while name and name not in pages():
        name = name.rpartition(".")[0]
    return pages().get(name)


class Names(SphinxTransform):
    """Make links of such pieces of code."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        """Find them, but for those that are links already."""
        for code in list(self.document.findall(nodes.literal)):
            found = NAME.fullmatch(code.astext())
            if not found or isinstance(code.parent, (nodes.reference, pending_xref)):
                continue
            try:
                attrgetter(found[1])(cr)
            except AttributeError:
                if found[0].startswith("cr."):  # chainrule.toml may be a file
                    log.warning("there is no %s in chainrule", found[1], location=code)
                continue
            if page := page_of(found[1]):
                address = "../" * self.env.docname.count("/") + f"reference/{page}.html"
                code.replace_self(nodes.reference("", "", code.deepcopy(), refuri=address))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_transform(Names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
